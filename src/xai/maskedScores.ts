import { compile } from "../engine/compile.ts";
import { add, multiply, subtract } from "../engine/ops/binary.ts";
import { sum } from "../engine/ops/reduce.ts";
import { reshape } from "../engine/ops/reshape.ts";
import { input } from "../engine/ops/sources.ts";
import { scale } from "../engine/ops/unary.ts";
import type { Plan } from "../engine/plan/plan.ts";
import { BATCH } from "../engine/types.ts";
import { Accumulator } from "./accumulator.ts";
import { type Target, targetWeights } from "./explanation.ts";
import { classesOf, type ExplainableModel, logitsOf, preprocess, type Score, targetScore } from "./model.ts";

export interface MaskedScoresOptions {
  readonly score: Score;
  /** What the scores are summed over: where a mask keeps the image, or where it hides it. */
  readonly credit: "kept" | "hidden";
  readonly maxBatch?: number;
}

/** Image and baseline are pixels [H, W, 3] of 0 to 255; the baseline stands where a mask hides the image. */
export interface MaskedSubject {
  readonly image: Float32Array;
  readonly baseline: Float32Array;
  readonly target: Target;
}

/** An image under many masks: masks are the batch of one plan, and their scores are summed into a map on the GPU. */
export class MaskedScores {
  private constructor(
    private readonly plan: Plan,
    private readonly total: Accumulator,
    private readonly classes: number,
  ) {}

  static async create(model: ExplainableModel, options: MaskedScoresOptions): Promise<MaskedScores> {
    const { score, credit, maxBatch = 16 } = options;
    const [height, width] = model.inputSize;
    const classes = classesOf(model);
    const masks = input("masks", [BATCH, height, width, 1]);
    const origin = input("baseline", [1, height, width, 3]);
    const masked = add(multiply(subtract(input("image", [1, height, width, 3]), origin), masks), origin);
    const logits = logitsOf(model.build(preprocess(model, masked)));
    const scores = targetScore(logits, input("targets", [1, classes]), score);
    const change = reshape(subtract(scores, input("reference", [1])), [BATCH, 1, 1, 1]);
    const total = new Accumulator(model.parameters, [height, width, 1]);
    const places = credit === "kept" ? masks : scale(masks, -1, 1);
    const plan = await compile(
      model.device,
      { outputs: { scores }, updates: [total.adding(sum(multiply(places, change), [0]))] },
      { parameters: model.parameters, maxBatch, shrinkBatch: true },
    );
    return new MaskedScores(plan, total, classes);
  }

  /** Masks of one submission. */
  get chunk(): number {
    return this.plan.chunk;
  }

  /**
   * Adds Σ_n (score_n − reference) · place_n for masks [n, H, W] (1 keeps the image, 0 hides it), n at most `chunk`, and
   * returns the scores [n].
   */
  async add(subject: MaskedSubject, masks: Float32Array, reference = 0): Promise<Float32Array> {
    const { image, baseline, target } = subject;
    const targets = targetWeights([target], this.classes);
    const inputs = { image, baseline, targets, masks, reference: Float32Array.of(reference) };
    return (await this.plan.run(inputs)).scores as Float32Array;
  }

  /** The sum [H, W] of what was added since the last `reset`. */
  sum(): Promise<Float32Array> {
    return this.total.read();
  }

  reset(): void {
    this.total.reset();
  }

  dispose(): void {
    this.plan.dispose();
    this.total.dispose();
  }
}
