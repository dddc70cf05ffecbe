import assignCode from "../../shaders/assign.wgsl?raw";
import code from "../../shaders/updates.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { makeNode, type Node, type Tensor } from "../graph.ts";
import { bindInput, flatGrid, float } from "../kernel.ts";
import {
  type Binding,
  defineOp,
  type KernelCall,
  type KernelContext,
  type OpCase,
  type Reference,
  type Shader,
} from "../op.ts";
import { formatShape, formatType, sameShape, sizeOf, type TensorType } from "../types.ts";
import { flatRung } from "./lanes.ts";

const shader: Shader = { name: "updates", code };
const assignShader: Shader = { name: "assign", code: assignCode };

/** Checks that all but the last `scalars` inputs have the parameter's shape; an update has no outputs. */
const inferUpdate =
  (scalars: number) =>
  (inputs: readonly TensorType[]): TensorType[] => {
    const [parameter] = inputs;
    inputs.forEach((type, index) => {
      const shape = index < inputs.length - scalars ? parameter.shape : [];
      if (type.dtype !== "f32" || !sameShape(type.shape, shape))
        throw new ShapeError(`expected f32${formatShape(shape)} for input ${index}, found ${formatType(type)}`);
    });
    return [];
  };

/* @__NO_SIDE_EFFECTS__ */
const kernelOf =
  (entryPoint: string, flops: number, bytes: number) =>
  ({ inputs, attributes }: KernelContext) => {
    const count = sizeOf(inputs[0].shape);
    const { momentum } = attributes;
    return {
      shader: assignShader,
      entryPoint,
      uniforms: [count, float(momentum ?? 0), float(momentum === undefined ? 0 : 1 - momentum)],
      grid: flatGrid(count),
      flops: flops * count,
      bytes: bytes * count,
    };
  };

const shapes = [[3], [257], [3, 3, 5, 7], [9, 5, 8]];
const scalar = (value: number) => ({ shape: [], scale: 0, offset: value });

/** Adam's kernel; `shrink` is the input that AdamW brings. */
const adamKernel =
  (shrink: Binding) =>
  ({ inputs: [{ shape }], attributes: { beta1, beta2, epsilon }, adapter }: KernelContext): KernelCall => {
    const count = sizeOf(shape);
    const { items, ...rung } = flatRung("adam", shape, adapter);
    return {
      shader,
      ...rung,
      overrides: { SHRINKS: shrink ? 1 : 0 },
      uniforms: [items, float(1 - beta1), float(1 - beta2), float(epsilon), float(0)],
      bindings: [...[0, 1, 3, 4, 5, 2].map(bindInput), shrink],
      flops: (shrink ? 13 : 11) * count,
      bytes: 28 * count,
    };
  };

/** Inputs: parameter, first moment, second moment, gradient, rate [], skip []. */
export const adamUpdateOp = defineOp("adamUpdate", {
  arity: 6,
  infer: inferUpdate(2),
  kernel: adamKernel(null),
  traits: { updates: [0, 1, 2] },
});

/** Inputs: those of `adamUpdate`, and shrink []. */
export const adamWUpdateOp = defineOp("adamWUpdate", {
  arity: 7,
  infer: inferUpdate(3),
  kernel: adamKernel(bindInput(6)),
  traits: { updates: [0, 1, 2] },
});

export const adamUpdateReference: Reference = (
  [parameter, first, second, gradient, rate, skip, shrink],
  { attributes },
) => {
  if (skip.data[0] !== 0) return [parameter.data, first.data, second.data];
  const { beta1, beta2, epsilon } = attributes;
  const m = first.data.map((value, index) => value + (gradient.data[index] - value) * (1 - beta1));
  const v = second.data.map((value, index) => value + (gradient.data[index] ** 2 - value) * (1 - beta2));
  const shrunk = shrink ? parameter.data.map((value) => value - shrink.data[0] * value) : parameter.data;
  const p = shrunk.map((value, index) => value - (rate.data[0] * m[index]) / (Math.sqrt(v[index]) + epsilon));
  return [p, m, v];
};

export const adamUpdateCases = (): OpCase[] =>
  [
    ...shapes.map((shape) => ({ shape, skip: 0, epsilon: 1e-7 })),
    { shape: [65], skip: 3, epsilon: 1e-7 },
    // Large enough to be seen, in elements and in vectors.
    { shape: [5], skip: 0, epsilon: 0.1 },
    { shape: [9, 5, 8], skip: 0, epsilon: 0.1 },
  ].map(({ shape, skip, epsilon }) => ({
    inputs: [{ shape }, { shape }, { shape, positive: true }, { shape }, scalar(0.01), scalar(skip)],
    attributes: { beta1: 0.9, beta2: 0.999, epsilon },
  }));

export const adamWUpdateCases = (): OpCase[] =>
  adamUpdateCases().map((example) => ({
    ...example,
    inputs: [...example.inputs, scalar(0.05)],
  }));

/** Inputs: parameter, velocity, gradient, learning rate [], skip []. */
export const sgdUpdateOp = defineOp("sgdUpdate", {
  arity: 5,
  infer: inferUpdate(2),
  kernel: ({ inputs: [{ shape }], attributes: { momentum, nesterov }, adapter }) => {
    const count = sizeOf(shape);
    const { items, ...rung } = flatRung("sgd", shape, adapter);
    return {
      shader,
      ...rung,
      overrides: { NESTEROV: nesterov ? 1 : 0 },
      uniforms: [items, float(0), float(0), float(0), float(momentum)],
      bindings: [{ input: 0 }, { input: 1 }, { input: 2 }, { input: 3 }, { input: 4 }],
      flops: 5 * count,
      bytes: 20 * count,
    };
  },
  traits: { updates: [0, 1] },
});

export const sgdUpdateReference: Reference = ([parameter, velocity, gradient, rate, skip], { attributes }) => {
  if (skip.data[0] !== 0) return [parameter.data, velocity.data];
  const { momentum, nesterov } = attributes;
  const steps = gradient.data.map((value) => rate.data[0] * value);
  const moved = velocity.data.map((value, index) => momentum * value - steps[index]);
  const p = parameter.data.map(
    (value, index) => value + (nesterov ? momentum * moved[index] - steps[index] : moved[index]),
  );
  return [p, moved];
};

export const sgdUpdateCases = (): OpCase[] =>
  [
    ...shapes.map((shape) => ({ shape, skip: 0, momentum: 0.9, nesterov: false })),
    { shape: [65], skip: 0, momentum: 0.9, nesterov: true },
    { shape: [65], skip: 0, momentum: 0, nesterov: false },
    { shape: [65], skip: 2, momentum: 0.9, nesterov: true },
  ].map(({ shape, skip, momentum, nesterov }) => ({
    inputs: [{ shape }, { shape }, { shape }, scalar(0.05), scalar(skip)],
    attributes: { momentum, nesterov },
  }));

/** Inputs: parameter, value. */
export const runningAverageUpdateOp = defineOp("runningAverageUpdate", {
  arity: 2,
  infer: inferUpdate(0),
  kernel: kernelOf("runningAverage", 3, 12),
  traits: { updates: [0] },
});
export const runningAverageUpdateReference: Reference = ([parameter, value], { attributes: { momentum } }) => [
  parameter.data.map((old, index) => old * momentum + value.data[index] * (1 - momentum)),
];
export const runningAverageUpdateCases = (): OpCase[] =>
  shapes.map((shape) => ({
    inputs: [{ shape }, { shape }],
    attributes: { momentum: 0.99 },
  }));

/** Inputs: parameter, value. */
export const accumulateUpdateOp = defineOp("accumulateUpdate", {
  arity: 2,
  infer: inferUpdate(0),
  kernel: kernelOf("accumulate", 1, 12),
  traits: { updates: [0] },
});
export const accumulateUpdateReference: Reference = ([parameter, value]) => [
  parameter.data.map((old, index) => old + value.data[index]),
];

/** Inputs: parameter, value. */
export const assignUpdateOp = defineOp("assignUpdate", {
  arity: 2,
  infer: inferUpdate(0),
  kernel: kernelOf("assign", 0, 8),
  traits: { updates: [0] },
});
export const assignUpdateReference: Reference = ([, value]) => [value.data.slice()];

export const assignCases = (): OpCase[] => shapes.map((shape) => ({ inputs: [{ shape }, { shape }] }));

/**
 * Adam (Kingma and Ba 2015) in Keras' form: m += (g − m)(1 − β₁), v += (g² − v)(1 − β₂), p −= rate · m / (√v + ε).
 * `rate` [] is lr·√(1 − β₂ᵗ)/(1 − β₁ᵗ) at step t = 1, 2, …; where `skip` [] is not zero nothing changes.
 * Parameter and moments are parameters of one shape, the gradient has it too; throws a ShapeError otherwise.
 */
export const adamUpdate = (
  parameter: Tensor,
  firstMoment: Tensor,
  secondMoment: Tensor,
  gradient: Tensor,
  rate: Tensor,
  skip: Tensor,
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 }: { beta1?: number; beta2?: number; epsilon?: number } = {},
): Node =>
  makeNode(adamUpdateOp, [parameter, firstMoment, secondMoment, gradient, rate, skip], { beta1, beta2, epsilon });

/**
 * AdamW (Loshchilov and Hutter 2019) in Keras' form: `adamUpdate` after p −= shrink · p, where `shrink` [] is the learning rate
 * times the weight decay. Throws a ShapeError as `adamUpdate` does.
 */
export const adamWUpdate = (
  parameter: Tensor,
  firstMoment: Tensor,
  secondMoment: Tensor,
  gradient: Tensor,
  rate: Tensor,
  skip: Tensor,
  shrink: Tensor,
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 }: { beta1?: number; beta2?: number; epsilon?: number } = {},
): Node =>
  makeNode(adamWUpdateOp, [parameter, firstMoment, secondMoment, gradient, rate, skip, shrink], {
    beta1,
    beta2,
    epsilon,
  });

/**
 * Gradient descent with momentum in Keras' form: velocity = momentum · velocity − lr · g, then p += velocity, or with
 * `nesterov` p += momentum · velocity − lr · g. Where `skip` [] is not zero nothing changes. Throws a ShapeError as `adamUpdate` does.
 */
export const sgdUpdate = (
  parameter: Tensor,
  velocity: Tensor,
  gradient: Tensor,
  learningRate: Tensor,
  skip: Tensor,
  { momentum = 0, nesterov = false }: { momentum?: number; nesterov?: boolean } = {},
): Node => makeNode(sgdUpdateOp, [parameter, velocity, gradient, learningRate, skip], { momentum, nesterov });

/** parameter = parameter · momentum + value · (1 − momentum), as Keras moves its statistics. */
export const runningAverageUpdate = (parameter: Tensor, value: Tensor, { momentum }: { momentum: number }): Node =>
  makeNode(runningAverageUpdateOp, [parameter, value], { momentum });

/** parameter = parameter + value. */
export const accumulateUpdate = (parameter: Tensor, value: Tensor): Node =>
  makeNode(accumulateUpdateOp, [parameter, value]);

/** parameter = value. */
export const assignUpdate = (parameter: Tensor, value: Tensor): Node => makeNode(assignUpdateOp, [parameter, value]);
