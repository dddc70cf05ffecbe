import { GraphError, UsageError } from "../engine/errors.ts";
import type { BaselineChoice } from "./baselines.ts";
import type { ExplainableModel, Score } from "./model.ts";
import type { PathRule } from "./quadrature.ts";

/** A class and how much it counts in the score that is explained; a negative weight counts against it. */
export interface WeightedClass {
  readonly class: number;
  readonly weight: number;
}

/** What is explained of one image: a class, the difference of two ("why a rose and not a tulip"), or any sum of classes. */
export type Target = number | { readonly class: number; readonly versus: number } | readonly WeightedClass[];

/** A map of one number a place, row by row, in the units of the method: nothing is normalised or clipped. */
export interface RawHeatmap {
  readonly height: number;
  readonly width: number;
  readonly values: Float32Array;
  /** Whether negative numbers mean evidence against the target; else the map is 0 or more. */
  readonly signed: boolean;
}

/** How many images went through the network: forward only, and forward with the gradient. */
export interface Cost {
  readonly forwards: number;
  readonly gradients: number;
}

export type ExplanationStatus = "ok" | "no positive evidence" | "not converged";

/** What one method says of one image; whoever judges or draws it need not know the method. */
export interface Explanation {
  readonly method: string;
  readonly target: Target;
  readonly heatmap: RawHeatmap;
  /** [H, W, 3] for methods on pixels; the heat map is its sum over the channels. */
  readonly attribution?: Float32Array;
  readonly status: ExplanationStatus;
  readonly cost: Cost;
  /** What else the method has to say (layer, completeness gap, evaluations, …), ready for JSON. */
  readonly details: Readonly<Record<string, unknown>>;
}

export interface MethodOptions {
  /** Default `logit`. */
  readonly score?: Score;
  /** Layers of the CAM family by label; several are fused. The last spatial activation by default. */
  readonly layers?: readonly string[];
  /** CAM family: keep evidence against the target instead of cutting it off. Default false. */
  readonly signed?: boolean;
  /** Path methods: where paths start; the attributions of several are averaged. Default black. */
  readonly baselines?: readonly BaselineChoice[];
  /** Path methods: default `adaptive`, with `steps` `gauss-legendre`. */
  readonly rule?: PathRule;
  /** Evaluations of a rule of fixed length, steps of a path; each method has its own default. */
  readonly steps?: number;
  /** Adaptive rule: the largest relative completeness gap; default 1e-2. */
  readonly tolerance?: number;
  /** Noise draws or masks; each method has its own default. */
  readonly samples?: number;
  /** Seed of noise and masks; default 0. */
  readonly seed?: number;
  /** The largest number of images in one submission; the plan takes fewer where memory asks for it. */
  readonly maxBatch?: number;
}

/** How long work is followed and stopped. */
export interface WorkOptions {
  /** Between two submissions the work ends with the signal's reason. */
  readonly signal?: AbortSignal;
  /**
   * Called after each submission: images that went through the network, of those that may have to. An adaptive rule counts
   * against the most that it may take, and ends before.
   */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Work on one of several subjects that take as long as each other, as a part of the whole. */
export const partOf = ({ signal, onProgress }: WorkOptions, index: number, count: number): WorkOptions => ({
  signal,
  onProgress: onProgress && ((done, total) => onProgress(index * total + done, count * total)),
});

/** A method compiled for one model, which does one thing at a time. Dispose it when done. */
export interface Explainer {
  /**
   * pixels [N, H, W, 3] of 0 to 255, one target per image. Methods that need one submission an image neither look at
   * the signal nor report progress.
   */
  explain(pixels: Float32Array, targets: readonly Target[], work?: WorkOptions): Promise<Explanation[]>;
  dispose(): void;
  [Symbol.dispose](): void;
}

/** An entry of the registry of methods. */
export interface Method {
  readonly name: string;
  readonly title: string;
  readonly family: "cam" | "gradient" | "path" | "perturbation";
  readonly create: (model: ExplainableModel, options?: MethodOptions) => Promise<Explainer>;
  /** Of a method that cannot explain every model at every layer: throws a GraphError that says why not, as `create` does. */
  readonly check?: (model: ExplainableModel, options?: MethodOptions) => void;
}

/** A target as the classes that it names. @throws UsageError for what is no target, such as the name of a class */
export function weightedClasses(target: Target): readonly WeightedClass[] {
  if (typeof target === "number") return [{ class: target, weight: 1 }];
  if (Array.isArray(target)) return target;
  if (typeof target !== "object" || target === null || !("versus" in target))
    throw new UsageError(
      `expected the number of a class, { class, versus } or a list of { class, weight } as target, found ${JSON.stringify(target)}`,
    );
  return [
    { class: target.class, weight: 1 },
    { class: target.versus, weight: -1 },
  ];
}

/**
 * Targets as weights of the classes, [N, classes] row by row.
 * @throws GraphError for a class that the model does not have, a target without classes, or one that cancels out.
 */
export function targetWeights(targets: readonly Target[], classes: number): Float32Array {
  const weights = new Float32Array(targets.length * classes);
  targets.forEach((target, row) => {
    for (const { class: index, weight } of weightedClasses(target)) {
      if (!(Number.isInteger(index) && index >= 0 && index < classes && Number.isFinite(weight)))
        throw new GraphError(
          `expected classes from 0 to ${classes - 1} with finite weights, found class ${index} with weight ${weight}`,
        );
      weights[row * classes + index] += weight;
    }
    if (weights.subarray(row * classes, (row + 1) * classes).every((weight) => weight === 0))
      throw new GraphError(
        "expected a target with at least one class that counts; a class against itself says nothing",
      );
  });
  return weights;
}

/** The sum of an attribution [H, W, 3] over its channels: a signed map. */
export function channelSum(attribution: Float32Array, [height, width]: readonly [number, number]): RawHeatmap {
  const values = new Float32Array(height * width);
  for (let at = 0; at < values.length; at++)
    values[at] = attribution[3 * at] + attribution[3 * at + 1] + attribution[3 * at + 2];
  return { height, width, values, signed: true };
}
