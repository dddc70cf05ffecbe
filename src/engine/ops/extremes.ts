import code from "../../shaders/argMax.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { flatGrid } from "../kernel.ts";
import { type Attributes, defineOp, type OpCase, type Reference, type Shader } from "../op.ts";
import { type DType, formatType, hasBatch, sizeOf, spansOf, type TensorType } from "../types.ts";
import { gather, gatherReference, scatter, withoutRun } from "./gather.ts";
import { lanesFor } from "./lanes.ts";

const shader: Shader = { name: "argMax", code };

const inferAs =
  (dtype: DType) =>
  ([x]: readonly TensorType[], { axes }: Attributes): TensorType[] => {
    if (x.dtype !== "f32") throw new ShapeError(`expected f32, found ${formatType(x)}; cast it first`);
    const shape = withoutRun(x.shape, axes);
    if (axes.some((axis: number) => x.shape[axis] === 0))
      throw new ShapeError(`no maximum of nothing: axes [${axes}] of ${formatType(x)} are empty`);
    return [{ dtype, shape }];
  };

const coupled = ({ inputs: [x], attributes }: { inputs: readonly TensorType[]; attributes: Attributes }): boolean =>
  hasBatch(x.shape) && attributes.axes.includes(0);

/** The position of the first maximum along neighbouring axes, as i32; a NaN counts as the greatest. */
export const argMaxOp = defineOp("argMax", {
  arity: 1,
  infer: inferAs("i32"),
  gradient: () => [null],
  kernel: ({ inputs: [x], attributes: { axes } }) => {
    const { outer, reduced, inner } = spansOf(x.shape, axes);
    const lanes = lanesFor(reduced);
    return {
      shader,
      entryPoint: "argMax",
      overrides: { LANES: lanes },
      uniforms: [outer, reduced, inner],
      grid: flatGrid(outer * inner * lanes),
      flops: sizeOf(x.shape),
      bytes: 4 * (sizeOf(x.shape) + outer * inner),
    };
  },
  traits: { couplesBatch: coupled },
});
export const argMaxReference: Reference = ([x], { attributes: { axes } }) => {
  const { outer, reduced, inner } = spansOf(x.shape, axes);
  const result = new Float64Array(outer * inner);
  result.forEach((_, line) => {
    const base = Math.floor(line / inner) * reduced * inner + (line % inner);
    let best = 0;
    for (let r = 1; r < reduced; r++) {
      const [value, top] = [x.data[base + r * inner], x.data[base + best * inner]];
      if (value > top || (Number.isNaN(value) && !Number.isNaN(top))) best = r;
    }
    result[line] = best;
  });
  return [result];
};

/** The maximum along neighbouring axes; its gradient goes to the first maximum. */
export const maxReduceOp = defineOp("maxReduce", {
  arity: 1,
  infer: inferAs("f32"),
  gradient: ({ inputs: [x], attributes: { axes }, upstream: [dy] }) => [
    scatter(dy as Tensor, argMax(x, axes), x.shape, axes),
  ],
  lower: ([x], { axes }) => [gather(x, argMax(x, axes), axes)],
  traits: { couplesBatch: coupled },
});
export const maxReduceReference: Reference = ([x], context) => {
  const data = argMaxReference([x], context)[0];
  return gatherReference([x, { shape: [data.length], dtype: "i32", data }], context);
};

const lines = [
  { shape: [7, 5], axes: [1] },
  { shape: [3, 7, 5, 20], axes: [1, 2] },
  { shape: [2, 1031], axes: [1] },
  { shape: [300, 6], axes: [0] },
  { shape: [4, 200, 3], axes: [0, 1] },
];

/** A wide scale keeps ties out of reach of the step of central differences. */
export const maxReduceCases = (): OpCase[] =>
  lines.map(({ shape, axes }) => ({
    inputs: [{ shape, scale: 100 }],
    attributes: { axes },
    distinct: true,
  }));
export const argMaxCases = (): OpCase[] => [
  ...[...lines, { shape: [300], axes: [0] }].map(({ shape, axes }) => ({
    inputs: [{ shape }],
    attributes: { axes },
    differentiate: [],
  })),
  // Nothing but ties, nothing but NaN, and rows of infinities: the first position.
  ...[{ scale: 0 }, { offset: Number.NaN }, { offset: Number.NEGATIVE_INFINITY }, { scale: 1e38, offset: 3e38 }].map(
    (values) => ({
      inputs: [{ shape: [5, 90], ...values }],
      attributes: { axes: [1] },
      differentiate: [],
    }),
  ),
];

/** Position (i32) of the first maximum of x along neighbouring `axes`, in row-major order; NaN counts as the greatest. */
export const argMax = (x: Tensor, axes: readonly number[]): Tensor => apply(argMaxOp, [x], { axes });

/** Maximum of x along neighbouring `axes`; NaN where one is among them. Throws a ShapeError for axes that are no such run. */
export const maxReduce = (x: Tensor, axes: readonly number[], label?: string): Tensor =>
  apply(maxReduceOp, [x], { axes }, label);
