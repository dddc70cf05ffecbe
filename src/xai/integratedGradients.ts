import { GraphError } from "../engine/errors.ts";
import { add, multiply, subtract } from "../engine/ops/binary.ts";
import { matmulOuter } from "../engine/ops/matmul.ts";
import { reshape } from "../engine/ops/reshape.ts";
import { input } from "../engine/ops/sources.ts";
import { BATCH } from "../engine/types.ts";
import { type PanelSums, panels } from "./adaptive.ts";
import type { Target, WorkOptions } from "./explanation.ts";
import { type GradientPoints, GradientSum } from "./gradientSum.ts";
import type { ExplainableModel, Score } from "./model.ts";
import { integratePath, type PathIntegral, pathWork, withGap } from "./pathIntegral.ts";
import { type PathRule, type Quadrature, quadrature } from "./quadrature.ts";

export interface IntegratedGradientsOptions {
  /** Number of evaluations of a rule of fixed length; default 50. */
  readonly steps?: number;
  /** Default `gauss-legendre`; `adaptive` takes as many evaluations as each image needs. */
  readonly rule?: PathRule;
  /** Adaptive rule: the largest relative completeness gap; default 1e-2. */
  readonly tolerance?: number;
  /** Adaptive rule: the most evaluations; default 1024. */
  readonly maxEvaluations?: number;
  /** Default `logit`. */
  readonly score?: Score;
  /** The largest number of path points in one submission; the plan takes fewer where memory asks for it. */
  readonly maxBatch?: number;
}

export interface Attribution extends Omit<PathIntegral, "integral"> {
  /** [H, W, 3], how much each value moved the score from the baseline's to the image's. */
  readonly attribution: Float32Array;
  /** |Σ attribution − (score(image) − score(baseline))|, in units of the score: what the quadrature missed. */
  readonly completenessGap: number;
  /** The gap as a share of the difference of the scores. */
  readonly relativeGap: number;
}

/**
 * Integrated Gradients (Sundararajan et al. 2017) along the straight line from a baseline: (x − x₀) ⊙ ∫ ∂score/∂x(x₀ + α(x − x₀)) dα.
 * The points of the path are the batch of one plan; their weighted gradients are summed on the GPU. Dispose it when done.
 */
export class IntegratedGradients {
  private constructor(
    private readonly model: ExplainableModel,
    private readonly path: GradientSum,
    private readonly options: IntegratedGradientsOptions,
    /** Points and weights of a rule of fixed length. */
    readonly quadrature: Quadrature | null,
  ) {}

  /** @throws LimitError when not even one point of the path fits the memory. */
  static async create(model: ExplainableModel, options: IntegratedGradientsOptions = {}): Promise<IntegratedGradients> {
    const { steps = 50, rule = "gauss-legendre" } = options;
    if (!Number.isInteger(steps) || steps < 1)
      throw new GraphError(`steps must be a whole number of at least 1, found ${steps}`);
    const fixed = rule === "adaptive" ? null : quadrature(rule, steps);
    const path = await GradientSum.create(model, straightPath(model, fixed ? 1 : panels), options);
    return new IntegratedGradients(model, path, options, fixed);
  }

  /**
   * Explains one image; `image` and `baseline` are pixels [H, W, 3] of 0 to 255.
   * @throws GraphError for images of another size; the signal's reason.
   */
  async explain(
    image: Float32Array,
    baseline: Float32Array,
    target: Target,
    work: WorkOptions = {},
  ): Promise<Attribution> {
    const [height, width] = this.model.inputSize;
    const size = height * width * 3;
    if (image.length !== size || baseline.length !== size)
      throw new GraphError(
        `expected image and baseline of ${height} × ${width} × 3 values, found ${image.length} and ${baseline.length}`,
      );
    const ends = { image: this.#preprocessed(image), baseline: this.#preprocessed(baseline) };
    const direction = ends.image.map((value, index) => value - ends.baseline[index]);
    const workOf = pathWork(this.quadrature, this.options, work);
    this.path.reset();
    const sums: PanelSums = {
      add: (alphas, weights) => this.path.add(target, alphas.length, ends, { alphas, weights }, workOf(alphas.length)),
      read: () => this.path.read("gradient"),
    };
    const { integral, scores, ...rest } = await integratePath(sums, this.quadrature, direction, this.options);
    return {
      ...withGap(
        integral.map((value, index) => value * direction[index]),
        scores,
      ),
      ...rest,
    };
  }

  #preprocessed(pixels: Float32Array): Float32Array {
    const { scale, offset } = this.model.preprocessing;
    return pixels.map((value) => value * Math.fround(scale) + offset);
  }

  dispose(): void {
    this.path.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Points baseline + α_n · (image − baseline), both preprocessed; sum p takes Σ_n weights[n, p] · gradient_n. */
function straightPath(model: ExplainableModel, sums: number): GradientPoints {
  const shape = [...model.inputSize, 3];
  const size = shape.reduce((product, side) => product * side);
  const baseline = input("baseline", [1, ...shape]);
  const alphas = reshape(input("alphas", [BATCH]), [BATCH, 1, 1, 1]);
  const weights = input("weights", [BATCH, sums]);
  return {
    points: add(multiply(subtract(input("image", [1, ...shape]), baseline), alphas), baseline),
    sums: (gradient) => ({ gradient: matmulOuter(weights, reshape(gradient, [BATCH, size])) }),
  };
}
