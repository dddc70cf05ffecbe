import { ShapeError } from "./errors.ts";

/** Element types. `u8` is packed four to a 32-bit word on the GPU. */
export type DType = "f32" | "i32" | "u8";

/** The batch dimension: its size is chosen at each run, up to the maximum given when the plan is compiled. */
export const BATCH = -1;

/** Sizes, outermost first. Only the first may be {@link BATCH}. */
export type Shape = readonly number[];

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

export type TypedArray = Float32Array | Int32Array | Uint8Array;

export const f32 = (...shape: number[]): TensorType => ({ dtype: "f32", shape });

export const hasBatch = (shape: Shape): boolean => shape[0] === BATCH;

/** The shape with its batch dimension replaced by a number. */
export const atBatch = (shape: Shape, batch: number): Shape => (hasBatch(shape) ? [batch, ...shape.slice(1)] : shape);

export const typeAtBatch = (type: TensorType, batch: number): TensorType =>
  hasBatch(type.shape) ? { dtype: type.dtype, shape: atBatch(type.shape, batch) } : type;

/** Number of elements; the shape must be concrete. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const dimension of shape) {
    if (dimension < 0) throw new ShapeError(`a concrete shape was expected, found ${formatShape(shape)}`);
    size *= dimension;
  }
  return size;
}

/** Sizes before, along and after a run of neighbouring axes; the shape must be concrete. */
export const spansOf = (shape: Shape, axes: readonly number[]) => ({
  outer: sizeOf(shape.slice(0, axes[0])),
  reduced: sizeOf(shape.slice(axes[0], axes[axes.length - 1] + 1)),
  inner: sizeOf(shape.slice(axes[axes.length - 1] + 1)),
});

/** Bytes of a concrete tensor in GPU memory: whole 32-bit words, at least one. */
export function byteSizeOf(type: TensorType): number {
  const size = sizeOf(type.shape);
  return Math.max(4, type.dtype === "u8" ? Math.ceil(size / 4) * 4 : size * 4);
}

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((dimension, index) => dimension === b[index]);

export const formatShape = (shape: Shape): string =>
  `[${shape.map((dimension) => (dimension === BATCH ? "N" : dimension)).join(", ")}]`;

export const formatType = (type: TensorType): string => `${type.dtype}${formatShape(type.shape)}`;

export function typedArray(dtype: DType, length: number): TypedArray {
  switch (dtype) {
    case "f32":
      return new Float32Array(length);
    case "i32":
      return new Int32Array(length);
    case "u8":
      return new Uint8Array(length);
    default:
      return dtype satisfies never;
  }
}

export const dtypeOf = (data: TypedArray): DType =>
  data instanceof Float32Array ? "f32" : data instanceof Int32Array ? "i32" : "u8";
