import { sum } from "../engine/ops/reduce.ts";
import { input } from "../engine/ops/sources.ts";
import { BATCH } from "../engine/types.ts";
import type { Target, WorkOptions } from "./explanation.ts";
import { GradientSum } from "./gradientSum.ts";
import type { Attribution } from "./integratedGradients.ts";
import type { ExplainableModel, Score } from "./model.ts";
import { withGap } from "./pathIntegral.ts";

export interface GuidedOptions {
  /** Gradients along the path, one after the other; default 50. */
  readonly steps?: number;
  /** The share of values, those with the smallest gradients, that move first; default 0.25. */
  readonly fraction?: number;
  /** How far a value may stray from the straight line, as a share of it; default 0.02. */
  readonly maxDistance?: number;
  readonly score?: Score;
}

/** Where the path stands, and what it has collected. */
interface Walk {
  readonly x: Float64Array;
  readonly attribution: Float64Array;
  readonly image: Float32Array;
  readonly origin: Float32Array;
}

const distanceToImage = ({ x, image }: Walk): number =>
  x.reduce((sum, value, at) => sum + Math.abs(value - image[at]), 0);

/**
 * One step of the path: values that lag behind the corridor are moved up to it, then those with the smallest gradients
 * move, at most to the corridor's end, until the distance to the image is `wanted`.
 */
export function guidedStep(
  walk: Walk,
  gradient: Float32Array,
  alpha: number,
  wanted: number,
  options: { readonly fraction: number; readonly maxDistance: number },
): void {
  const { x, attribution, image, origin } = walk;
  const low = Math.max(alpha - options.maxDistance, 0);
  const high = Math.min(alpha + options.maxDistance, 1);
  const pointAt = (at: number, share: number): number => origin[at] + share * (image[at] - origin[at]);
  const moveTo = (at: number, value: number): void => {
    attribution[at] += (value - x[at]) * gradient[at];
    x[at] = value;
  };
  for (let at = 0; at < x.length; at++) {
    const way = image[at] - origin[at];
    if (way !== 0 && (x[at] - origin[at]) / way < low) moveTo(at, pointAt(at, low));
  }
  for (;;) {
    const left = distanceToImage(walk) - wanted;
    if (left <= 1e-9 * Math.max(1, wanted)) return;
    const free = [...x.keys()].filter((at) => x[at] !== pointAt(at, high));
    if (free.length === 0) return;
    const chosen = smallest(gradient, free, Math.floor((x.length - 1) * options.fraction));
    const reach = chosen.reduce((sum, at) => sum + Math.abs(pointAt(at, high) - x[at]), 0);
    const share = reach > 0 ? left / reach : Infinity;
    for (const at of chosen) {
      const end = pointAt(at, high);
      moveTo(at, share < 1 ? x[at] + share * (end - x[at]) : end);
    }
    if (share <= 1) return;
  }
}

/** The values whose gradients are at most that at `place`, from 0, of all that are free to move: the lower quantile of the authors' code. */
function smallest(gradient: Float32Array, free: readonly number[], place: number): readonly number[] {
  const magnitudes = Float32Array.from(free, (at) => Math.abs(gradient[at])).sort();
  const threshold = magnitudes[Math.min(magnitudes.length - 1, place)];
  return free.filter((at) => Math.abs(gradient[at]) <= threshold);
}

/**
 * Guided Integrated Gradients (Kapishnikov et al. 2021): the path is chosen step by step so that values with small gradients
 * move first, inside a corridor around the straight line; the attribution is Σ gradient ⊙ step. Each step needs the one
 * before, so its gradients are taken one by one. Dispose it when done.
 */
export class GuidedIntegratedGradients {
  private constructor(
    private readonly model: ExplainableModel,
    private readonly points: GradientSum,
    private readonly options: Required<Pick<GuidedOptions, "steps" | "fraction" | "maxDistance">>,
  ) {}

  static async create(model: ExplainableModel, options: GuidedOptions = {}): Promise<GuidedIntegratedGradients> {
    const { steps = 50, fraction = 0.25, maxDistance = 0.02, score } = options;
    const points = input("x", [BATCH, ...model.inputSize, 3]);
    const sums = { points, sums: (gradient: typeof points) => ({ gradient: sum(gradient, [0]) }) };
    const plan = await GradientSum.create(model, sums, { score, maxBatch: 1 });
    return new GuidedIntegratedGradients(model, plan, { steps, fraction, maxDistance });
  }

  /** Explains one image; `image` and `baseline` are pixels [H, W, 3] of 0 to 255. @throws the signal's reason. */
  async explain(
    image: Float32Array,
    baseline: Float32Array,
    target: Target,
    { signal, onProgress }: WorkOptions = {},
  ): Promise<Attribution> {
    const { scale, offset } = this.model.preprocessing;
    const [end, origin] = [image, baseline].map((pixels) => pixels.map((value) => value * scale + offset));
    const walk: Walk = { x: Float64Array.from(origin), attribution: new Float64Array(end.length), image: end, origin };
    const whole = distanceToImage(walk);
    const { steps } = this.options;
    let first = 0;
    for (let step = 1; step <= steps; step++) {
      signal?.throwIfAborted();
      const { gradient, score } = await this.#gradientAt(Float32Array.from(walk.x), target);
      onProgress?.(step, steps + 1);
      if (step === 1) first = score;
      guidedStep(walk, gradient, step / steps, whole * (1 - step / steps), this.options);
    }
    const last = await this.#gradientAt(end, target);
    onProgress?.(steps + 1, steps + 1);
    const scores = { image: last.score, baseline: first };
    return { ...withGap(Float32Array.from(walk.attribution), scores), evaluations: steps + 1 };
  }

  async #gradientAt(x: Float32Array, target: Target): Promise<{ gradient: Float32Array; score: number }> {
    this.points.reset();
    const [score] = await this.points.add(target, 1, {}, { x });
    return { gradient: await this.points.read("gradient"), score };
  }

  dispose(): void {
    this.points.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
