import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { relativeL2 } from "../../src/engine/checkOp.ts";
import { compile } from "../../src/engine/compile.ts";
import { LimitError, ShapeError } from "../../src/engine/errors.ts";
import { apply, type Tensor } from "../../src/engine/graph.ts";
import { affineWarp, fillModes, foldCoordinate, interpolations } from "../../src/engine/ops/affine.ts";
import { erase, inverseNormal, noise } from "../../src/engine/ops/erase.ts";
import { separableFilter, sharpen } from "../../src/engine/ops/filters.ts";
import { equalise, histogramOp } from "../../src/engine/ops/histogram.ts";
import { cutMix, mixUp } from "../../src/engine/ops/mix.ts";
import { photometric, photometricCodes } from "../../src/engine/ops/photometric.ts";
import { references } from "../../src/engine/ops/registry.ts";
import { input } from "../../src/engine/ops/sources.ts";
import { randomBitsAt, uniform } from "../../src/engine/random.ts";
import { runReference } from "../../src/engine/reference.ts";
import { BATCH, dtypeOf, type Shape, sizeOf, type TypedArray } from "../../src/engine/types.ts";
import { testDevice } from "../device.ts";

const noiseOf = (count: number, stream: number, scale = 255): Float32Array =>
  Float32Array.from({ length: count }, (_, index) => uniform(31, stream, index) * scale);

/** Runs a graph on the GPU and in float64. */
async function both(feeds: Record<string, [TypedArray, Shape]>, build: (...x: Tensor[]) => Tensor) {
  const inputs = Object.entries(feeds).map(([name, [data, shape]]) => input(name, shape, dtypeOf(data)));
  const graph = { outputs: { y: build(...inputs) } };
  const values = Object.fromEntries(Object.entries(feeds).map(([name, [data]]) => [name, data]));
  const plan = await compile(await testDevice(), graph, { poison: true, reuse: false });
  try {
    const { y } = await plan.run(values);
    expect(await plan.strayWrites()).toBe(null);
    return { got: y as Float32Array, want: runReference(graph, values, { references }).outputs.y };
  } finally {
    plan.dispose();
    plan.parameters.dispose();
  }
}

/** Far outside, mirrored, turned, projective, and off the grid by what float32 holds exactly. */
const matrices = [
  [1, 0, -2.25, 0, 1, 3.5, 0, 0],
  [-1, 0, 8, 0, -1, 5, 0, 0],
  [0.75, -0.625, 4.125, 0.5, 0.875, -6.3125, 0, 0],
  [5, 0, -20.5, 0, 7, -23.25, 0, 0],
  [1, 0.125, 1.0625, -0.25, 1, 2.1875, 0.015625, 0.03125],
];

describe("affineWarp", () => {
  for (const fill of fillModes)
    for (const interpolation of interpolations)
      it(`is the float64 reference with fill ${fill}, ${interpolation}`, async () => {
        const [height, width, channels] = [6, 9, 3];
        const n = matrices.length;
        const { got, want } = await both(
          {
            x: [noiseOf(n * height * width * channels, 1), [n, height, width, channels]],
            matrix: [Float32Array.from(matrices.flat()), [n, 8]],
          },
          (x, matrix) => affineWarp(x, matrix, { height: 7, width: 11, fill, interpolation, fillValue: 13 }),
        );
        let off = 0;
        got.forEach((value, index) => {
          if (!(Math.abs(value - want[index]) <= 1e-3)) off++;
        });
        // The nearest pixel of a position that rounding moved across the middle between two.
        expect(off / got.length).toBeLessThanOrEqual(interpolation === "nearest" ? 0.01 : 0);
      });

  it("keeps an image to the bit under the identity and under flips", async () => {
    const x = noiseOf(4 * 5 * 3, 2);
    const identity = Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0);
    const { got } = await both({ x: [x, [1, 4, 5, 3]], matrix: [identity, [1, 8]] }, (a, m) => affineWarp(a, m));
    expect(got).toEqual(x);
    const flip = Float32Array.of(-1, 0, 4, 0, 1, 0, 0, 0);
    const flipped = await both({ x: [x, [1, 4, 5, 3]], matrix: [flip, [1, 8]] }, (a, m) => affineWarp(a, m));
    expect(flipped.got.slice(0, 3)).toEqual(x.slice(12, 15));
  });

  it("gives the fill value where a position is not a number, infinite, or too far", async () => {
    const rows = [
      [Number.NaN, 0, 0, 0, 1, 0, 0, 0],
      [1, 0, 1e9, 0, 1, 0, 0, 0],
      [1, 0, 0, 0, Number.POSITIVE_INFINITY, 0, 0, 0],
    ];
    const feeds: Record<string, [TypedArray, Shape]> = {
      x: [noiseOf(3 * 12, 3), [3, 2, 2, 3]],
      matrix: [Float32Array.from(rows.flat()), [3, 8]],
    };
    const { got } = await both(feeds, (x, m) => affineWarp(x, m, { fill: "wrap", fillValue: 7 }));
    expect([...got.slice(0, 24)]).toEqual(new Array(24).fill(7));
  });

  it("folds as the edge rules say", () => {
    const row = (fill: (typeof fillModes)[number]) =>
      [-5, -4, -1, 0, 3, 4, 5, 8].map((u) => foldCoordinate(u, 4, fill));
    expect(row("reflect")).toEqual([3, 3, 0, 0, 3, 3, 2, 0]);
    expect(row("nearest")).toEqual([0, 0, 0, 0, 3, 3, 3, 3]);
    expect(row("wrap")).toEqual([3, 3, 3, 0, 3, 0, 1, 0]);
    expect(row("constant")).toEqual([-5, -4, -1, 0, 3, 4, 5, 8]);
    expect(foldCoordinate(-0.75, 4, "reflect")).toBe(0);
    expect(foldCoordinate(7, 1, "wrap")).toBe(0);
  });

  it("refuses other shapes and fills", () => {
    const x = input("x", [2, 4, 4, 3]);
    expect(() => affineWarp(x, input("m", [1, 8]))).toThrow(ShapeError);
    expect(() => affineWarp(x, input("m", [2, 8]), { fill: "mirror" as never })).toThrow(/expected a fill of reflect/);
    expect(() => affineWarp(x, input("m", [2, 8]), { height: 0 })).toThrow(ShapeError);
  });
});

describe("photometric", () => {
  const steps = Object.entries(photometricCodes);
  const amounts: Record<string, number> = {
    nothing: 0,
    brightness: -40.5,
    contrast: 1.4,
    saturation: 1.7,
    hue: 0.37,
    greyscale: 0.6,
    posterise: 3,
    solarise: 100,
  };
  it("is the float64 reference for each step, alone and after another", async () => {
    const program = steps.flatMap(([name, code]) => [photometricCodes.brightness, 10, code, amounts[name]]);
    const n = steps.length;
    const { got, want } = await both(
      { x: [noiseOf(n * 35 * 3, 4), [n, 5, 7, 3]], program: [Float32Array.from(program), [n, 2, 2]] },
      (x, p) => photometric(x, p, { contrast: true }),
    );
    expect(relativeL2(got, want)).toBeLessThan(1e-5);
  });

  it("turns hues as the colour wheel does, and leaves greys", async () => {
    const x = Float32Array.of(255, 0, 0, 200, 200, 200, 10, 60, 110);
    const program = Float32Array.of(photometricCodes.hue, 1 / 3);
    const { got } = await both({ x: [x, [1, 1, 3, 3]], program: [program, [1, 1, 2]] }, (a, p) => photometric(a, p));
    const want = [0, 255, 0, 200, 200, 200, 110, 10, 60];
    got.forEach((value, index) => {
      expect(value).toBeCloseTo(want[index], 2);
    });
  });

  it("lets a NaN stay a NaN", async () => {
    const x = Float32Array.of(Number.NaN, 20, 30);
    for (const code of [1, 2, 5]) {
      const program = Float32Array.of(code, 0.5);
      const { got } = await both({ x: [x, [1, 1, 1, 3]], program: [program, [1, 1, 2]] }, (a, p) => photometric(a, p));
      expect(got[0], `code ${code}`).toBeNaN();
    }
  });
});

describe("equalise", () => {
  it("counts each value, and spreads a narrow histogram over the whole range in whole numbers", async () => {
    const x = Float32Array.from({ length: 2 * 40 * 40 * 3 }, (_, index) => 100 + Math.floor(uniform(1, 1, index) * 40));
    const shape = [2, 40, 40, 3];
    const counts = await both({ x: [x, shape] }, (a) => apply(histogramOp, [a]));
    expect([...counts.got]).toEqual([...counts.want]);
    const { got, want } = await both({ x: [x, shape], on: [Float32Array.of(1, 0), [2]] }, (a, on) => equalise(a, on));
    expect([...got]).toEqual([...want]);
    expect(got.slice(4800)).toEqual(x.slice(4800));
    const [low, high] = [Math.min(...got.slice(0, 4800)), Math.max(...got.slice(0, 4800))];
    expect(low).toBeLessThan(10);
    expect(high).toBe(255);
  });
});

describe("filters", () => {
  it("keep a constant image to the bit with weights that sum to one, and blur an edge evenly", async () => {
    const weights = Float32Array.of(0.25, 0.5, 0.25, 0, 0, 0, 1, 0, 0, 0);
    const x = new Float32Array(2 * 4 * 6).fill(80);
    x.fill(0, 24, 27);
    const { got } = await both({ x: [x, [2, 4, 6, 1]], w: [weights, [2, 5]] }, (a, w) => separableFilter(a, w));
    expect(got.slice(0, 24)).toEqual(x.slice(0, 24));
  });

  it("sharpen leaves amount 0 alone and clips", async () => {
    const x = noiseOf(2 * 5 * 5 * 3, 6);
    const { got, want } = await both({ x: [x, [2, 5, 5, 3]], a: [Float32Array.of(0, 30), [2]] }, (v, a) =>
      sharpen(v, a),
    );
    expect(got.slice(0, 75)).toEqual(x.slice(0, 75));
    expect(relativeL2(got, want)).toBeLessThan(1e-5);
    expect(Math.min(...got.slice(75))).toBe(0);
    expect(Math.max(...got.slice(75))).toBe(255);
  });
});

describe("erase and noise", () => {
  it("paint exactly the pixels of the box", async () => {
    const x = new Float32Array(4 * 5).fill(1);
    const { got } = await both(
      { x: [x, [1, 4, 5, 1]], box: [Float32Array.of(1, 2, 2, 9), [1, 4]], colour: [Float32Array.of(9), [1, 1]] },
      (x, box, colour) => erase(x, box, colour),
    );
    expect([...got]).toEqual([1, 1, 1, 1, 1, 1, 1, 9, 9, 9, 1, 1, 9, 9, 9, 1, 1, 1, 1, 1]);
  });

  it("noise stands at the addresses of random.ts, on the CPU and the GPU", async () => {
    const count = 3000;
    const address = Int32Array.of(7, 3, 123456789, 0x42002300 | 0);
    const { got, want } = await both(
      {
        x: [new Float32Array(count).fill(128), [1, 10, 100, 3]],
        sigma: [Float32Array.of(8), [1]],
        address: [address, [1, 4]],
      },
      (x, sigma, at) => noise(x, sigma, at),
    );
    expect(relativeL2(got, want)).toBeLessThan(1e-6);
    const lane = 1234;
    const bits = randomBitsAt({ seed: 7, stream: 3, sample: 123456789, op: 0x42002300, lane });
    expect(got[lane]).toBeCloseTo(128 + 8 * inverseNormal(((bits >>> 9) + 0.5) / 2 ** 23), 3);
    const mean = got.reduce((sum, value) => sum + value, 0) / count;
    const variance = got.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count;
    expect(Math.abs(mean - 128)).toBeLessThan((4 * 8) / Math.sqrt(count));
    expect(Math.abs(variance / 64 - 1)).toBeLessThan(4 * Math.sqrt(2 / count));
  });

  it("the inverse normal is the inverse: known quantiles to 1e-6", () => {
    const quantiles = [
      [0.5, 0],
      [0.841344746068543, 1],
      [0.0227501319481792, -2],
      [0.99865010196837, 3],
      [3.167124183311998e-5, -4],
    ];
    for (const [p, z] of quantiles) expect(inverseNormal(p)).toBeCloseTo(z, 6);
  });

  it("the shader repeats the generator of random.wgsl word for word", () => {
    const read = (name: string): string =>
      readFileSync(fileURLToPath(new URL(`../../src/shaders/${name}.wgsl`, import.meta.url)), "utf8");
    const generator = /\/\/ The upper 32 bits of a 64-bit product[\s\S]*?fn randomBits[\s\S]*?\n}\n/;
    const [own] = generator.exec(read("random"))!;
    expect(read("erase")).toContain(own);
  });
});

describe("mixing", () => {
  const [n, height, width] = [4, 3, 4];
  const x = noiseOf(n * height * width * 3, 8);
  const partner = Int32Array.of(1, 0, 3, 3);
  const shape = [n, height, width, 3];

  it("MixUp is λ·x + (1 − λ)·partner for images and labels", async () => {
    const lambda = Float32Array.of(0.25, 0.75, 0, 1);
    const { got } = await both({ x: [x, shape], partner: [partner, [n]], lambda: [lambda, [n]] }, (a, p, l) =>
      mixUp(a, p, l),
    );
    const per = height * width * 3;
    got.forEach((value, at) => {
      const k = Math.floor(at / per);
      expect(value).toBeCloseTo(lambda[k] * x[at] + (1 - lambda[k]) * x[partner[k] * per + (at % per)], 3);
    });
    const labels = Float32Array.of(1, 0, 0, 1, 1, 0, 0, 1);
    const soft = await both({ x: [labels, [n, 2]], partner: [partner, [n]], lambda: [lambda, [n]] }, (a, p, l) =>
      mixUp(a, p, l),
    );
    expect([...soft.got]).toEqual([0.25, 0.75, 0.25, 0.75, 0, 1, 0, 1]);
  });

  it("CutMix takes the partner's pixels inside the box and no other", async () => {
    const boxes = Float32Array.from(
      [
        [0, 0, 2, 2],
        [1, 1, 9, 9],
        [0, 0, 0, 0],
        [0, 0, 3, 4],
      ].flat(),
    );
    const { got, want } = await both({ x: [x, shape], partner: [partner, [n]], boxes: [boxes, [n, 4]] }, (a, p, b) =>
      cutMix(a, p, b),
    );
    expect([...got]).toEqual([...want]);
    expect(got.slice(0, 6)).toEqual(x.slice(36, 42));
    expect(got.slice(6, 12)).toEqual(x.slice(6, 12));
  });

  it("gives NaN for a partner outside the batch, and refuses to be cut into smaller batches", async () => {
    const feeds: Record<string, [TypedArray, Shape]> = {
      x: [x, shape],
      partner: [Int32Array.of(1, 4, -1, 0), [n]],
      lambda: [new Float32Array(n), [n]],
    };
    const { got } = await both(feeds, (a, p, l) => mixUp(a, p, l));
    const per = height * width * 3;
    expect(got.slice(0, per).every(Number.isFinite)).toBe(true);
    expect(got.slice(per, 3 * per).every(Number.isNaN)).toBe(true);
    const batched = mixUp(input("x", [BATCH, 3]), input("p", [BATCH], "i32"), input("l", [BATCH]));
    const plan = await compile(await testDevice(), { outputs: { y: batched } }, { maxBatch: 2 });
    const values = { x: new Float32Array(sizeOf([4, 3])), p: new Int32Array(4), l: new Float32Array(4) };
    await expect(plan.run(values)).rejects.toThrow(LimitError);
    plan.dispose();
    plan.parameters.dispose();
  });
});
