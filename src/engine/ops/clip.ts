import code from "../../shaders/clip.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { float } from "../kernel.ts";
import { defineOp, type OpCase, type Reference, type Shader } from "../op.ts";
import { formatType } from "../types.ts";
import { add, multiply } from "./binary.ts";
import { sum } from "./reduce.ts";
import { square } from "./unary.ts";

const shader: Shader = { name: "clip", code };

/** x [] is a sum of squares: limit / max(√x, limit), which is 1 while the norm is within the limit. Only updates read it: no gradient. */
export const clipFactorOp = defineOp("clipFactor", {
  arity: 1,
  infer: ([x], { limit }) => {
    if (x.dtype !== "f32" || x.shape.length > 0) throw new ShapeError(`expected f32[], found ${formatType(x)}`);
    if (!(limit > 0)) throw new ShapeError(`expected a norm above 0 to clip to, found ${limit}`);
    return [x];
  },
  kernel: ({ attributes: { limit } }) => ({
    shader,
    entryPoint: "clipFactor",
    uniforms: [float(limit)],
    grid: [1, 1, 1],
    flops: 3,
    bytes: 8,
  }),
});

export const clipFactorReference: Reference = ([x], { attributes: { limit } }) => [
  x.data.map((total) => Math.fround(limit) / Math.max(Math.sqrt(Math.max(total, 0)), Math.fround(limit))),
];

export const clipFactorCases = (): OpCase[] =>
  [
    { offset: 9, limit: 0.7 },
    { offset: 0.25, limit: 0.7 },
    { offset: 0, limit: 2 },
  ].map(({ offset, limit }) => ({ inputs: [{ shape: [], scale: 0, offset }], attributes: { limit } }));

/** Gradients multiplied by one factor so that the norm of all of them together is at most `limit`; the graph's own sums, fixed order. */
export function clipByGlobalNorm(gradients: readonly Tensor[], limit: number): Tensor[] {
  const squares = gradients.map((gradient) =>
    gradient.shape.length === 0
      ? square(gradient)
      : sum(
          square(gradient),
          gradient.shape.map((_, axis) => axis),
        ),
  );
  const factor = apply(clipFactorOp, [squares.reduce((total, next) => add(total, next))], { limit });
  return gradients.map((gradient) => multiply(gradient, factor));
}
