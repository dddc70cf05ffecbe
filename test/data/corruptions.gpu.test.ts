import { describe, expect, it } from "vitest";
import { Corrupter } from "../../src/data/corruptions/corrupter.ts";
import { Corruption, corruptionFamilies, corruptionNames } from "../../src/data/corruptions/corruption.ts";
import { encodeJpeg, jpegRoundTrip } from "../../src/data/corruptions/jpeg.node.ts";
import { decodeImage } from "../../src/data/decode.node.ts";
import type { Image } from "../../src/data/images.ts";
import { renderPetal } from "../../src/data/petals.ts";
import { compile } from "../../src/engine/compile.ts";
import { DataError, ShapeError } from "../../src/engine/errors.ts";
import { references } from "../../src/engine/ops/registry.ts";
import { input } from "../../src/engine/ops/sources.ts";
import { runReference } from "../../src/engine/reference.ts";
import { BATCH } from "../../src/engine/types.ts";
import { testDevice } from "../device.ts";

const graphNames = corruptionNames.filter((name) => corruptionFamilies[name].kind === "graph");
/** Families whose pictures follow from the image alone. */
const fixed = ["defocusBlur", "zoomBlur", "brightness", "contrast", "pixelate", "saturate", "jpeg"];

const size = { height: 37, width: 40 };
const perImage = size.height * size.width * 3;
const images = Float32Array.from({ length: 3 * perImage }, (_, at) => (at * 7919) % 256);
const samples = [4, 9, 2].map((id) => ({ seed: 5, id }));

const corrupt = async (name: string, severity: number, from = images, at = samples, edges = size) => {
  const corruption = new Corruption({ name, severity, ...edges });
  using corrupter = await Corrupter.create(await testDevice(), corruption, { jpeg: jpegRoundTrip });
  return await corrupter.run(from, at);
};

const meanOf = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, v) => sum + v, 0) / values.length;
const varianceOf = (values: ArrayLike<number>): number => {
  const mean = meanOf(values);
  return meanOf(Array.from(values, (value) => (value - mean) ** 2));
};

describe.each(graphNames)("%s", (name) => {
  it("gives what float64 gives at the mildest and the strongest severity", async () => {
    for (const severity of [1, 5]) {
      const corruption = new Corruption({ name, severity, ...size });
      const graph = {
        outputs: { y: corruption.build(input("images", [BATCH, size.height, size.width, 3])) },
      };
      const feeds = { images: images.subarray(0, 2 * perImage), ...corruption.feeds(samples.slice(0, 2)) };
      const want = runReference(graph, feeds, { batch: 2, references }).outputs.y;
      const plan = await compile(await testDevice(), graph, { maxBatch: 2, poison: true });
      const got = (await plan.run(feeds)).y;
      plan.dispose();
      const far = Array.from(want, (value, at) => Math.abs(got[at] - value)).filter((gap) => !(gap <= 0.02));
      // A photon more or less, where a random number falls on a step of the distribution.
      expect(far.length, `severity ${severity}: ${far.slice(0, 3)}`).toBeLessThanOrEqual(name === "shotNoise" ? 2 : 0);
      expect(want.every((value) => value >= -1e-9 && value <= 255 + 1e-9)).toBe(true);
    }
  });
});

describe("addresses", () => {
  it.each(corruptionNames)("%s: the address alone decides, not the batch or its order", async (name) => {
    const together = await corrupt(name, 3);
    const alone = await corrupt(name, 3, images.slice(perImage, 2 * perImage), [samples[1]]);
    expect(Buffer.from(alone).equals(together.subarray(perImage, 2 * perImage))).toBe(true);
    const other = await corrupt(name, 3, images.slice(perImage, 2 * perImage), [{ seed: 5, id: 10 }]);
    expect(Buffer.from(other).equals(alone)).toBe(fixed.includes(name));
    expect(Buffer.from(alone).equals(Uint8Array.from(images.subarray(perImage, 2 * perImage)))).toBe(false);
  });

  it("no two families share the number that their addresses are made of", () => {
    const numbers = Object.values(corruptionFamilies).map(({ number }) => number);
    expect(new Set(numbers).size).toBe(numbers.length);
  });
});

describe("severities", () => {
  const edges = { height: 64, width: 64 };
  const petal = Float32Array.from((renderPetal({ seed: 7, index: 3, species: 3, size: 64 }).image as Image).data);

  it("are the published ones at 224 and 32 pixels, and lie between them in between", () => {
    const sigma = (edge: number) =>
      [1, 2, 3, 4, 5].map(
        (severity) =>
          new Corruption({ name: "gaussianNoise", severity, height: edge, width: edge }).settings.sigma as number,
      );
    expect(sigma(224)).toEqual([0.08, 0.12, 0.18, 0.26, 0.38]);
    expect(sigma(32)).toEqual([0.04, 0.06, 0.08, 0.09, 0.1]);
    expect(sigma(96)[4]).toBeCloseTo(0.1 + (0.28 * Math.log(3)) / Math.log(7), 10);
    const radius = new Corruption({ name: "defocusBlur", severity: 5, height: 448, width: 448 }).settings.radius;
    expect(radius).toBe(20);
  });

  it.each(["gaussianNoise", "shotNoise", "impulseNoise", "defocusBlur", "zoomBlur", "brightness", "contrast", "jpeg"])(
    "%s changes an image more at each severity",
    async (name) => {
      const changes = await Promise.all(
        [1, 2, 3, 4, 5].map(async (severity) => {
          const made = await corrupt(name, severity, petal, [{ seed: 1, id: 0 }], edges);
          return meanOf(petal.map((value, at) => Math.abs(value - made[at])));
        }),
      );
      expect(changes).toEqual([...changes].sort((a, b) => a - b));
      expect(changes[0]).toBeGreaterThan(0);
    },
  );
});

describe("what the families promise", () => {
  const edges = { height: 96, width: 96 };
  const grey = new Float32Array(96 * 96 * 3).fill(102);
  const make = (name: string, severity: number, from = grey) =>
    corrupt(name, severity, from, [{ seed: 3, id: 1 }], edges);
  const settings = (name: string, severity: number) => new Corruption({ name, severity, ...edges }).settings;

  it("noise has its mean and its deviation", async () => {
    const gaussian = await make("gaussianNoise", 1);
    expect(meanOf(gaussian)).toBeCloseTo(102, 0);
    expect(Math.sqrt(varianceOf(gaussian)) / (255 * settings("gaussianNoise", 1).sigma)).toBeCloseTo(1, 1);
    // Counted photons: the variance of k/a·255 is 255·x/a.
    for (const severity of [1, 3, 5]) {
      const { photons } = settings("shotNoise", severity);
      const shot = await make("shotNoise", severity);
      expect(Math.abs(meanOf(shot) - 102)).toBeLessThan(1.5);
      expect(varianceOf(shot) / ((255 * 102) / photons)).toBeGreaterThan(severity === 5 ? 0.8 : 0.95);
      expect(varianceOf(shot) / ((255 * 102) / photons)).toBeLessThan(1.05);
    }
    const impulse = await make("impulseNoise", 5);
    const hit = impulse.filter((value) => value !== 102);
    expect(hit.length / impulse.length / settings("impulseNoise", 5).share).toBeCloseTo(1, 1);
    expect(meanOf(hit) / 255).toBeCloseTo(0.5, 1);
  });

  it("blurs keep an even picture and spread a point by their radius", async () => {
    for (const name of ["defocusBlur", "motionBlur", "zoomBlur", "pixelate", "elastic"])
      expect(new Set(await make(name, 5)), name).toEqual(new Set([102]));
    const point = new Float32Array(96 * 96 * 3);
    point.fill(255, (48 * 96 + 48) * 3, (48 * 96 + 48) * 3 + 3);
    const spread = await make(
      "defocusBlur",
      5,
      point.map((value) => value),
    );
    const { radius } = settings("defocusBlur", 5);
    const lit = Array.from({ length: 96 }, (_, column) => spread[(48 * 96 + column) * 3]).filter((value) => value > 0);
    expect(Math.abs(lit.length - (2 * radius + 1))).toBeLessThanOrEqual(2);
  });

  it("brightness and saturation work in HSV", async () => {
    const colour = Float32Array.from({ length: 96 * 96 * 3 }, (_, at) => [200, 100, 50][at % 3]);
    const { amount } = settings("brightness", 1);
    const bright = (await make("brightness", 1, colour)).subarray(0, 3);
    const value = Math.min(200 + 255 * amount, 255);
    expect([...bright]).toEqual([value, value / 2, value / 4].map(Math.round));
    const dull = (await make("saturate", 1, colour)).subarray(0, 3);
    expect([...dull]).toEqual([200, 200 - 100 * 0.3, 200 - 150 * 0.3]);
  });
});

describe("jpeg", () => {
  it("is a real file, smaller for a lower quality", async () => {
    const image = renderPetal({ seed: 7, index: 3, species: 3, size: 64 }).image as Image;
    const [fine, coarse] = [await encodeJpeg(image, 80), await encodeJpeg(image, 7)];
    expect(coarse.length).toBeLessThan(fine.length / 2);
    expect([...coarse.subarray(0, 2)]).toEqual([0xff, 0xd8]);
    const { width, height } = await decodeImage(coarse, "coarse");
    expect([width, height]).toEqual([64, 64]);
  });

  it("is refused inside a graph, and without a codec", async () => {
    const jpeg = new Corruption({ name: "jpeg", severity: 1, ...size });
    expect(() => jpeg.feeds(samples)).toThrow(DataError);
    await expect(Corrupter.create(await testDevice(), jpeg)).rejects.toThrow(/jpeg needs a codec/);
  });
});

it("unknown names, severities and sizes are told", async () => {
  expect(() => new Corruption({ name: "rain", severity: 1, ...size })).toThrow(/gaussianNoise, .* found "rain"/);
  expect(() => new Corruption({ name: "fog", severity: 6, ...size })).toThrow(/1, 2, 3, 4, 5, found 6/);
  const fog = new Corruption({ name: "fog", severity: 1, ...size });
  expect(() => fog.build(input("x", [BATCH, 8, 8, 3]))).toThrow(ShapeError);
  await expect(corrupt("fog", 1, images, samples.slice(1))).rejects.toThrow(ShapeError);
});
