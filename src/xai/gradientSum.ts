import { gradients } from "../engine/autodiff.ts";
import { compile } from "../engine/compile.ts";
import type { Node, Tensor } from "../engine/graph.ts";
import { input } from "../engine/ops/sources.ts";
import type { Plan } from "../engine/plan/plan.ts";
import type { TypedArray } from "../engine/types.ts";
import { Accumulator } from "./accumulator.ts";
import { type Target, targetWeights, type WorkOptions } from "./explanation.ts";
import { type ExplainableModel, logitsOf, type Score, targetScore } from "./model.ts";

/** Points of the model's preprocessed input, and what the gradient at each adds to each of some sums. */
export interface GradientPoints {
  /** [BATCH, H, W, 3]. */
  readonly points: Tensor;
  /** What a batch of gradients [BATCH, H, W, 3] adds to each sum, by its name; without a batch axis. */
  readonly sums: (gradient: Tensor) => Readonly<Record<string, Tensor>>;
}

export interface GradientSumOptions {
  readonly score?: Score;
  /** The largest number of points in one submission; the plan takes fewer where memory asks for it. */
  readonly maxBatch?: number;
}

/**
 * Gradients of a score at many points, summed on the GPU: the points are the batch of one plan, which is cut to what the
 * adapter takes. Dispose it when done.
 */
export class GradientSum {
  private constructor(
    private readonly plan: Plan,
    private readonly sums: ReadonlyMap<string, Accumulator>,
    private readonly classes: number,
  ) {}

  /** @throws LimitError when not even one point fits the memory. */
  static async create(
    model: ExplainableModel,
    { points, sums: sumsOf }: GradientPoints,
    { score = "logit", maxBatch = 8 }: GradientSumOptions = {},
  ): Promise<GradientSum> {
    const logits = logitsOf(model.build(points));
    const classes = logits.shape[1];
    const scores = targetScore(logits, input("targets", [1, classes]), score);
    const [gradient] = gradients(scores, [points]);
    const sums = new Map<string, Accumulator>();
    const updates: Node[] = [];
    for (const [name, value] of Object.entries(sumsOf(gradient))) {
      const total = new Accumulator(model.parameters, value.shape);
      sums.set(name, total);
      updates.push(total.adding(value));
    }
    const options = { parameters: model.parameters, maxBatch, shrinkBatch: true };
    return new GradientSum(await compile(model.device, { outputs: { scores }, updates }, options), sums, classes);
  }

  /**
   * Adds `count` points. `shared` inputs are the same for all; of `each` input, point n has an equal part.
   * Returns the scores of the points.
   * @throws the signal's reason; then the sums are to be reset.
   */
  async add(
    target: Target,
    count: number,
    shared: Readonly<Record<string, TypedArray>>,
    each: Readonly<Record<string, TypedArray>>,
    { signal, onProgress }: WorkOptions = {},
  ): Promise<Float32Array> {
    const targets = targetWeights([target], this.classes);
    const scores = new Float32Array(count);
    for (let start = 0; start < count; start += this.plan.chunk) {
      signal?.throwIfAborted();
      const end = Math.min(count, start + this.plan.chunk);
      const part = Object.entries(each).map(([name, data]) => {
        const size = data.length / count;
        return [name, data.subarray(start * size, end * size)];
      });
      const run = await this.plan.run({ ...shared, targets, ...Object.fromEntries(part) });
      scores.set(run.scores, start);
      onProgress?.(end, count);
    }
    return scores;
  }

  /** What has been added to a sum since it was reset. */
  read(name: string): Promise<Float32Array> {
    return (this.sums.get(name) as Accumulator).read();
  }

  reset(): void {
    for (const total of this.sums.values()) total.reset();
  }

  dispose(): void {
    this.plan.dispose();
    for (const total of this.sums.values()) total.dispose();
  }
}
