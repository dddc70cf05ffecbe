import { compile } from "../../engine/compile.ts";
import { ShapeError } from "../../engine/errors.ts";
import { softmax } from "../../engine/ops/softmax.ts";
import { input } from "../../engine/ops/sources.ts";
import type { Plan } from "../../engine/plan/plan.ts";
import { BATCH } from "../../engine/types.ts";
import { type Target, targetWeights } from "../explanation.ts";
import { type ExplainableModel, logitsOf, preprocess } from "../model.ts";

/** What a model says of images: the numbers that evidence is measured by. */
export interface ClassScores {
  /** [N], of each image's own target. */
  readonly logit: Float32Array;
  /** [N] */
  readonly prob: Float32Array;
  /** [N], the likeliest class. */
  readonly predicted: Int32Array;
}

/** Pixels in, scores of the asked classes, or of sums of them, out. Dispose it when done. */
export class Scorer {
  private constructor(
    private readonly plan: Plan,
    readonly model: ExplainableModel,
  ) {}

  static async create(model: ExplainableModel, maxBatch = 8): Promise<Scorer> {
    const [height, width] = model.inputSize;
    const logits = logitsOf(model.build(preprocess(model, input("pixels", [BATCH, height, width, 3]))));
    const outputs = { logits, probabilities: softmax(logits) };
    return new Scorer(await compile(model.device, { outputs }, { parameters: model.parameters, maxBatch }), model);
  }

  /**
   * @param pixels [N, H, W, 3] of 0 to 255
   * @throws ShapeError when pixels and targets disagree; GraphError for a class that does not exist
   */
  async score(pixels: Float32Array, targets: readonly Target[]): Promise<ClassScores> {
    const [height, width] = this.model.inputSize;
    const count = targets.length;
    if (pixels.length !== count * height * width * 3)
      throw new ShapeError(`expected ${count} images of ${height} × ${width} × 3, found ${pixels.length} values`);
    const { logits, probabilities } = await this.plan.run({ pixels });
    const classCount = logits.length / count;
    const weights = targetWeights(targets, classCount);
    const at = (values: ArrayLike<number>): Float32Array =>
      Float32Array.from({ length: count }, (_, image) => {
        let total = 0;
        for (let place = image * classCount; place < (image + 1) * classCount; place++)
          if (weights[place] !== 0) total += weights[place] * values[place];
        return total;
      });
    const predicted = Int32Array.from({ length: count }, (_, image) => {
      const row = logits.subarray(image * classCount, (image + 1) * classCount) as Float32Array;
      return row.indexOf(row.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY));
    });
    return { logit: at(logits), prob: at(probabilities), predicted };
  }

  dispose(): void {
    this.plan.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
