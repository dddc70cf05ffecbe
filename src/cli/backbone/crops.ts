/** The cheapest augmentation: a window of each image at a random place, mirrored half the time, copied without resampling. */
import type { LabelledImages } from "../../data/datasets.ts";
import { input } from "../../engine/ops/sources.ts";
import { uniformAt } from "../../engine/random.ts";
import { BATCH } from "../../engine/types.ts";
import type { LabelledPixelSource } from "../../nn/pixelSource.ts";

/** Keeps these draws apart from others of the same seed. */
const CROP_OP = 0x0c20;

/**
 * Windows of `size` × `size` of larger square images. Each epoch draws anew: the draw is a function of the seed, the epoch and the
 * image.
 */
export function randomCrops(images: LabelledImages, size: number, seed: number): LabelledPixelSource {
  const { labels, height } = images;
  const room = height - size + 1;
  return {
    count: labels.length,
    labels,
    varies: true,
    build: (_, targets) => ({ pixels: windowInput(size), labels: targets }),
    inputs: (indices, { epoch }) => ({
      pixels: windowsOf(images, indices, size, (index) => {
        const draw = (lane: number): number => uniformAt({ seed, stream: epoch, sample: index, op: CROP_OP, lane });
        return { top: Math.floor(draw(0) * room), left: Math.floor(draw(1) * room), mirrored: draw(2) < 0.5 };
      }),
    }),
  };
}

/** The middle window of each image. */
export function centreCrops(images: LabelledImages, size: number): LabelledPixelSource {
  const { labels, height } = images;
  const start = Math.floor((height - size) / 2);
  return {
    count: labels.length,
    labels,
    build: (_, targets) => ({ pixels: windowInput(size), labels: targets }),
    inputs: (indices) => ({
      pixels: windowsOf(images, indices, size, () => ({ top: start, left: start, mirrored: false })),
    }),
  };
}

const windowInput = (size: number) => input("pixels", [BATCH, size, size, 3], "u8");

function windowsOf(
  images: LabelledImages,
  indices: ArrayLike<number>,
  size: number,
  windowOf: (index: number) => Window,
): Uint8Array<ArrayBuffer> {
  const pixels = new Uint8Array(indices.length * size * size * 3);
  for (let place = 0; place < indices.length; place++)
    copyWindow(images, indices[place], size, windowOf(indices[place]), pixels.subarray(place * size * size * 3));
  return pixels;
}

interface Window {
  readonly top: number;
  readonly left: number;
  readonly mirrored: boolean;
}

function copyWindow(
  { pixels, height, width }: LabelledImages,
  index: number,
  size: number,
  { top, left, mirrored }: Window,
  target: Uint8Array,
): void {
  for (let row = 0; row < size; row++) {
    const from = ((index * height + top + row) * width + left) * 3;
    const line = pixels.subarray(from, from + size * 3);
    if (!mirrored) {
      target.set(line, row * size * 3);
      continue;
    }
    for (let column = 0; column < size; column++)
      for (let channel = 0; channel < 3; channel++)
        target[(row * size + column) * 3 + channel] = line[(size - 1 - column) * 3 + channel];
  }
}
