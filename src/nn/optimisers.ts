import type { Node, Tensor } from "../engine/graph.ts";
import { parameter } from "../engine/ops/sources.ts";
import { adamUpdate, sgdUpdate } from "../engine/ops/updates.ts";
import type { ParameterStore } from "../engine/parameters.ts";
import { type Shape, sizeOf } from "../engine/types.ts";

/** A rule that changes parameters by their gradients, as update nodes of a graph. */
export interface Optimiser {
  readonly name: string;
  /** Tensors of a parameter's shape that the rule keeps for each parameter; in the store as `<moment>/<parameter>`. */
  readonly moments: readonly string[];
  /** The scalar that the update of step `step` (from 1) gets, computed in float64. */
  readonly rate: (learningRate: number, step: number) => number;
  /** `rate` [] is the scalar above; where `skip` [] is not zero nothing changes. */
  readonly update: (parts: {
    readonly parameter: Tensor;
    readonly moments: readonly Tensor[];
    readonly gradient: Tensor;
    readonly rate: Tensor;
    readonly skip: Tensor;
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

const momentNames = ({ moments }: Optimiser, name: string): string[] => moments.map((moment) => `${moment}/${name}`);

/** One update node for each parameter. */
export function optimiserUpdates(
  optimiser: Optimiser,
  trainable: ReadonlyMap<string, Tensor>,
  gradients: ReadonlyMap<string, Tensor>,
  { rate, skip }: { readonly rate: Tensor; readonly skip: Tensor },
): Node[] {
  return [...trainable].map(([name, tensor]) => {
    const moments = momentNames(optimiser, name).map((moment) => parameter(moment, tensor.shape));
    return optimiser.update({ parameter: tensor, moments, gradient: gradients.get(name) as Tensor, rate, skip });
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

/** A factor on the learning rate at step `step` (from 0) of `steps`. */
export type Schedule = (step: number, steps: number) => number;

export const constantSchedule: Schedule = () => 1;

/** From 1 down to 0 along half a cosine (Loshchilov and Hutter 2017, without restarts). */
export const cosineSchedule: Schedule = (step, steps) => (1 + Math.cos((Math.PI * step) / steps)) / 2;
