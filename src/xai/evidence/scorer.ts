import { compile } from "../../engine/compile.ts";
import { ShapeError } from "../../engine/errors.ts";
import { softmax } from "../../engine/ops/softmax.ts";
import { input } from "../../engine/ops/sources.ts";
import type { Plan } from "../../engine/plan/plan.ts";
import { BATCH } from "../../engine/types.ts";
import { type ExplainableModel, logitsOf, preprocess } from "../model.ts";

/** What a model says of images: the numbers that evidence is measured by. */
export interface ClassScores {
  /** [N], of each image's own class. */
  readonly logit: Float32Array;
  /** [N] */
  readonly prob: Float32Array;
  /** [N], the likeliest class. */
  readonly predicted: Int32Array;
}

/** Pixels in, scores of the asked classes out. Dispose it when done. */
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
   * @throws ShapeError when pixels and classes disagree, or a class does not exist
   */
  async score(pixels: Float32Array, classes: ArrayLike<number>): Promise<ClassScores> {
    const [height, width] = this.model.inputSize;
    const count = classes.length;
    if (pixels.length !== count * height * width * 3)
      throw new ShapeError(`expected ${count} images of ${height} × ${width} × 3, found ${pixels.length} values`);
    const { logits, probabilities } = await this.plan.run({ pixels });
    const classCount = logits.length / count;
    const at = (values: ArrayLike<number>): Float32Array =>
      Float32Array.from({ length: count }, (_, image) => {
        const chosen = classes[image];
        if (!(Number.isInteger(chosen) && chosen >= 0 && chosen < classCount))
          throw new ShapeError(`expected a class from 0 to ${classCount - 1}, found ${chosen}`);
        return values[image * classCount + chosen];
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
