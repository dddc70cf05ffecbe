import code from "../../shaders/softmax.wgsl?raw";
import gradientCode from "../../shaders/softmaxGradient.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { flatGrid } from "../kernel.ts";
import { defineOp, type KernelContext, type OpCase, type Reference, type Shader } from "../op.ts";
import { formatShape, formatType, sameShape, sizeOf, type TensorType } from "../types.ts";
import { multiply, subtract } from "./binary.ts";
import { lanesFor } from "./lanes.ts";
import { sum } from "./reduce.ts";
import { exp, scale } from "./unary.ts";

const shader: Shader = { name: "softmax", code };
const gradientShader: Shader = { name: "softmaxGradient", code: gradientCode };

const infer = ([x]: readonly TensorType[]): TensorType[] => {
  const columns = x.shape[x.shape.length - 1];
  if (x.dtype !== "f32" || !(columns > 0))
    throw new ShapeError(`expected f32 with a last axis of at least one class, found ${formatType(x)}`);
  return [x];
};

const inferGradient = ([y, dy]: readonly TensorType[]): TensorType[] => {
  if (!sameShape(y.shape, dy.shape))
    throw new ShapeError(`expected equal shapes, found ${formatShape(y.shape)} and ${formatShape(dy.shape)}`);
  return infer([dy]);
};

/* @__NO_SIDE_EFFECTS__ */
const kernelOf =
  (of: Shader, entryPoint: string, flops: number) =>
  ({ inputs, outputs: [y] }: KernelContext) => {
    const count = sizeOf(y.shape);
    const columns = y.shape[y.shape.length - 1];
    const lanes = lanesFor(columns);
    return {
      shader: of,
      entryPoint,
      overrides: { LANES: lanes },
      uniforms: [count / columns, columns],
      grid: flatGrid((count / columns) * lanes),
      flops: flops * count,
      bytes: 4 * count * (inputs.length + 1),
    };
  };

/** Applies a map of whole rows to one or two tensors. */
/* @__NO_SIDE_EFFECTS__ */
const rowReference =
  (f: (a: Float64Array, b: Float64Array) => Float64Array): Reference =>
  ([a, b = a]) => {
    const columns = a.shape[a.shape.length - 1];
    const result = new Float64Array(a.data.length);
    for (let at = 0; at < result.length; at += columns)
      result.set(f(a.data.subarray(at, at + columns), b.data.subarray(at, at + columns)), at);
    return [result];
  };

const total = (values: Float64Array): number => values.reduce((left, right) => left + right, 0);

const rowShapes = [
  [2, 3],
  [7, 1],
  [70, 33],
  [3, 2, 102],
  [2, 1031],
];

/** eˣ / Σ eˣ over the last axis, shifted by the row's maximum so that nothing overflows. */
export const softmaxOp = defineOp("softmax", {
  arity: 1,
  infer,
  gradient: ({ outputs: [y], upstream: [dy] }) => [softmaxGradient(y, dy as Tensor)],
  kernel: kernelOf(shader, "softmax", 20),
});
export const softmaxReference = rowReference((x) => {
  const top = x.reduce((left, right) => Math.max(left, right), Number.NEGATIVE_INFINITY);
  const powers = x.map((value) => Math.exp(value - top));
  const norm = total(powers);
  return powers.map((value) => value / norm);
});

/** log(softmax(x)) over the last axis; precise also where a probability is close to 0 or to 1. */
export const logSoftmaxOp = defineOp("logSoftmax", {
  arity: 1,
  infer,
  gradient: ({ outputs: [y], upstream: [dy] }) => [logSoftmaxGradient(y, dy as Tensor)],
  kernel: kernelOf(shader, "logSoftmax", 12),
});
export const logSoftmaxReference = rowReference((x) => {
  const at = x.reduce((best, value, index) => (value > x[best] ? index : best), 0);
  // The largest term is exactly 1; a NaN elsewhere in the row reaches the sum, and one at `at` reaches every term.
  const rest = total(x.map((value, index) => (index === at && Number.isFinite(value) ? 0 : Math.exp(value - x[at]))));
  return x.map((value) => value - x[at] - Math.log1p(rest));
});

export const softmaxCases = (): OpCase[] => [
  ...[...rowShapes, [5]].map((shape) => ({ inputs: [{ shape, scale: 3 }] })),
  // Rows far from zero: without the shift e^x would overflow.
  { inputs: [{ shape: [4, 6], offset: 200 }] },
  { inputs: [{ shape: [9, 40], scale: 30 }] },
  // A NaN, or nothing but infinities of one sign, makes a row NaN.
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map((offset) => ({
    inputs: [{ shape: [3, 20], offset }],
    differentiate: [],
  })),
];

/** The mean of dy weighted by y. */
const weightedMean = (y: Float64Array, dy: Float64Array): number =>
  total(y.map((value, index) => value * dy[index])) / total(y);

/**
 * y · (dy − w) with w = Σ y·dy / Σ y: the gradient of softmax from its output. Σ y is 1 but for rounding; dividing by it
 * makes the result indifferent to a constant added to dy, as it must be.
 */
export const softmaxGradientOp = defineOp("softmaxGradient", {
  arity: 2,
  infer: inferGradient,
  gradient: ({ inputs: [y, dy], upstream: [dz] }) => [
    multiply(apply(softmaxCenterOp, [y, dy]), apply(softmaxCenterOp, [y, dz as Tensor])),
    softmaxGradient(y, dz as Tensor),
  ],
  kernel: kernelOf(gradientShader, "softmaxGradient", 8),
});
export const softmaxGradientReference = rowReference((y, dy) => {
  const center = weightedMean(y, dy);
  return y.map((value, index) => value * (dy[index] - center));
});

/** dy − w with w = Σ y·dy / Σ y: what the second derivative of softmax is made of. Not differentiated again. */
export const softmaxCenterOp = defineOp("softmaxCenter", {
  arity: 2,
  infer: inferGradient,
  kernel: kernelOf(gradientShader, "softmaxCenter", 8),
});
export const softmaxCenterReference = rowReference((y, dy) => {
  const center = weightedMean(y, dy);
  return dy.map((value) => value - center);
});

/** dy − eʸ · Σ dy: the gradient of logSoftmax from its output. */
export const logSoftmaxGradientOp = defineOp("logSoftmaxGradient", {
  arity: 2,
  infer: inferGradient,
  gradient: ({ inputs: [y, dy], upstream: [dz] }) => {
    const weighted = multiply(exp(y), dz as Tensor);
    return [scale(multiply(weighted, sum(dy, [-1], true)), -1), subtract(dz as Tensor, sum(weighted, [-1], true))];
  },
  kernel: kernelOf(gradientShader, "logSoftmaxGradient", 20),
});
export const logSoftmaxGradientReference = rowReference((y, dy) => {
  const norm = total(dy);
  return y.map((value, index) => dy[index] - Math.exp(value) * norm);
});

export const softmaxGradientCases = (): OpCase[] =>
  rowShapes.map((shape) => ({
    inputs: [{ shape, positive: true, offset: 0.01 }, { shape }],
    // With one class the gradient is zero, and differences would show rounding alone.
    differentiate: shape[shape.length - 1] === 1 ? [] : [0, 1],
  }));
export const logSoftmaxGradientCases = (): OpCase[] =>
  rowShapes.map((shape) => ({
    inputs: [{ shape, offset: -Math.log(shape[shape.length - 1]) }, { shape }],
  }));

/** Probabilities over the last axis; same shape as x. */
export const softmax = (x: Tensor, label?: string): Tensor => apply(softmaxOp, [x], {}, label);
/** Logarithms of the probabilities over the last axis; same shape as x. */
export const logSoftmax = (x: Tensor, label?: string): Tensor => apply(logSoftmaxOp, [x], {}, label);
/** The gradient of `softmax` from its output y and the cotangent dy. */
export const softmaxGradient = (y: Tensor, dy: Tensor): Tensor => apply(softmaxGradientOp, [y, dy]);
/** The gradient of `logSoftmax` from its output y and the cotangent dy. */
export const logSoftmaxGradient = (y: Tensor, dy: Tensor): Tensor => apply(logSoftmaxGradientOp, [y, dy]);
