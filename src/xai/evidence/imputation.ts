import { ShapeError } from "../../engine/errors.ts";
import { normal } from "../../engine/random.ts";

/** Offsets (rows, columns) of a pixel's neighbours and their weights: direct 1/6, diagonal 1/12 (Rong et al. 2022). */
const neighbours: readonly (readonly [number, number, number])[] = [
  [-1, 0, 1 / 6],
  [1, 0, 1 / 6],
  [0, -1, 1 / 6],
  [0, 1, 1 / 6],
  [-1, -1, 1 / 12],
  [-1, 1, 1 / 12],
  [1, -1, 1 / 12],
  [1, 1, 1 / 12],
];

/** The residual, relative to the right side, at which the solution is taken: far under one step of a byte. */
const tolerance = 1e-7;

export interface ImputationOptions {
  /** Standard deviation of the noise, in units of a pixel of 0 to 255; default 2.55 (1 % of the range). */
  readonly noise?: number;
  readonly seed?: number;
}

/** The unknowns of the linear system: which pixels, their neighbours among the unknown, and the weights. */
interface System {
  /** Pixel of each unknown. */
  readonly pixels: Uint32Array;
  /** Sum of the weights of the neighbours that exist. */
  readonly diagonal: Float64Array;
  /** Eight a unknown: the number of the neighbouring unknown, or −1. */
  readonly links: Int32Array;
}

/**
 * Noisy linear imputation (Rong et al. 2022, "A consistent and efficient evaluation strategy for attribution methods"): every
 * removed pixel becomes the weighted mean of its neighbours, removed ones included, plus noise, so that the shape of the
 * removed part cannot be read from the picture. The equations of all removed pixels are symmetric and positive definite and
 * are solved together by conjugate gradients in float64: the same input gives the same bits.
 * @param image [H, W, 3] of 0 to 255
 * @param removed [H, W]: anything but 0 is removed
 * @returns a new image; with nothing left to impute from, the image's mean in each channel
 * @throws ShapeError when sizes do not fit
 */
export function imputeLinearly(
  image: Float32Array,
  removed: ArrayLike<number>,
  [height, width]: readonly [number, number],
  { noise = 2.55, seed = 0 }: ImputationOptions = {},
): Float32Array {
  if (image.length !== height * width * 3 || removed.length !== height * width)
    throw new ShapeError(
      `expected an image and a mask of ${height} × ${width} pixels, found ${image.length} and ${removed.length} values`,
    );
  const system = buildSystem(removed, height, width);
  const result = Float32Array.from(image);
  const count = system.pixels.length;
  if (count === 0) return result;
  const means = [0, 1, 2].map((channel) => channelMean(image, channel));
  for (let channel = 0; channel < 3; channel++) {
    const solution =
      count === height * width
        ? new Float64Array(count).fill(means[channel])
        : solve(system, rightSide(system, image, removed, height, width, channel), means[channel]);
    for (let unknown = 0; unknown < count; unknown++) {
      const at = 3 * system.pixels[unknown] + channel;
      result[at] = solution[unknown] + noise * normal(seed, 0, at);
    }
  }
  return result;
}

function buildSystem(removed: ArrayLike<number>, height: number, width: number): System {
  const numbers = new Int32Array(height * width).fill(-1);
  const pixels: number[] = [];
  for (let pixel = 0; pixel < numbers.length; pixel++) if (removed[pixel]) numbers[pixel] = pixels.push(pixel) - 1;
  const diagonal = new Float64Array(pixels.length);
  const links = new Int32Array(8 * pixels.length).fill(-1);
  pixels.forEach((pixel, unknown) => {
    neighbours.forEach(([down, right, weight], side) => {
      const other = neighbourOf(pixel, down, right, height, width);
      if (other < 0) return;
      diagonal[unknown] += weight;
      links[8 * unknown + side] = numbers[other];
    });
  });
  return { pixels: Uint32Array.from(pixels), diagonal, links };
}

function neighbourOf(pixel: number, down: number, right: number, height: number, width: number): number {
  const row = Math.floor(pixel / width) + down;
  const column = (pixel % width) + right;
  return row >= 0 && column >= 0 && row < height && column < width ? row * width + column : -1;
}

/** What the kept neighbours bring to each unknown. */
function rightSide(
  { pixels }: System,
  image: Float32Array,
  removed: ArrayLike<number>,
  height: number,
  width: number,
  channel: number,
): Float64Array {
  return Float64Array.from(pixels, (pixel) => {
    let total = 0;
    for (const [down, right, weight] of neighbours) {
      const other = neighbourOf(pixel, down, right, height, width);
      if (other >= 0 && !removed[other]) total += weight * image[3 * other + channel];
    }
    return total;
  });
}

/** Conjugate gradients (Hestenes and Stiefel 1952) with the diagonal as preconditioner, from a constant start. */
function solve(system: System, right: Float64Array, start: number): Float64Array {
  const { diagonal } = system;
  const x = new Float64Array(right.length).fill(start);
  const product = new Float64Array(right.length);
  multiplySystem(system, x, product);
  const residual = right.map((value, index) => value - product[index]);
  const direction = residual.map((value, index) => value / diagonal[index]);
  let energy = dot(residual, direction);
  const target = tolerance ** 2 * Math.max(dot(right, right), Number.MIN_VALUE);
  for (let iteration = 0; iteration < 4 * right.length + 100 && dot(residual, residual) > target; iteration++) {
    multiplySystem(system, direction, product);
    const step = energy / dot(direction, product);
    let next = 0;
    for (let index = 0; index < x.length; index++) {
      x[index] += step * direction[index];
      residual[index] -= step * product[index];
      next += residual[index] ** 2 / diagonal[index];
    }
    const share = next / energy;
    energy = next;
    for (let index = 0; index < x.length; index++)
      direction[index] = residual[index] / diagonal[index] + share * direction[index];
  }
  return x;
}

function multiplySystem({ diagonal, links }: System, x: Float64Array, out: Float64Array): void {
  for (let unknown = 0; unknown < x.length; unknown++) {
    let value = diagonal[unknown] * x[unknown];
    for (let side = 0; side < 8; side++) {
      const other = links[8 * unknown + side];
      if (other >= 0) value -= neighbours[side][2] * x[other];
    }
    out[unknown] = value;
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let total = 0;
  for (let index = 0; index < a.length; index++) total += a[index] * b[index];
  return total;
}

function channelMean(image: Float32Array, channel: number): number {
  let total = 0;
  for (let at = channel; at < image.length; at += 3) total += image[at];
  return total / (image.length / 3);
}
