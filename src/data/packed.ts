/** Pictures on their way to the GPU, which brings them to size: no more pixels than the resize reads, and bounded. */
import { weightBits } from "../engine/fixedPoint.ts";
import type { Image, ImageSize } from "./images.ts";
import {
  aspectTaps,
  bilinearTaps,
  type FilterTaps,
  fitImage,
  type ResizeMode,
  resizeAspect,
  resizeBilinear,
} from "./resize.ts";

/**
 * The largest picture that `aspect` sends whole, in pixels. 32 of them have 96 MiB, and a storage binding of WebGPU's default
 * limits 128. Larger ones are brought to size where they are decoded, with the same result: their decoding takes longer anyway,
 * and an upload that is many times the network's input would only slow the GPU.
 */
export const MAX_PACKED_PIXELS = 2 ** 20;

/** What pictures are brought to, and how large one may be that is sent whole. */
export interface PackTarget extends ImageSize {
  readonly resize: ResizeMode;
  /** Default `MAX_PACKED_PIXELS`. */
  readonly maxPixels?: number;
}

/** A picture of which the resize still has to be done. */
export interface PackedPicture extends Image {
  /** The size of the photograph; it differs where only the pixels that the resize reads are left. */
  readonly original: ImageSize;
}

/** The lines that `tf` sends: the two neighbours of each output line, one after the other; all where they are fewer. */
function sentLines(length: number, outputLength: number): Int32Array {
  if (length <= 2 * outputLength) return Int32Array.from({ length }, (_, line) => line);
  const { lower, upper } = bilinearTaps(length, outputLength);
  return Int32Array.from({ length: 2 * outputLength }, (_, place) => (place % 2 ? upper : lower)[place >> 1]);
}

function gather(image: Image, { height, width }: ImageSize): Image {
  const rows = sentLines(image.height, height);
  const columns = sentLines(image.width, width);
  const data = new Uint8Array(rows.length * columns.length * 3);
  let to = 0;
  for (const row of rows)
    for (const column of columns) {
      const from = (row * image.width + column) * 3;
      data[to++] = image.data[from];
      data[to++] = image.data[from + 1];
      data[to++] = image.data[from + 2];
    }
  return { height: rows.length, width: columns.length, data };
}

const sameSize = (a: ImageSize, b: ImageSize): boolean => a.height === b.height && a.width === b.width;

/** What of an image is sent: all of it, for `tf` at most four pixels for each of the output's, for `aspect` at most `maxPixels`. */
export function packPicture(image: Image, target: PackTarget): PackedPicture {
  const { height, width } = image;
  const original = { height, width };
  if (sameSize(image, target)) return { ...image, original };
  if (target.resize === "tf") return { ...gather(image, target), original };
  const { maxPixels = MAX_PACKED_PIXELS } = target;
  return { ...(height * width > maxPixels ? resizeAspect(image, target) : image), original };
}

/** Line `i` of the picture is line `i` of the output. */
const identityTaps = (length: number): FilterTaps => ({
  start: Int32Array.from({ length }, (_, line) => line),
  weights: new Int32Array(length).fill(2 ** weightBits),
  taps: 1,
});

/** TensorFlow's two neighbours in whole weights. */
function pairTaps(length: number, outputLength: number, sentLength: number): FilterTaps {
  const { lower, upper, fraction } = bilinearTaps(length, outputLength, sentLength);
  const weights = new Int32Array(2 * outputLength);
  for (let line = 0; line < outputLength; line++) {
    const second = upper[line] === lower[line] ? 0 : Math.round(fraction[line] * 2 ** weightBits);
    weights[2 * line] = 2 ** weightBits - second;
    weights[2 * line + 1] = second;
  }
  return { start: lower, weights, taps: 2 };
}

/** The lines of a packed picture that each row and column of the output is made of, as the op `resample` takes them. */
export function packedTaps(picture: PackedPicture, target: PackTarget): { rows: FilterTaps; columns: FilterTaps } {
  if (sameSize(picture, target)) return { rows: identityTaps(target.height), columns: identityTaps(target.width) };
  if (target.resize === "aspect") return aspectTaps(picture, target);
  const { original, height, width } = picture;
  return {
    rows: pairTaps(original.height, target.height, height),
    columns: pairTaps(original.width, target.width, width),
  };
}

/**
 * A packed picture brought to size on the CPU: what `fitImage` makes of the whole one.
 * @returns float32 [height, width, 3], values 0 to 255
 */
export function fitPacked(picture: PackedPicture, target: PackTarget): Float32Array {
  if (target.resize === "aspect" || sameSize(picture, target)) return fitImage(picture, target, target.resize);
  return resizeBilinear(picture, target.height, target.width, picture.original);
}
