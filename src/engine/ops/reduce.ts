import code from "../../shaders/reduce.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { flatGrid, float } from "../kernel.ts";
import { type Attributes, defineOp, type OpCase, type Reference, type Shader } from "../op.ts";
import { formatType, hasBatch, type Shape, sizeOf, spansOf, type TensorType } from "../types.ts";
import { columnGrid, inVectors, splitsFor, sumGrid } from "./lanes.ts";
import { reshape } from "./reshape.ts";

const shader: Shader = { name: "reduce", code };

const withoutAxes = (shape: Shape, axes: readonly number[], keepDims: boolean): Shape =>
  keepDims
    ? shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
    : shape.filter((_, axis) => !axes.includes(axis));

const reducesBatch = ({
  inputs: [x],
  attributes,
}: {
  inputs: readonly TensorType[];
  attributes: Attributes;
}): boolean => hasBatch(x.shape) && attributes.axes.includes(0);

/**
 * One stage of a sum over neighbouring axes in a fixed order: partial sum s adds the elements s, s + splits, s + 2·splits, …
 * With splits = 1 this is the whole sum. `mean` divides by the number of elements summed over.
 * It only comes from lowering `sum`, after differentiation, so it has no gradient rule.
 */
export const partialSumOp = defineOp("partialSum", {
  arity: 1,
  infer: ([x], { axes, splits }) => {
    const shape = [...x.shape.slice(0, axes[0]), splits, ...x.shape.slice(axes[axes.length - 1] + 1)];
    return [{ dtype: "f32", shape }];
  },
  kernel: ({ inputs: [x], outputs: [y], attributes: { axes, splits, mean }, adapter }) => {
    const { outer, reduced, inner } = spansOf(x.shape, axes);
    const count = sizeOf(y.shape);
    const rung =
      inner % 4 === 0
        ? { entryPoint: "partialSumVectors", ...sumGrid(count / 4, adapter) }
        : { entryPoint: "partialSum", grid: flatGrid(count) };
    return {
      shader,
      ...rung,
      uniforms: [outer, reduced, inner, splits, float(mean ? 1 / reduced : 1)],
      flops: sizeOf(x.shape),
      bytes: 4 * (sizeOf(x.shape) + count),
    };
  },
  traits: { couplesBatch: reducesBatch },
});

export const partialSumReference: Reference = ([x], { attributes: { axes, splits, mean } }) => {
  const { outer, reduced, inner } = spansOf(x.shape, axes);
  const result = new Float64Array(outer * splits * inner);
  for (let o = 0; o < outer; o++)
    for (let r = 0; r < reduced; r++)
      for (let i = 0; i < inner; i++)
        result[(o * splits + (r % splits)) * inner + i] += x.data[(o * reduced + r) * inner + i];
  return [mean ? result.map((total) => total / reduced) : result];
};

export const partialSumCases = (): OpCase[] => [
  { inputs: [{ shape: [3, 7, 5] }], attributes: { axes: [1], splits: 1, mean: false } },
  { inputs: [{ shape: [257] }], attributes: { axes: [0], splits: 16, mean: false } },
  { inputs: [{ shape: [3, 7, 5, 20] }], attributes: { axes: [1, 2], splits: 4, mean: true } },
];

/** Repeats x along axes that a sum took away: the transpose of a sum (or of a mean, dividing by the number of repeats). */
export const expandOp = defineOp("expand", {
  arity: 1,
  infer: ([x], { shape }) => [{ dtype: x.dtype, shape }],
  gradient: ({ attributes, upstream: [dy] }) => [
    attributes.mean ? mean(dy as Tensor, attributes.axes) : sum(dy as Tensor, attributes.axes),
  ],
  kernel: ({ outputs: [y], attributes: { axes, mean: divide }, adapter }) => {
    const { outer, reduced, inner } = spansOf(y.shape, axes);
    const count = sizeOf(y.shape);
    const rung =
      inner % 4 === 0 && inVectors(outer * inner)
        ? { entryPoint: "expandVectors", ...columnGrid(reduced, outer * inner, adapter) }
        : { entryPoint: "expand", grid: flatGrid(count) };
    return {
      shader,
      ...rung,
      uniforms: [outer, reduced, inner, 1, float(divide ? 1 / reduced : 1)],
      flops: count,
      bytes: 4 * (count + outer * inner),
    };
  },
  traits: {
    couplesBatch: ({ inputs: [x], attributes }) => hasBatch(attributes.shape) && !hasBatch(x.shape) && attributes.mean,
  },
});

export const expandReference: Reference = ([x], { attributes: { axes, mean: divide }, outputs: [y] }) => {
  const { outer, reduced, inner } = spansOf(y.shape, axes);
  const result = new Float64Array(sizeOf(y.shape));
  for (let o = 0; o < outer; o++)
    for (let r = 0; r < reduced; r++)
      for (let i = 0; i < inner; i++)
        result[(o * reduced + r) * inner + i] = x.data[o * inner + i] / (divide ? reduced : 1);
  return [result];
};

export const expandCases = (): OpCase[] => [
  { inputs: [{ shape: [3, 5] }], attributes: { shape: [3, 7, 5], axes: [1], mean: false } },
  { inputs: [{ shape: [3, 20] }], attributes: { shape: [3, 7, 5, 20], axes: [1, 2], mean: true } },
  { inputs: [{ shape: [2, 32] }], attributes: { shape: [2, 70, 32], axes: [1], mean: false } },
];

/** Sum over a run of neighbouring axes, in one stage, or in two so that many invocations share it; the order depends on the shape alone. */
export const sumOp = defineOp("sum", {
  arity: 1,
  infer: ([x], { axes, keepDims }) => {
    if (x.dtype !== "f32") throw new ShapeError(`expected f32, found ${formatType(x)}; cast it first`);
    return [{ dtype: "f32", shape: withoutAxes(x.shape, axes, keepDims) }];
  },
  gradient: ({ inputs: [x], attributes, upstream: [dy] }) => {
    const shape = withoutAxes(x.shape, attributes.axes, false);
    return [expand(reshape(dy as Tensor, shape), x.shape, attributes.axes, attributes.mean)];
  },
  lower: ([x], { axes, keepDims, mean: divide }) => {
    // The batch is unknown here, so the number of partial sums follows from the size of one sample.
    const perSample = sizeOf(
      axes.filter((axis: number) => !(axis === 0 && hasBatch(x.shape))).map((axis: number) => x.shape[axis]),
    );
    const target = withoutAxes(x.shape, axes, keepDims);
    if (axes.every((axis: number) => x.shape[axis] === 1)) return [reshape(x, target)];
    const stage = (from: Tensor, over: readonly number[], splits: number, isMean: boolean): Tensor =>
      apply(partialSumOp, [from], { axes: over, splits, mean: isMean });
    const splits = splitsFor(perSample);
    if (splits === 1) return [reshape(stage(x, axes, 1, divide), target)];
    return [reshape(stage(stage(x, axes, splits, divide), [axes[0]], 1, false), target)];
  },
  traits: { couplesBatch: reducesBatch },
});

export const sumReference: Reference = ([x], { attributes: { axes, mean: divide } }) =>
  partialSumReference([x], { attributes: { axes, splits: 1, mean: divide }, outputs: [] });

export const sumCases = (): OpCase[] => [
  { inputs: [{ shape: [3, 7, 5] }], attributes: { axes: [1], keepDims: false, mean: false } },
  { inputs: [{ shape: [3, 1, 5] }], attributes: { axes: [1], keepDims: false, mean: true } },
  { inputs: [{ shape: [3, 17, 13, 20] }], attributes: { axes: [1, 2], keepDims: false, mean: true } },
  { inputs: [{ shape: [1031] }], attributes: { axes: [0], keepDims: true, mean: false } },
  { inputs: [{ shape: [5, 11, 13, 3] }], attributes: { axes: [0, 1, 2], keepDims: false, mean: false } },
];

/** Axes sorted and cut into runs of neighbours, last run first, so that earlier axes keep their numbers. */
function runsOf(axes: readonly number[], rank: number): number[][] {
  const sorted = [...new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)))].sort((a, b) => a - b);
  if (sorted.some((axis) => !(axis >= 0 && axis < rank)))
    throw new ShapeError(`axes [${axes}] do not fit a tensor of rank ${rank}`);
  const runs: number[][] = [];
  for (const axis of sorted) {
    const last = runs[runs.length - 1];
    if (last && last[last.length - 1] === axis - 1) last.push(axis);
    else runs.push([axis]);
  }
  return runs.reverse();
}

const reduce = (x: Tensor, axes: readonly number[], keepDims: boolean, divide: boolean, label?: string): Tensor =>
  runsOf(axes, x.shape.length).reduce(
    (value, run, index, runs) =>
      apply(sumOp, [value], { axes: run, keepDims, mean: divide }, index === runs.length - 1 ? label : undefined),
    x,
  );

/** Sum over axes (negative ones count from the end). */
export const sum = (x: Tensor, axes: readonly number[], keepDims = false): Tensor => reduce(x, axes, keepDims, false);

/** Mean over axes; a batch axis counts the samples of the run. */
export const mean = (x: Tensor, axes: readonly number[], keepDims = false, label?: string): Tensor =>
  reduce(x, axes, keepDims, true, label);

/** [N, H, W, C] → [N, C]. */
export const globalAveragePool = (x: Tensor, label?: string): Tensor => mean(x, [1, 2], false, label);

/** Repeats x along neighbouring `axes` of the result; `divide` makes it the transpose of a mean. */
export const expand = (x: Tensor, shape: Shape, axes: readonly number[], divide = false): Tensor =>
  apply(expandOp, [x], { shape, axes, mean: divide });
