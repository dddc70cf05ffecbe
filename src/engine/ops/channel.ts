import coefficientsCode from "../../shaders/batchNormCoefficients.wgsl?raw";
import code from "../../shaders/channel.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, makeNode, type Tensor } from "../graph.ts";
import { flatGrid, float } from "../kernel.ts";
import { defineOp, type KernelContext, type OpCase, type Reference, type Shader } from "../op.ts";
import { formatShape, formatType, sizeOf, type TensorType } from "../types.ts";
import { add, multiply } from "./binary.ts";
import { columnGrid, inVectors } from "./lanes.ts";
import { sum } from "./reduce.ts";
import { ones } from "./sources.ts";
import { scale } from "./unary.ts";

const shader: Shader = { name: "channel", code };
const coefficientsShader: Shader = { name: "batchNormCoefficients", code: coefficientsCode };

/** x [..., C] with vectors of length C. */
const infer = ([x, ...vectors]: readonly TensorType[]): TensorType[] => {
  const channels = x.shape[x.shape.length - 1];
  for (const vector of vectors)
    if (vector.shape.length !== 1 || vector.shape[0] !== channels)
      throw new ShapeError(
        `expected vectors of ${channels} channels beside ${formatType(x)}, found ${formatShape(vector.shape)}`,
      );
  return [x];
};

/* @__NO_SIDE_EFFECTS__ */
const kernelOf =
  (entryPoint: string, flops: number) =>
  ({ inputs, outputs: [y], adapter }: KernelContext) => {
    const count = sizeOf(y.shape);
    const channels = y.shape[y.shape.length - 1];
    const rows = sizeOf(y.shape.slice(0, -1));
    const rung = inVectors(channels)
      ? { entryPoint: `${entryPoint}Vectors`, ...columnGrid(rows, channels, adapter) }
      : { entryPoint, grid: flatGrid(count) };
    return {
      shader,
      ...rung,
      uniforms: [count, channels, rows],
      bindings: [{ input: 0 }, { input: 1 }, inputs.length > 2 ? { input: 2 } : null, { output: 0 }],
      flops: flops * count,
      bytes: 8 * count,
    };
  };

const sumToChannels = (x: Tensor): Tensor =>
  sum(
    x,
    x.shape.slice(0, -1).map((_, axis) => axis),
  );

/* @__NO_SIDE_EFFECTS__ */
const channelReference =
  (f: (x: number, a: number, b: number) => number): Reference =>
  ([x, a, b]) => {
    const channels = a.data.length;
    return [x.data.map((value, index) => f(value, a.data[index % channels], b ? b.data[index % channels] : 0))];
  };

const shapes = [
  [2, 3],
  [4, 5, 3, 7],
  [2, 5, 7, 64],
  [1, 1, 1, 33],
  [257, 1],
];

/** x + bias[c]. */
export const biasAddOp = defineOp("biasAdd", {
  arity: 2,
  infer,
  gradient: ({ upstream: [dy] }) => [dy, sumToChannels(dy as Tensor)],
  kernel: kernelOf("biasAdd", 1),
  traits: { epilogue: { stage: "bias", operand: 1 } },
});
export const biasAddReference = channelReference((x, bias) => x + bias);

/** x · scale[c]. */
export const channelScaleOp = defineOp("channelScale", {
  arity: 2,
  infer,
  gradient: ({ inputs: [x, factors], upstream: [dy] }) => [
    channelScale(dy as Tensor, factors),
    sumToChannels(multiply(dy as Tensor, x)),
  ],
  kernel: kernelOf("channelScale", 1),
  traits: { channelAffine: { scale: 1 } },
});
export const channelScaleReference = channelReference((x, factor) => x * factor);

/** x · scale[c] + shift[c]. */
export const channelAffineOp = defineOp("channelAffine", {
  arity: 3,
  infer,
  gradient: ({ inputs: [x, factors], upstream: [dy] }) => [
    channelScale(dy as Tensor, factors),
    sumToChannels(multiply(dy as Tensor, x)),
    sumToChannels(dy as Tensor),
  ],
  kernel: kernelOf("channelAffine", 2),
  traits: { channelAffine: { scale: 1, shift: 2 } },
});
export const channelAffineReference = channelReference((x, factor, shift) => x * factor + shift);

export const channelVectorCases = (): OpCase[] =>
  shapes.map((shape) => ({
    inputs: [{ shape }, { shape: [shape[shape.length - 1]] }],
  }));
export const channelAffineCases = (): OpCase[] =>
  shapes.map((shape) => ({
    inputs: [{ shape }, { shape: [shape[shape.length - 1]] }, { shape: [shape[shape.length - 1]] }],
  }));

/** The shape of a vector of per-channel numbers, repeated for every input. */
const vectors = (inputs: readonly TensorType[]): TensorType[] => {
  infer(inputs);
  return [inputs[0], inputs[0]];
};

/** (γ, β, μ, σ²) → (scale, shift): scale = γ / √(σ² + ε), shift = β − μ · scale. The statistics are constants of inference. */
export const batchNormCoefficientsOp = defineOp("batchNormCoefficients", {
  arity: 4,
  infer: vectors,
  gradient: ({ inputs: [gamma, , mean, variance], attributes: { epsilon }, upstream: [dScale, dShift] }) => {
    const fromShift = dShift && scale(multiply(mean, dShift), -1);
    const total = dScale && fromShift ? add(dScale, fromShift) : (dScale ?? (fromShift as Tensor));
    const [perGamma] = batchNormCoefficients(ones(gamma.type), ones(gamma.type), mean, variance, epsilon);
    return [multiply(total, perGamma), dShift, null, null];
  },
  kernel: ({ inputs: [gamma], attributes }) => {
    const count = sizeOf(gamma.shape);
    return {
      shader: coefficientsShader,
      entryPoint: "batchNormCoefficients",
      uniforms: [count, float(attributes.epsilon)],
      grid: flatGrid(count),
      flops: 6 * count,
      bytes: 24 * count,
    };
  },
});

export const batchNormCoefficientsReference: Reference = ([gamma, beta, mean, variance], { attributes }) => {
  const factors = gamma.data.map((value, index) => value / Math.sqrt(variance.data[index] + attributes.epsilon));
  return [factors, beta.data.map((value, index) => value - mean.data[index] * factors[index])];
};

export const batchNormCoefficientsCases = (): OpCase[] =>
  [1, 7, 33, 257].map((channels) => ({
    inputs: [
      { shape: [channels] },
      { shape: [channels] },
      { shape: [channels] },
      { shape: [channels], positive: true, offset: 0.5 },
    ],
    attributes: { epsilon: 1e-3 },
    differentiate: [0, 1],
  }));

/** x [..., C] + bias [C]. */
export const biasAdd = (x: Tensor, bias: Tensor, label?: string): Tensor => apply(biasAddOp, [x, bias], {}, label);
/** x [..., C] · scale [C]. */
export const channelScale = (x: Tensor, factors: Tensor): Tensor => apply(channelScaleOp, [x, factors]);
/** x [..., C] · scale [C] + shift [C]. */
export const channelAffine = (x: Tensor, factors: Tensor, shift: Tensor, label?: string): Tensor =>
  apply(channelAffineOp, [x, factors, shift], {}, label);

const batchNormCoefficients = (
  gamma: Tensor,
  beta: Tensor,
  mean: Tensor,
  variance: Tensor,
  epsilon: number,
): readonly Tensor[] => makeNode(batchNormCoefficientsOp, [gamma, beta, mean, variance], { epsilon }).outputs;

/** Batch normalisation with fixed statistics (Ioffe and Szegedy 2015, inference): γ · (x − μ) / √(σ² + ε) + β over the last axis. */
export function batchNorm(
  x: Tensor,
  {
    gamma,
    beta,
    mean,
    variance,
    epsilon,
  }: { gamma: Tensor; beta: Tensor; mean: Tensor; variance: Tensor; epsilon: number },
  label?: string,
): Tensor {
  const [factors, shift] = batchNormCoefficients(gamma, beta, mean, variance, epsilon);
  return channelAffine(x, factors, shift, label);
}
