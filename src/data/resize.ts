import { weightBits } from "../engine/fixedPoint.ts";
import { centreWindow, type Image, type ImageSize, type RgbPixels, toFloat } from "./images.ts";

/** `tf`: tf.image.resize, aspect not kept. `aspect`: ImageNet's evaluation, antialiased, aspect kept, centre crop. */
export type ResizeMode = "tf" | "aspect";

export const RESIZE_MODES: readonly ResizeMode[] = ["tf", "aspect"];

/** ImageNet's evaluation scales to 256 and crops 224: the same ratio serves every size. */
const CROP_RATIO = 256 / 224;

/** Weights are integers of so many fractional bits, so that sums of bytes are exact and fit an int32, here as in the shader. */
const WEIGHT_BITS = weightBits;

/**
 * For each output position: its two neighbours in the input and the weight of the second. Where fewer than `inputLength` lines are
 * at hand they are these neighbours, one after the other.
 */
export function bilinearTaps(inputLength: number, outputLength: number, atHand = inputLength) {
  const lower = new Int32Array(outputLength);
  const upper = new Int32Array(outputLength);
  const fraction = new Float32Array(outputLength);
  const scale = Math.fround(inputLength / outputLength);
  for (let i = 0; i < outputLength; i++) {
    // float32 at each step, because TensorFlow computes the coordinates so.
    const position = Math.fround(Math.fround(Math.fround(i + 0.5) * scale) - 0.5);
    const floor = Math.floor(position);
    lower[i] = atHand < inputLength ? 2 * i : Math.max(floor, 0);
    upper[i] = atHand < inputLength ? 2 * i + 1 : Math.min(Math.max(Math.ceil(position), 0), inputLength - 1);
    fraction[i] = position - floor;
  }
  return { lower, upper, fraction };
}

/**
 * `tf.image.resize(image, [height, width], "bilinear")`: half-pixel centres, no antialiasing, aspect not kept.
 * @param original the size of the image, where `image` has only the lines that its resize reads (`bilinearTaps`)
 * @returns float32 [height, width, 3] in the range of the input.
 */
export function resizeBilinear(
  image: RgbPixels,
  height: number,
  width: number,
  original: ImageSize = image,
): Float32Array {
  const rows = bilinearTaps(original.height, height, image.height);
  const columns = bilinearTaps(original.width, width, image.width);
  const { data } = image;
  const stride = image.width * 3;
  const output = new Float32Array(height * width * 3);
  let to = 0;
  for (let y = 0; y < height; y++) {
    const top = rows.lower[y] * stride;
    const bottom = rows.upper[y] * stride;
    for (let x = 0; x < width; x++) {
      const left = columns.lower[x] * 3;
      const right = columns.upper[x] * 3;
      for (let channel = 0; channel < 3; channel++) {
        const upperLeft = data[top + left + channel];
        const lowerLeft = data[bottom + left + channel];
        const above = upperLeft + (data[top + right + channel] - upperLeft) * columns.fraction[x];
        const below = lowerLeft + (data[bottom + right + channel] - lowerLeft) * columns.fraction[x];
        output[to++] = above + (below - above) * rows.fraction[y];
      }
    }
  }
  return output;
}

export interface FilterTaps {
  /** First input position of each output. */
  start: Int32Array;
  /** `taps` weights for each output, zero-padded. */
  weights: Int32Array;
  taps: number;
}

/**
 * The triangle filter of PIL's BILINEAR for outputs `offset` to `offset + count` of a line resized from `inputLength` to
 * `outputLength`: reduced lines widen the filter with the reduction, which is the antialiasing.
 */
function triangleTaps(inputLength: number, outputLength: number, offset: number, count: number): FilterTaps {
  const scale = inputLength / outputLength;
  const support = Math.max(scale, 1);
  const taps = Math.ceil(support) * 2 + 1;
  const start = new Int32Array(count);
  const weights = new Int32Array(count * taps);
  const line = new Float64Array(taps);
  for (let i = 0; i < count; i++) {
    const centre = (offset + i + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support + 0.5), 0);
    const end = Math.min(Math.trunc(centre + support + 0.5), inputLength);
    let sum = 0;
    for (let tap = 0; tap < end - first; tap++) {
      line[tap] = Math.max(1 - Math.abs((first + tap - centre + 0.5) / support), 0);
      sum += line[tap];
    }
    start[i] = first;
    for (let tap = 0; tap < end - first; tap++) {
      weights[i * taps + tap] = Math.round((line[tap] / sum) * 2 ** WEIGHT_BITS);
    }
  }
  return { start, weights, taps };
}

/** Filters rows `firstRow` to `firstRow + rowCount` along x and rounds to bytes. */
function filterRows(image: Image, filter: FilterTaps, firstRow: number, rowCount: number): Image {
  const width = filter.start.length;
  const data = new Uint8ClampedArray(rowCount * width * 3);
  for (let y = 0; y < rowCount; y++) {
    for (let x = 0; x < width; x++) {
      const from = ((firstRow + y) * image.width + filter.start[x]) * 3;
      filterPixel(image.data, from, 3, filter, x, data, (y * width + x) * 3);
    }
  }
  return { width, height: rowCount, data: new Uint8Array(data.buffer) };
}

/** Filters along y; `firstRow` is the row of the original that the image's row 0 holds. */
function filterColumns(image: Image, filter: FilterTaps, firstRow: number): Image {
  const height = filter.start.length;
  const stride = image.width * 3;
  const data = new Uint8ClampedArray(height * stride);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < image.width; x++) {
      const from = (filter.start[y] - firstRow) * stride + x * 3;
      filterPixel(image.data, from, stride, filter, y, data, y * stride + x * 3);
    }
  }
  return { width: image.width, height, data: new Uint8Array(data.buffer) };
}

/** The three channels of one output: a weighted sum of pixels `step` bytes apart, rounded half up. */
function filterPixel(
  data: Uint8Array,
  from: number,
  step: number,
  { weights, taps }: FilterTaps,
  output: number,
  target: Uint8ClampedArray,
  to: number,
): void {
  let red = 1 << (WEIGHT_BITS - 1);
  let green = red;
  let blue = red;
  for (let tap = 0; tap < taps; tap++) {
    const weight = weights[output * taps + tap];
    if (weight === 0) continue;
    const position = from + tap * step;
    red += weight * data[position];
    green += weight * data[position + 1];
    blue += weight * data[position + 2];
  }
  target[to] = red >> WEIGHT_BITS;
  target[to + 1] = green >> WEIGHT_BITS;
  target[to + 2] = blue >> WEIGHT_BITS;
}

/** Rounds halves to even, as Python's `round` does in the scripts that define the convention. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The whole pixels that an image is scaled to, and the window of them that is kept; see {@link resizeAspect}. */
export function aspectGeometry(image: ImageSize, target: ImageSize) {
  const scale = Math.max(
    roundHalfEven(target.height * CROP_RATIO) / image.height,
    roundHalfEven(target.width * CROP_RATIO) / image.width,
  );
  const scaled = {
    height: Math.max(roundHalfEven(image.height * scale), target.height),
    width: Math.max(roundHalfEven(image.width * scale), target.width),
  };
  return { scaled, window: centreWindow(scaled, target) };
}

/** The rows and columns of an image that the centre crop of its scaled form is made of; see {@link resizeAspect}. */
export function aspectTaps(image: ImageSize, target: ImageSize): { rows: FilterTaps; columns: FilterTaps } {
  const { scaled, window } = aspectGeometry(image, target);
  return {
    rows: triangleTaps(image.height, scaled.height, window.top, window.height),
    columns: triangleTaps(image.width, scaled.width, window.left, window.width),
  };
}

/**
 * ImageNet's evaluation convention for any size: the image is scaled with its aspect kept until it covers 256/224 of the
 * target (its shorter side, for a square one), antialiased as PIL's `resize(..., BILINEAR)` with a byte after each pass,
 * and the centre is cropped. Only what the crop needs is computed, so a very long image costs no more than a short one.
 */
export function resizeAspect(image: Image, size: number | ImageSize): Image {
  const target = typeof size === "number" ? { height: size, width: size } : size;
  const { rows, columns } = aspectTaps(image, target);
  const firstRow = rows.start[0];
  const lastRow = Math.min(rows.start[target.height - 1] + rows.taps, image.height);
  return filterColumns(filterRows(image, columns, firstRow, lastRow - firstRow), rows, firstRow);
}

/**
 * An image brought to a network's input size.
 * @returns float32 [height, width, 3], values 0 to 255. An image that has the size already is used pixel for pixel.
 */
export function fitImage(image: Image, size: ImageSize, mode: ResizeMode): Float32Array {
  if (image.height === size.height && image.width === size.width) return toFloat(image);
  if (mode === "tf") return resizeBilinear(image, size.height, size.width);
  return toFloat(resizeAspect(image, size));
}
