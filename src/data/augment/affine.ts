import { determinant, invert as inverse, multiply } from "gl-matrix/esm/mat3.js";
import { DataError } from "../../engine/errors.ts";
import type { ImageSize } from "../images.ts";

/**
 * A projective map of pixel positions, row-major 3 × 3, in float64. It maps output pixels to input positions, the direction in
 * which images are resampled: a chain "first A, then B" of operations on the image is `compose(A, B)`.
 */
export type Matrix = readonly [number, number, number, number, number, number, number, number, number];

export const identity: Matrix = [1, 0, 0, 0, 1, 0, 0, 0, 1];

/**
 * The matrix product of all, from the left; the operation that an image meets first comes first. gl-matrix keeps matrices by
 * columns: what it takes for the transposes, in the other order, is the product by rows. Plain arrays keep it in float64.
 */
export const compose = (...matrices: readonly Matrix[]): Matrix =>
  matrices.reduce((left, right) => multiply(new Array(9), right, left) as unknown as Matrix, identity);

/** The inverse. Throws a DataError for a matrix that flattens the image, such as a zoom of 0. */
export function invert(m: Matrix): Matrix {
  const area = determinant(m);
  if (!(Math.abs(area) > 1e-12 && Number.isFinite(area)))
    throw new DataError(`expected a matrix that can be inverted, found a determinant of ${area}; choose another zoom`);
  return inverse(new Array(9), m) as unknown as Matrix;
}

/** Where a position (x, y) is mapped to. */
export function transform(m: Matrix, x: number, y: number): [number, number] {
  const divisor = m[6] * x + m[7] * y + m[8];
  return [(m[0] * x + m[1] * y + m[2]) / divisor, (m[3] * x + m[4] * y + m[5]) / divisor];
}

/** The eight numbers of the `affineWarp` op: the last entry scaled to 1. */
export const warpRow = (m: Matrix): number[] => m.slice(0, 8).map((value) => value / m[8]);

/** Mirrors an image left to right, upside down, or both. */
export const flipMatrix = ({ height, width }: ImageSize, horizontal: boolean, vertical: boolean): Matrix => [
  horizontal ? -1 : 1,
  0,
  horizontal ? width - 1 : 0,
  0,
  vertical ? -1 : 1,
  vertical ? height - 1 : 0,
  0,
  0,
  1,
];

/** A linear map about the centre ((W − 1)/2, (H − 1)/2). */
function aboutCentre({ height, width }: ImageSize, a: number, b: number, c: number, d: number): Matrix {
  const [x, y] = [(width - 1) / 2, (height - 1) / 2];
  return [a, b, x - a * x - b * y, c, d, y - c * x - d * y, 0, 0, 1];
}

/** Turns the image counterclockwise by `angle` radians, as Keras' RandomRotation does. */
export const rotationMatrix = (size: ImageSize, angle: number): Matrix =>
  aboutCentre(size, Math.cos(angle), -Math.sin(angle), Math.sin(angle), Math.cos(angle));

/** Factors above 1 zoom out, as Keras' RandomZoom does. */
export const zoomMatrix = (size: ImageSize, height: number, width: number): Matrix =>
  aboutCentre(size, width, 0, 0, height);

/** Moves the image right and down by these many pixels. */
export const translationMatrix = (right: number, down: number): Matrix => [1, 0, -right, 0, 1, -down, 0, 0, 1];

/** Slants: rows move right by `x` pixels per row below the centre, columns down by `y` per column right of it. */
export const shearMatrix = (size: ImageSize, x: number, y: number): Matrix => aboutCentre(size, 1, -x, -y, 1);

/** The window (top, left, height, width), possibly between pixels, resampled to `to` with half-pixel centres. */
export function windowMatrix(window: { top: number; left: number } & ImageSize, to: ImageSize): Matrix {
  const [across, down] = [window.width / to.width, window.height / to.height];
  return [across, 0, window.left + across / 2 - 0.5, 0, down, window.top + down / 2 - 0.5, 0, 0, 1];
}
