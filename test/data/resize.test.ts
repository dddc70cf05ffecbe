import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readImage } from "../../src/data/decode.node.ts";
import { centreWindow, crop, toFloat, toImage } from "../../src/data/images.ts";
import { fitImage, resizeAspect, resizeBilinear } from "../../src/data/resize.ts";
import { hasShared, shared } from "../shared.ts";
import { gradientImage, readTensor } from "./fixtures.ts";

const worst = (got: ArrayLike<number>, want: ArrayLike<number>): number => {
  expect(got.length).toBe(want.length);
  let largest = 0;
  for (let i = 0; i < got.length; i++) {
    const distance = Math.abs(got[i] - want[i]);
    if (!(distance <= largest)) largest = distance;
  }
  return largest;
};

describe("resizeBilinear", () => {
  it("has half-pixel centres: a ramp of two doubled", () => {
    const ramp = { width: 2, height: 1, data: Uint8Array.of(0, 0, 0, 100, 100, 100) };
    const red = resizeBilinear(ramp, 1, 4).filter((_, index) => index % 3 === 0);
    expect([...red]).toEqual([0, 25, 75, 100]);
  });

  it("does not antialias: a third of the size takes every third pixel", () => {
    const image = gradientImage(9, 6);
    const small = resizeBilinear(image, 2, 3);
    for (let y = 0; y < 2; y++) {
      for (let x = 0; x < 3; x++) {
        const from = ((3 * y + 1) * 9 + 3 * x + 1) * 3;
        expect([...small.slice((y * 3 + x) * 3, (y * 3 + x) * 3 + 3)]).toEqual([...image.data.slice(from, from + 3)]);
      }
    }
  });

  describe.skipIf(!hasShared)("against TensorFlow", () => {
    it.each([
      [224, 224],
      [96, 160],
    ])("%i x %i", (height, width) => {
      const file = shared("reference/augment.safetensors");
      const floats = (name: string) => new Float32Array(readTensor(file, name).bytes.buffer);
      const [inputHeight, inputWidth] = readTensor(file, "resize/input").shape;
      const input = { height: inputHeight, width: inputWidth, data: floats("resize/input") };
      expect(worst(resizeBilinear(input, height, width), floats(`resize/bilinear_${height}x${width}`))).toBeLessThan(
        1e-3,
      );
    });
  });
});

describe("resizeAspect", () => {
  it("keeps a uniform colour whatever the shape", () => {
    for (const [width, height] of [
      [1, 1],
      [3, 500],
      [700, 9],
      [640, 480],
    ]) {
      const image = { width, height, data: new Uint8Array(width * height * 3).fill(137) };
      expect(new Set(resizeAspect(image, 32).data)).toEqual(new Set([137]));
    }
  });

  it("antialiases: stripes of one pixel become grey", () => {
    const data = Uint8Array.from({ length: 512 * 512 * 3 }, (_, i) => (Math.floor(i / 3) % 2) * 255);
    const small = resizeAspect({ width: 512, height: 512, data }, 32).data;
    expect(Math.min(...small)).toBeGreaterThan(110);
    expect(Math.max(...small)).toBeLessThan(145);
  });

  it("computes only the crop of a very long image", () => {
    const image = gradientImage(2, 60_000);
    const start = performance.now();
    expect(resizeAspect(image, 224).data.length).toBe(224 * 224 * 3);
    expect(performance.now() - start).toBeLessThan(1000);
  });

  it("serves targets that are not square", () => {
    const result = resizeAspect(gradientImage(300, 100), { height: 64, width: 96 });
    expect([result.height, result.width, result.data.length]).toEqual([64, 96, 64 * 96 * 3]);
  });

  describe.skipIf(!hasShared)("against PIL", () => {
    const { files } = hasShared
      ? JSON.parse(readFileSync(shared("reference/mobilenetv2.json"), "utf8"))
      : { files: [] };
    it.each(Object.entries<string>(files))("reference photograph %s (%s)", async (index, file) => {
      const { bytes } = readTensor(shared("reference/mobilenetv2.safetensors"), "pixels_u8");
      const want = bytes.subarray(Number(index) * 224 * 224 * 3, (Number(index) + 1) * 224 * 224 * 3);
      const got = resizeAspect(await readImage(shared(`data/imagenet_samples/${file}`)), 224).data;
      expect(got.length).toBe(want.length);
      const differing = got.reduce((count, value, i) => count + (value !== want[i] ? 1 : 0), 0);
      console.info(`${file}: ${differing} bytes differ, at most by ${worst(got, want)}`);
      expect(differing / got.length).toBeLessThan(0.001);
    });
  });
});

describe("fitImage", () => {
  it.each(["tf", "aspect"] as const)("uses an image of the right size pixel for pixel (%s)", (mode) => {
    const image = gradientImage(40, 30);
    expect(fitImage(image, { height: 30, width: 40 }, mode)).toEqual(Float32Array.from(image.data));
  });

  it("gives the asked shape in 0 to 255", () => {
    for (const mode of ["tf", "aspect"] as const) {
      const pixels = fitImage(gradientImage(50, 77), { height: 32, width: 48 }, mode);
      expect(pixels.length).toBe(32 * 48 * 3);
      expect(pixels.every((value) => value >= 0 && value <= 255)).toBe(true);
    }
  });
});

describe("images", () => {
  it("crops the window asked for and refuses one outside", () => {
    const image = gradientImage(7, 5);
    const part = crop(image, centreWindow(image, { height: 2, width: 3 }));
    expect([...part.data.slice(0, 3)]).toEqual([...image.data.slice((1 * 7 + 2) * 3, (1 * 7 + 2) * 3 + 3)]);
    expect(() => crop(image, { top: 4, left: 0, height: 2, width: 2 })).toThrow(RangeError);
  });

  it("goes to floats and back", () => {
    const image = gradientImage(6, 4);
    expect(toImage(toFloat(image), image)).toEqual(image);
    expect([...toImage(Float32Array.of(-3, 255.4, 12.6), { height: 1, width: 1 }).data]).toEqual([0, 255, 13]);
  });
});
