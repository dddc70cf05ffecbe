import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { defineOp, type OpCase, type Reference } from "../op.ts";
import { formatShape, hasBatch, type Shape, sameShape, sizeOf } from "../types.ts";

/** The same elements under another shape; a view, so it costs nothing. A batch dimension stays where it is. */
export const reshapeOp = defineOp("reshape", {
  arity: 1,
  infer: ([x], { shape }) => {
    const perSample = (of: Shape): number => sizeOf(hasBatch(of) ? of.slice(1) : of);
    if (hasBatch(x.shape) !== hasBatch(shape) || perSample(x.shape) !== perSample(shape))
      throw new ShapeError(
        `cannot reshape ${formatShape(x.shape)} to ${formatShape(shape)}; the numbers of elements differ`,
      );
    return [{ dtype: x.dtype, shape }];
  },
  gradient: ({ inputs: [x], upstream: [dy] }) => [reshape(dy as Tensor, x.shape)],
  traits: { view: true },
});

export const reshapeReference: Reference = ([x]) => [x.data.slice()];

export const reshapeCases = (): OpCase[] => [
  { inputs: [{ shape: [2, 3, 4] }], attributes: { shape: [6, 4] } },
  { inputs: [{ shape: [7] }], attributes: { shape: [7, 1, 1] } },
];

export const reshape = (x: Tensor, shape: Shape): Tensor =>
  sameShape(x.shape, shape) ? x : apply(reshapeOp, [x], { shape });

/** [N, …] → [N, product of the rest]. */
export const flatten = (x: Tensor): Tensor => reshape(x, [x.shape[0], sizeOf(x.shape.slice(1))]);
