import type { Node, Tensor } from "../engine/graph.ts";
import { input, parameter } from "../engine/ops/sources.ts";
import { adamUpdate, adamWUpdate, sgdUpdate } from "../engine/ops/updates.ts";
import type { ParameterStore } from "../engine/parameters.ts";
import { type Shape, sizeOf } from "../engine/types.ts";

/** A rule that changes parameters by their gradients, as update nodes of a graph. */
export interface Optimiser {
  readonly name: string;
  /** Tensors of a parameter's shape that the rule keeps for each parameter; in the store as `<moment>/<parameter>`. */
  readonly moments: readonly string[];
  /** The scalar that the update of step `step` (from 1) gets, computed in float64. */
  readonly rate: (learningRate: number, step: number) => number;
  /** Factor on the learning rate by which the parameters shrink at each step (AdamW); none when left out. */
  readonly weightDecay?: number;
  /** `rate` [] is the scalar above, `shrink` [] learning rate · `weightDecay`; where `skip` [] is not zero nothing changes. */
  readonly update: (parts: {
    readonly parameter: Tensor;
    readonly moments: readonly Tensor[];
    readonly gradient: Tensor;
    readonly rate: Tensor;
    readonly skip: Tensor;
    readonly shrink?: Tensor;
  }) => Node;
}

export interface AdamOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
}

/**
 * Adam (Kingma and Ba 2015) in Keras' form: lr·√(1−β₂ᵗ)/(1−β₁ᵗ) · m/(√v + ε), ε 1e-7 outside the bias correction.
 */
export function adam({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 }: AdamOptions = {}): Optimiser {
  return {
    name: "adam",
    moments: ["adam/m", "adam/v"],
    rate: (learningRate, step) => (learningRate * Math.sqrt(1 - beta2 ** step)) / (1 - beta1 ** step),
    update: ({ parameter, moments: [first, second], gradient, rate, skip }) =>
      adamUpdate(parameter, first, second, gradient, rate, skip, { beta1, beta2, epsilon }),
  };
}

/**
 * AdamW (Loshchilov and Hutter 2019) in Keras' form: Adam, after each parameter lost `learning rate · weightDecay` of its value.
 * Every trainable parameter decays.
 */
export function adamW({
  beta1 = 0.9,
  beta2 = 0.999,
  epsilon = 1e-7,
  weightDecay = 0.004,
}: AdamOptions & { readonly weightDecay?: number } = {}): Optimiser {
  return {
    ...adam({ beta1, beta2 }),
    name: "adamw",
    weightDecay,
    update: ({ parameter, moments: [first, second], gradient, rate, skip, shrink }) =>
      adamWUpdate(parameter, first, second, gradient, rate, skip, shrink as Tensor, { beta1, beta2, epsilon }),
  };
}

/** Gradient descent with momentum (Polyak 1964), or Nesterov's (Sutskever et al. 2013), in Keras' form. */
export function sgd({ momentum = 0, nesterov = false }: { momentum?: number; nesterov?: boolean } = {}): Optimiser {
  return {
    name: "sgd",
    moments: ["sgd/velocity"],
    rate: (learningRate) => learningRate,
    update: ({ parameter, moments: [velocity], gradient, rate, skip }) =>
      sgdUpdate(parameter, velocity, gradient, rate, skip, { momentum, nesterov }),
  };
}

/** The inputs by which an optimiser is told about a step: `rate`, and `shrink` where it decays weights. */
export const optimiserInputs = ({ weightDecay }: Optimiser): { readonly rate: Tensor; readonly shrink?: Tensor } => ({
  rate: input("rate", []),
  ...(weightDecay === undefined ? {} : { shrink: input("shrink", []) }),
});

/** Their values at step `step` (from 1). */
export const optimiserFeeds = (
  { rate, weightDecay }: Optimiser,
  learningRate: number,
  step: number,
): Record<string, Float32Array> => ({
  rate: Float32Array.of(rate(learningRate, step)),
  ...(weightDecay === undefined ? {} : { shrink: Float32Array.of(learningRate * weightDecay) }),
});

/** Names under which the store keeps a parameter's moments. */
export const momentNames = ({ moments }: Optimiser, name: string): string[] =>
  moments.map((moment) => `${moment}/${name}`);

/** One update node for each parameter. */
export function optimiserUpdates(
  optimiser: Optimiser,
  trainable: ReadonlyMap<string, Tensor>,
  gradients: ReadonlyMap<string, Tensor>,
  scalars: { readonly rate: Tensor; readonly skip: Tensor; readonly shrink?: Tensor },
): Node[] {
  return [...trainable].map(([name, tensor]) => {
    const moments = momentNames(optimiser, name).map((moment) => parameter(moment, tensor.shape));
    return optimiser.update({ parameter: tensor, moments, gradient: gradients.get(name) as Tensor, ...scalars });
  });
}

/** Puts zeros for every moment into the store, as at the first step. */
export function resetMoments(
  store: ParameterStore,
  optimiser: Optimiser,
  shapes: Iterable<readonly [name: string, shape: Shape]>,
): void {
  for (const [name, shape] of shapes)
    for (const moment of momentNames(optimiser, name)) store.set(moment, new Float32Array(sizeOf(shape)), shape);
}

/** Frees the moments; plans that use them must be disposed before. */
export function deleteMoments(store: ParameterStore, optimiser: Optimiser, names: Iterable<string>): void {
  for (const name of names) for (const moment of momentNames(optimiser, name)) store.delete(moment);
}

/** A factor on the learning rate at step `step` (from 0) of `steps`; an epoch has `stepsPerEpoch`. */
export type Schedule = (step: number, steps: number, stepsPerEpoch: number) => number;

export const constantSchedule = (): number => 1;

/** From 1 down to 0 along half a cosine (Loshchilov and Hutter 2017, without restarts). */
export const cosineSchedule = (step: number, steps: number): number => (1 + Math.cos((Math.PI * step) / steps)) / 2;

/** Multiplied by `factor` after every `epochs` epochs. */
export const stepSchedule =
  (epochs: number, factor = 0.1): Schedule =>
  (step, _steps, stepsPerEpoch) =>
    factor ** Math.floor(step / (epochs * stepsPerEpoch));

/** From 1/n of the rate linearly up to the whole in the first `epochs` (n steps), then `schedule` over what is left (Goyal et al. 2017). */
export const warmUpSchedule =
  (epochs: number, schedule: Schedule): Schedule =>
  (step, steps, stepsPerEpoch) => {
    const warm = Math.round(epochs * stepsPerEpoch);
    return step < warm ? (step + 1) / warm : schedule(step - warm, steps - warm, stepsPerEpoch);
  };
