import code from "../../shaders/gather.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { flatGrid } from "../kernel.ts";
import { defineOp, type OpCase, type Reference, type Shader } from "../op.ts";
import {
  formatShape,
  formatType,
  hasBatch,
  type Shape,
  sameShape,
  sizeOf,
  spansOf,
  type TensorType,
} from "../types.ts";

const shader: Shader = { name: "gather", code };

/** The shape without a run of neighbouring axes; throws a ShapeError when they are no such run. */
export function withoutRun(shape: Shape, axes: readonly number[]): Shape {
  const isRun = axes.length > 0 && axes.every((axis, index) => axis === axes[0] + index);
  if (!isRun || axes[0] < 0 || axes[axes.length - 1] >= shape.length)
    throw new ShapeError(`axes [${axes}] must be neighbours, in order, within a tensor of rank ${shape.length}`);
  return shape.filter((_, axis) => !axes.includes(axis));
}

const checkIndex = (index: TensorType, lines: Shape): void => {
  if (index.dtype !== "i32" || !sameShape(index.shape, lines))
    throw new ShapeError(`expected an i32 index of shape ${formatShape(lines)}, found ${formatType(index)}`);
};

/** y[o, i] = x[o, index[o, i], i] with x seen as [outer, along `axes`, inner]; NaN where the index is out of range. */
export const gatherOp = defineOp("gather", {
  arity: 2,
  infer: ([x, index], { axes }) => {
    if (x.dtype !== "f32") throw new ShapeError(`expected f32, found ${formatType(x)}; cast it first`);
    const lines = withoutRun(x.shape, axes);
    checkIndex(index, lines);
    return [{ dtype: "f32", shape: lines }];
  },
  gradient: ({ inputs: [x, index], attributes: { axes }, upstream: [dy] }) => [
    scatter(dy as Tensor, index, x.shape, axes),
    null,
  ],
  kernel: ({ inputs: [x], outputs: [y], attributes: { axes } }) => {
    const { outer, reduced, inner } = spansOf(x.shape, axes);
    const count = sizeOf(y.shape);
    return {
      shader,
      entryPoint: "gather",
      uniforms: [outer, reduced, inner],
      grid: flatGrid(count),
      flops: 0,
      bytes: 12 * count,
    };
  },
  traits: { couplesBatch: ({ inputs: [x], attributes: { axes } }) => hasBatch(x.shape) && axes.includes(0) },
});

export const gatherReference: Reference = ([x, index], { attributes: { axes } }) => {
  const { reduced, inner } = spansOf(x.shape, axes);
  return [
    index.data.map((r, line) => {
      if (!(r >= 0 && r < reduced)) return Number.NaN;
      return x.data[(Math.floor(line / inner) * reduced + r) * inner + (line % inner)];
    }),
  ];
};

export const gatherCases = (): OpCase[] => [
  { inputs: [{ shape: [2, 3] }, { shape: [2], dtype: "i32", below: 3 }], attributes: { axes: [1] } },
  { inputs: [{ shape: [70, 5] }, { shape: [70], dtype: "i32", below: 5 }], attributes: { axes: [1] } },
  { inputs: [{ shape: [3, 4, 5, 7] }, { shape: [3, 7], dtype: "i32", below: 20 }], attributes: { axes: [1, 2] } },
  // Some indices out of range.
  { inputs: [{ shape: [40, 3] }, { shape: [40], dtype: "i32", below: 6 }], attributes: { axes: [1] } },
];

/** y[o, r, i] = x[o, i] where r = index[o, i], else 0, in a tensor of `shape`; a line of NaN where the index is out of range. */
export const scatterOp = defineOp("scatter", {
  arity: 2,
  infer: ([x, index], { shape, axes }) => {
    const lines = withoutRun(shape, axes);
    if (x.dtype !== "f32" || !sameShape(x.shape, lines))
      throw new ShapeError(`expected f32 of shape ${formatShape(lines)}, found ${formatType(x)}`);
    checkIndex(index, lines);
    return [{ dtype: "f32", shape }];
  },
  gradient: ({ inputs: [, index], attributes: { axes }, upstream: [dy] }) => [gather(dy as Tensor, index, axes), null],
  kernel: ({ outputs: [y], attributes: { axes } }) => {
    const { outer, reduced, inner } = spansOf(y.shape, axes);
    const count = sizeOf(y.shape);
    return {
      shader,
      entryPoint: "scatter",
      uniforms: [outer, reduced, inner],
      grid: flatGrid(count),
      flops: 0,
      bytes: 4 * count + 8 * outer * inner,
    };
  },
  traits: { couplesBatch: ({ attributes: { shape, axes } }) => hasBatch(shape) && axes.includes(0) },
});

export const scatterReference: Reference = ([x, index], { attributes: { axes }, outputs: [y] }) => {
  const { reduced, inner } = spansOf(y.shape, axes);
  const result = new Float64Array(sizeOf(y.shape));
  index.data.forEach((chosen, line) => {
    const base = Math.floor(line / inner) * reduced * inner + (line % inner);
    const inside = chosen >= 0 && chosen < reduced;
    for (let r = 0; r < reduced; r++)
      result[base + r * inner] = inside ? (r === chosen ? x.data[line] : 0) : Number.NaN;
  });
  return [result];
};

export const scatterCases = (): OpCase[] => [
  { inputs: [{ shape: [2] }, { shape: [2], dtype: "i32", below: 3 }], attributes: { shape: [2, 3], axes: [1] } },
  { inputs: [{ shape: [70] }, { shape: [70], dtype: "i32", below: 5 }], attributes: { shape: [70, 5], axes: [1] } },
  {
    inputs: [{ shape: [3, 7] }, { shape: [3, 7], dtype: "i32", below: 20 }],
    attributes: { shape: [3, 4, 5, 7], axes: [1, 2] },
  },
  { inputs: [{ shape: [40] }, { shape: [40], dtype: "i32", below: 6 }], attributes: { shape: [40, 3], axes: [1] } },
];

/** One element of each line along neighbouring `axes`, at the position that the i32 `index` gives; NaN where it is out of range. */
export const gather = (x: Tensor, index: Tensor, axes: readonly number[]): Tensor =>
  apply(gatherOp, [x, index], { axes });

/** The transpose of `gather`: zeros of `shape` with x at the indexed positions. */
export const scatter = (x: Tensor, index: Tensor, shape: Shape, axes: readonly number[]): Tensor =>
  apply(scatterOp, [x, index], { shape, axes });

/** x [N, C], index i32 [N] → [N]: the score of one class per sample; NaN where the class does not exist. */
export const gatherClass = (x: Tensor, index: Tensor): Tensor => gather(x, index, [1]);

/** dy [N], index i32 [N] → [N, classes]: dy at the given class, zero elsewhere; a row of NaN where the class does not exist. */
export const scatterClass = (dy: Tensor, index: Tensor, classes: number): Tensor =>
  scatter(dy, index, [...dy.shape, classes], [1]);
