import { describe, expect, it } from "vitest";
import { NonFiniteError, ShapeError, UsageError } from "../../src/engine/errors.ts";
import { type ColormapName, colormap, colormapIndex, colormapNames } from "../../src/xai/colormaps.ts";
import { percentile, renderAttribution, renderHeatmap, renderOverlay, upsampleHeatmap } from "../../src/xai/overlay.ts";

type Triple = [number, number, number];

const toLinear = (byte: number) => {
  const c = byte / 255;
  return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
};

const multiply = (matrix: number[][], v: Triple) =>
  matrix.map((row) => row[0] * v[0] + row[1] * v[1] + row[2] * v[2]) as Triple;

/** OKLab from linear light: the inverse direction of what the maps are computed with. */
function oklab(linear: Triple): Triple {
  const cones = multiply(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    linear,
  ).map((c) => Math.cbrt(Math.max(0, c))) as Triple;
  return multiply(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    cones,
  );
}

/** Full dichromacy after Machado, Oliveira and Fernandes (2009), on linear light. */
const deficiencies: Record<string, number[][]> = {
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

function linearAt(name: ColormapName, index: number): Triple {
  const { table } = colormap(name);
  return [toLinear(table[3 * index]), toLinear(table[3 * index + 1]), toLinear(table[3 * index + 2])];
}

const lightness = (name: ColormapName, index: number) => oklab(linearAt(name, index))[0];
const distance = (a: Triple, b: Triple) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);

describe("colour maps", () => {
  it.each(colormapNames)("%s has 256 entries and is the same table each time", (name) => {
    expect(colormap(name).table).toHaveLength(768);
    expect(colormap(name)).toBe(colormap(name));
  });

  it.each(colormapNames.filter((name) => colormap(name).kind === "sequential"))(
    "%s: lightness is a straight rising ramp, also for colour-blind eyes",
    (name) => {
      const first = lightness(name, 0);
      const last = lightness(name, 255);
      expect(last - first).toBeGreaterThan(0.75);
      for (let i = 0; i < 256; i++) {
        const straight = first + ((last - first) * i) / 255;
        expect(Math.abs(lightness(name, i) - straight)).toBeLessThan(name === "grey" ? 0.08 : 0.012);
      }
      for (const matrix of Object.values(deficiencies)) {
        const seen = (i: number) => oklab(multiply(matrix, linearAt(name, i)))[0];
        for (let i = 16; i < 256; i += 8) expect(seen(i)).toBeGreaterThan(seen(i - 16));
      }
    },
  );

  it("balance: neutral centre, equal lightness and chroma on both sides, signs apart for colour-blind eyes", () => {
    const centre = oklab(linearAt("balance", 128));
    expect(Math.hypot(centre[1], centre[2])).toBeLessThan(0.004);
    for (let k = 1; k <= 127; k++) {
      const negative = oklab(linearAt("balance", 128 - k));
      const positive = oklab(linearAt("balance", 128 + k));
      expect(Math.abs(negative[0] - positive[0])).toBeLessThan(0.006);
      expect(Math.abs(Math.hypot(negative[1], negative[2]) - Math.hypot(positive[1], positive[2]))).toBeLessThan(0.01);
      expect(negative[0]).toBeLessThanOrEqual(oklab(linearAt("balance", 129 - k))[0] + 0.004);
    }
    for (const matrix of Object.values(deficiencies)) {
      const seen = (i: number) => oklab(multiply(matrix, linearAt("balance", i)));
      expect(distance(seen(1), seen(255))).toBeGreaterThan(0.12);
      expect(distance(seen(64), seen(192))).toBeGreaterThan(0.08);
    }
  });

  it("clamps values to the table", () => {
    expect([-1, 0, 0.5, 1, 7].map((v) => colormapIndex(colormap("ember"), v))).toEqual([0, 0, 128, 255, 255]);
    expect([-9, -1, 0, 1, 9].map((v) => colormapIndex(colormap("balance"), v))).toEqual([1, 1, 128, 255, 255]);
  });
});

describe("upsampleHeatmap", () => {
  it("samples at half-pixel centres with clamped edges", () => {
    const heat = { values: Float32Array.of(0, 1), height: 1, width: 2 };
    expect([...upsampleHeatmap(heat, 1, 4)]).toEqual([0, 0.25, 0.75, 1]);
    const square = { values: Float32Array.of(0, 1, 2, 3), height: 2, width: 2 };
    expect([...upsampleHeatmap(square, 4, 2)]).toEqual([0, 1, 0.5, 1.5, 1.5, 2.5, 2, 3]);
  });

  it("keeps a map of its own size, spreads a single value, refuses wrong sizes and NaN", () => {
    const heat = { values: Float32Array.of(0.25, 0.5, 0.75, 1), height: 2, width: 2 };
    expect(upsampleHeatmap(heat, 2, 2)).toEqual(heat.values);
    expect([...upsampleHeatmap({ values: Float32Array.of(0.5), height: 1, width: 1 }, 2, 2)]).toEqual(
      Array(4).fill(0.5),
    );
    expect(() => upsampleHeatmap({ ...heat, width: 3 }, 4, 4)).toThrow(ShapeError);
    expect(() => upsampleHeatmap({ values: Float32Array.of(NaN), height: 1, width: 1 }, 2, 2)).toThrow(NonFiniteError);
  });
});

describe("renderOverlay and renderHeatmap", () => {
  const photograph = { width: 2, height: 2, data: Uint8Array.from({ length: 12 }, (_, i) => i * 20) };
  const zeros = { values: new Float32Array(4), height: 2, width: 2 };
  const ones = { values: new Float32Array(4).fill(1), height: 2, width: 2 };

  it("shows the photograph unchanged under a map of zeros", () => {
    expect(renderOverlay(photograph, zeros).data).toEqual(photograph.data);
  });

  it("covers by alpha where the heat is full, everywhere when uniform", () => {
    const top = colormap("ember").table.slice(765);
    expect([...renderOverlay(photograph, ones, { alpha: 1 }).data.slice(0, 3)]).toEqual([...top]);
    expect(renderOverlay(photograph, ones, { alpha: 0 }).data).toEqual(photograph.data);
    const bottom = colormap("ember").table;
    const uniform = renderOverlay(photograph, zeros, { alpha: 0.5, opacity: "uniform" }).data;
    expect(uniform[0]).toBe(Math.round(bottom[0] / 2));
    expect(() => renderOverlay(photograph, ones, { alpha: 2 })).toThrow(UsageError);
    expect(() => renderOverlay(photograph, ones, { colormap: "balance" })).toThrow(UsageError);
  });

  it("renders a map at a given size", () => {
    const image = renderHeatmap(zeros, { height: 3, width: 5 });
    expect([image.height, image.width, image.data.length]).toEqual([3, 5, 45]);
    expect([...image.data.slice(0, 3)]).toEqual([...colormap("ember").table.slice(0, 3)]);
  });
});

describe("renderAttribution", () => {
  const pixel = (image: { data: Uint8Array }, i: number) => [...image.data.slice(3 * i, 3 * i + 3)];
  const entry = (name: ColormapName, i: number) => [...colormap(name).table.slice(3 * i, 3 * i + 3)];

  it("shows zeros as neutral, in both modes", () => {
    const zeros = new Float32Array(12);
    expect(pixel(renderAttribution(zeros, 2, 2), 3)).toEqual(entry("balance", 128));
    expect(pixel(renderAttribution(zeros, 2, 2, { mode: "absolute" }), 3)).toEqual(entry("ember", 0));
  });

  it("sums channels with their sign and puts opposite values at opposite ends", () => {
    const attribution = Float32Array.of(1, 1, 0, -1, -1, 0, 1, -1, 0, 0.5, 0.5, 0);
    const image = renderAttribution(attribution, 2, 2, { percentile: 100 });
    expect([0, 1, 2, 3].map((i) => pixel(image, i))).toEqual([255, 1, 128, 192].map((i) => entry("balance", i)));
    const absolute = renderAttribution(attribution, 2, 2, { mode: "absolute", percentile: 100 });
    expect([0, 1, 2, 3].map((i) => pixel(absolute, i))).toEqual([255, 255, 255, 0].map((i) => entry("ember", i)));
  });

  it("is not flattened by one extreme pixel, and still shows a lone one", () => {
    const attribution = new Float32Array(300).fill(0.1);
    attribution.fill(1000, 0, 3);
    expect(pixel(renderAttribution(attribution, 10, 10), 5)[2]).toBeLessThan(
      pixel(renderAttribution(attribution, 10, 10, { percentile: 100 }), 5)[2],
    );
    const lone = new Float32Array(3000);
    lone[0] = 1;
    expect(pixel(renderAttribution(lone, 25, 40), 0)).toEqual(entry("balance", 255));
  });

  it("refuses NaN, wrong lengths and bad percentiles", () => {
    expect(() => renderAttribution(Float32Array.of(NaN, 0, 0), 1, 1)).toThrow(NonFiniteError);
    expect(() => renderAttribution(new Float32Array(4), 1, 1)).toThrow(ShapeError);
    expect(() => renderAttribution(new Float32Array(3), 1, 1, { percentile: 0 })).toThrow(UsageError);
  });

  it("takes numpy's linear percentile", () => {
    expect(percentile([1, 2, 3, 4], 50)).toBe(2.5);
    expect(percentile([4, 1, 3, 2, 5], 99)).toBeCloseTo(4.96, 12);
  });
});
