import code from "../../shaders/cast.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { flatGrid } from "../kernel.ts";
import { defineOp, type OpCase, type Reference, type Shader } from "../op.ts";
import { byteSizeOf, type DType, formatType, sizeOf } from "../types.ts";
import { flatRung } from "./lanes.ts";
import { scale } from "./unary.ts";

const shader: Shader = { name: "cast", code };

const entryPoints: Readonly<Record<string, string>> = {
  "u8 f32": "u8ToF32",
  "i32 f32": "i32ToF32",
  "f32 i32": "f32ToI32",
};

/** The same numbers as another type; from f32 to i32 without the fraction. Integers carry no gradient. */
export const castOp = defineOp("cast", {
  arity: 1,
  infer: ([x], { dtype }) => {
    if (!entryPoints[`${x.dtype} ${dtype}`])
      throw new ShapeError(`expected u8 or i32 to f32, or f32 to i32, found ${formatType(x)} to ${dtype}`);
    return [{ dtype, shape: x.shape }];
  },
  gradient: () => [null],
  kernel: ({ inputs: [x], outputs: [y], adapter }) => {
    const count = sizeOf(y.shape);
    const entryPoint = entryPoints[`${x.dtype} ${y.dtype}`];
    const { items, ...rung } = flatRung(entryPoint, y.shape, adapter);
    // One element per invocation takes whole words of u8.
    const byWords = x.dtype === "u8" && rung.entryPoint === entryPoint ? { grid: flatGrid(Math.ceil(count / 4)) } : {};
    return {
      shader,
      ...rung,
      ...byWords,
      uniforms: [items],
      flops: count,
      bytes: byteSizeOf(x) + byteSizeOf(y),
    };
  },
});

export const castReference: Reference = ([x], { attributes: { dtype } }) => {
  if (dtype !== "i32") return [x.data.map(Math.fround)];
  // 2147483520 is the largest float32 below 2³¹.
  const whole = (value: number): number =>
    Number.isNaN(value) ? -(2 ** 31) : Math.trunc(Math.min(Math.max(value, -(2 ** 31)), 2147483520));
  return [x.data.map(whole)];
};

export const castCases = (): OpCase[] => [
  ...[1, 2, 3, 4, 257, 1030].map((size) => ({
    inputs: [{ shape: [size], dtype: "u8" as const, below: 256 }],
    attributes: { dtype: "f32" },
  })),
  { inputs: [{ shape: [3, 5, 4], dtype: "u8", below: 256 }], attributes: { dtype: "f32" } },
  ...[
    [3, 5, 7],
    [3, 5, 8],
  ].map((shape) => ({ inputs: [{ shape, dtype: "i32" as const, below: 2 ** 31 }], attributes: { dtype: "f32" } })),
  ...[
    { shape: [257], scale: 100 },
    { shape: [65], scale: 3e9 },
    { shape: [3], offset: Number.NaN },
    { shape: [65, 4], scale: 3e9 },
    { shape: [3, 4], offset: Number.NaN },
  ].map((x) => ({ inputs: [x], attributes: { dtype: "i32" }, differentiate: [] })),
];

/** x as `dtype`: u8 or i32 to f32, or f32 to i32 (truncated, clamped, NaN to −2³¹). Throws a ShapeError for other pairs. */
export const cast = (x: Tensor, dtype: DType, label?: string): Tensor =>
  x.dtype === dtype ? x : apply(castOp, [x], { dtype }, label);

/** x · factor + offset as f32, with x u8 (pixels 0 to 255), i32 or f32: the preprocessing of a network. */
export const normalise = (x: Tensor, factor: number, offset: number, label?: string): Tensor =>
  scale(cast(x, "f32"), factor, offset, label);
