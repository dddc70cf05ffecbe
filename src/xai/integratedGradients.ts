import { gradients } from "../engine/autodiff.ts";
import { compile } from "../engine/compile.ts";
import { GraphError } from "../engine/errors.ts";
import type { Graph } from "../engine/graph.ts";
import { add, multiply, subtract } from "../engine/ops/binary.ts";
import { sum } from "../engine/ops/reduce.ts";
import { reshape } from "../engine/ops/reshape.ts";
import { input, parameter } from "../engine/ops/sources.ts";
import { accumulateUpdate } from "../engine/ops/updates.ts";
import type { Plan } from "../engine/plan/plan.ts";
import { BATCH } from "../engine/types.ts";
import { type ExplainableModel, logitsOf, preprocess, type Score, scoreOf } from "./model.ts";
import { type Quadrature, type QuadratureRule, quadrature } from "./quadrature.ts";

export interface IntegratedGradientsOptions {
  /** Number of evaluations on the path; default 50. */
  readonly steps?: number;
  /** Default `gauss-legendre`. */
  readonly rule?: QuadratureRule;
  /** Default `logit`. */
  readonly score?: Score;
  /** The largest number of path points in one submission; the plan takes fewer where memory asks for it. */
  readonly maxBatch?: number;
}

export interface Attribution {
  /** [H, W, 3]: how much each value moved the score from the baseline's to the image's. */
  readonly attribution: Float32Array;
  /** |Σ attribution − (score(image) − score(baseline))|, in units of the score: what the quadrature missed. */
  readonly completenessGap: number;
  /** The gap as a share of the difference of the scores. */
  readonly relativeGap: number;
  readonly scores: { readonly image: number; readonly baseline: number };
}

let instances = 0;

/**
 * Integrated Gradients (Sundararajan et al. 2017) along the straight line from a baseline: (x − x₀) ⊙ ∫ ∂score/∂x(x₀ + α(x − x₀)) dα.
 * The points of the path are the batch of one plan; their weighted gradients are summed on the GPU. Dispose it when done.
 */
export class IntegratedGradients {
  private constructor(
    private readonly model: ExplainableModel,
    private readonly path: Plan,
    private readonly ends: Plan,
    private readonly total: string,
    readonly quadrature: Quadrature,
  ) {}

  /** @throws LimitError when not even one point of the path fits the memory. */
  static async create(model: ExplainableModel, options: IntegratedGradientsOptions = {}): Promise<IntegratedGradients> {
    const { steps = 50, rule = "gauss-legendre", score = "logit", maxBatch = 8 } = options;
    if (!Number.isInteger(steps) || steps < 1)
      throw new GraphError(`steps must be a whole number of at least 1, found ${steps}`);
    const [height, width] = model.inputSize;
    const total = `integratedGradients/${instances++}`;
    model.parameters.set(total, new Float32Array(height * width * 3), [height, width, 3]);
    const path = await compile(model.device, pathGraph(model, score, total), {
      parameters: model.parameters,
      maxBatch: Math.min(maxBatch, steps),
      shrinkBatch: true,
    });
    const pixels = input("pixels", [BATCH, height, width, 3]);
    const logits = logitsOf(model.build(preprocess(model, pixels)));
    const scores = scoreOf(logits, input("classes", [BATCH], "i32"), score);
    const ends = await compile(model.device, { outputs: { scores } }, { parameters: model.parameters, maxBatch: 2 });
    return new IntegratedGradients(model, path, ends, total, quadrature(rule, steps));
  }

  /** Explains one image; `image` and `baseline` are pixels [H, W, 3] of 0 to 255. */
  async explain(image: Float32Array, baseline: Float32Array, classIndex: number): Promise<Attribution> {
    const [height, width] = this.model.inputSize;
    const size = height * width * 3;
    if (image.length !== size || baseline.length !== size)
      throw new GraphError(
        `expected image and baseline of ${height} × ${width} × 3 values, found ${image.length} and ${baseline.length}`,
      );
    const x = this.#preprocessed(image);
    const origin = this.#preprocessed(baseline);
    const gradient = await this.#integrate(x, origin, classIndex);
    const attribution = gradient.map((value, index) => value * (x[index] - origin[index]));
    const scores = await this.#endScores(image, baseline, classIndex);
    const difference = scores.image - scores.baseline;
    const completenessGap = Math.abs(attribution.reduce((sum, value) => sum + value, 0) - difference);
    return {
      attribution,
      completenessGap,
      relativeGap: completenessGap / Math.max(Math.abs(difference), 1e-12),
      scores,
    };
  }

  /** The weighted mean of the gradients along the path, summed on the GPU chunk by chunk. */
  async #integrate(image: Float32Array, baseline: Float32Array, classIndex: number): Promise<Float32Array> {
    const { nodes, weights } = this.quadrature;
    const shape = [...this.model.inputSize, 3];
    this.model.parameters.set(this.total, new Float32Array(image.length), shape);
    for (let start = 0; start < nodes.length; start += this.path.chunk) {
      const end = Math.min(nodes.length, start + this.path.chunk);
      await this.path.run({
        image,
        baseline,
        alphas: Float32Array.from(nodes.subarray(start, end)),
        weights: Float32Array.from(weights.subarray(start, end)),
        classes: new Int32Array(end - start).fill(classIndex),
      });
    }
    return (await this.model.parameters.get(this.total)) as Float32Array;
  }

  async #endScores(image: Float32Array, baseline: Float32Array, classIndex: number): Promise<Attribution["scores"]> {
    const pixels = new Float32Array(image.length * 2);
    pixels.set(image);
    pixels.set(baseline, image.length);
    const { scores } = await this.ends.run({ pixels, classes: Int32Array.of(classIndex, classIndex) });
    return { image: scores[0], baseline: scores[1] };
  }

  #preprocessed(pixels: Float32Array): Float32Array {
    const { scale, offset } = this.model.preprocessing;
    return pixels.map((value) => value * Math.fround(scale) + offset);
  }

  dispose(): void {
    this.path.dispose();
    this.ends.dispose();
    this.model.parameters.delete(this.total);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Adds Σ_n weight_n · ∂score/∂x(baseline + α_n · (image − baseline)) to the total; image and baseline are preprocessed. */
function pathGraph(model: ExplainableModel, score: Score, total: string): Graph {
  const [height, width] = model.inputSize;
  const image = input("image", [1, height, width, 3]);
  const baseline = input("baseline", [1, height, width, 3]);
  const alphas = reshape(input("alphas", [BATCH]), [BATCH, 1, 1, 1]);
  const weights = reshape(input("weights", [BATCH]), [BATCH, 1, 1, 1]);
  const x = add(multiply(subtract(image, baseline), alphas), baseline);
  const scores = scoreOf(logitsOf(model.build(x)), input("classes", [BATCH], "i32"), score);
  const [gradient] = gradients(scores, [x]);
  const weighted = sum(multiply(gradient, weights), [0]);
  return { outputs: {}, updates: [accumulateUpdate(parameter(total, [height, width, 3]), weighted)] };
}
