/** The cheapest augmentation: a window of each image at a random place, mirrored half the time, copied without resampling. */
import type { LabelledImages } from "../../data/datasets.ts";
import { uniformAt } from "../../engine/random.ts";
import type { LabelledPixelSource } from "../../nn/features.ts";

/** Keeps these draws apart from others of the same seed. */
const CROP_OP = 0x0c20;

/**
 * Windows of `size` × `size` of larger square images. Each call of `batch` draws anew: the draw is a function of the seed, the
 * number of the call and the place in the batch.
 */
export function randomCrops(images: LabelledImages, size: number, seed: number): LabelledPixelSource {
  const { labels, height } = images;
  const room = height - size + 1;
  let call = 0;
  return {
    count: labels.length,
    labels,
    dtype: "u8",
    batch(indices) {
      const pixels = new Uint8Array(indices.length * size * size * 3);
      const stream = call++;
      for (let place = 0; place < indices.length; place++) {
        const draw = (lane: number): number => uniformAt({ seed, stream, sample: place, op: CROP_OP, lane });
        const [top, left] = [Math.floor(draw(0) * room), Math.floor(draw(1) * room)];
        const target = pixels.subarray(place * size * size * 3);
        copyWindow(images, indices[place], { top, left, size, mirrored: draw(2) < 0.5 }, target);
      }
      return pixels;
    },
  };
}

/** The middle window of each image. */
export function centreCrops(images: LabelledImages, size: number): LabelledPixelSource {
  const { labels, height } = images;
  const start = Math.floor((height - size) / 2);
  return {
    count: labels.length,
    labels,
    dtype: "u8",
    batch(indices) {
      const pixels = new Uint8Array(indices.length * size * size * 3);
      for (let place = 0; place < indices.length; place++)
        copyWindow(
          images,
          indices[place],
          { top: start, left: start, size, mirrored: false },
          pixels.subarray(place * size * size * 3),
        );
      return pixels;
    },
  };
}

interface Window {
  readonly top: number;
  readonly left: number;
  readonly size: number;
  readonly mirrored: boolean;
}

function copyWindow(
  { pixels, height, width }: LabelledImages,
  index: number,
  { top, left, size, mirrored }: Window,
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
