import { add, multiply } from "../engine/ops/binary.ts";
import { filterColumns, filterRows } from "../engine/ops/filters.ts";
import { matmulOuter } from "../engine/ops/matmul.ts";
import { expand } from "../engine/ops/reduce.ts";
import { reshape } from "../engine/ops/reshape.ts";
import { input } from "../engine/ops/sources.ts";
import { BATCH } from "../engine/types.ts";
import { panels } from "./adaptive.ts";
import { gaussianWeights } from "./baselines.ts";
import type { Target, WorkOptions } from "./explanation.ts";
import { type GradientPoints, GradientSum } from "./gradientSum.ts";
import type { Attribution, IntegratedGradientsOptions } from "./integratedGradients.ts";
import { type ExplainableModel, preprocess } from "./model.ts";
import { integratePath, pathWork, withGap } from "./pathIntegral.ts";
import { type Quadrature, quadrature } from "./quadrature.ts";

/** How far the path blurs: 50 pixels as in the paper's code, less for images smaller than its own. */
export const largestSigma = ([height, width]: readonly [number, number]): number =>
  Math.min(50, Math.max(height, width) / 4);

/** The derivative of `gaussianWeights` by σ. */
export function gaussianSlopes(sigma: number, radius: number): Float64Array {
  const weights = gaussianWeights(sigma, radius);
  if (sigma === 0) return new Float64Array(weights.length);
  const rate = weights.map((weight, index) => (weight * (index - radius) ** 2) / sigma ** 3);
  const total = rate.reduce((sum, value) => sum + value, 0);
  return rate.map((value, index) => value - weights[index] * total);
}

/**
 * Blur Integrated Gradients (Xu et al. 2020): the path runs from the image blurred with a Gaussian of the largest σ to the
 * image itself, and the attribution is ∫ ∂score/∂L ⊙ ∂L/∂σ dσ with the exact derivative of the blur. The border's pixels
 * repeat. Options are those of Integrated Gradients. Dispose it when done.
 */
export class BlurIntegratedGradients {
  private constructor(
    private readonly model: ExplainableModel,
    private readonly path: GradientSum,
    private readonly options: IntegratedGradientsOptions,
    private readonly rule: Quadrature | null,
  ) {}

  static async create(
    model: ExplainableModel,
    options: IntegratedGradientsOptions = {},
  ): Promise<BlurIntegratedGradients> {
    const { steps = 50, rule = "adaptive" } = options;
    const fixed = rule === "adaptive" ? null : quadrature(rule, steps);
    const path = await GradientSum.create(model, blurPath(model, fixed ? 1 : panels), options);
    return new BlurIntegratedGradients(model, path, options, fixed);
  }

  /** Explains one image, pixels [H, W, 3] of 0 to 255. @throws the signal's reason. */
  async explain(image: Float32Array, target: Target, work: WorkOptions = {}): Promise<Attribution> {
    const largest = largestSigma(this.model.inputSize);
    const radius = radiusOf(this.model.inputSize);
    const taps = 2 * radius + 1;
    const workOf = pathWork(this.rule, this.options, work);
    this.path.reset();
    const add = (alphas: Float32Array, weights: Float32Array): Promise<Float32Array> => {
      const kernels = new Float32Array(alphas.length * taps);
      const slopes = new Float32Array(alphas.length * taps);
      alphas.forEach((alpha, index) => {
        const sigma = largest * (1 - alpha);
        kernels.set(gaussianWeights(sigma, radius), index * taps);
        // σ falls along the path: dσ = −largest · dα.
        slopes.set(
          gaussianSlopes(sigma, radius).map((slope) => -largest * slope),
          index * taps,
        );
      });
      return this.path.add(target, alphas.length, { image }, { kernels, slopes, weights }, workOf(alphas.length));
    };
    const sums = { add, read: () => this.path.read("gradient") };
    const along = new Float32Array(image.length).fill(1);
    const { integral, scores, ...rest } = await integratePath(sums, this.rule, along, this.options);
    return { ...withGap(integral, scores), ...rest };
  }

  dispose(): void {
    this.path.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

const radiusOf = (size: readonly [number, number]): number => Math.ceil(4 * largestSigma(size));

function blurPath(model: ExplainableModel, sums: number): GradientPoints {
  const [height, width] = model.inputSize;
  const shape = [height, width, 3];
  const taps = 2 * radiusOf(model.inputSize) + 1;
  const image = expand(preprocess(model, input("image", shape)), [BATCH, ...shape], [0]);
  const kernels = input("kernels", [BATCH, taps]);
  const slopes = input("slopes", [BATCH, taps]);
  const rows = filterRows(image, kernels);
  const slope = add(filterColumns(filterRows(image, slopes), kernels), filterColumns(rows, slopes));
  const weights = input("weights", [BATCH, sums]);
  return {
    points: filterColumns(rows, kernels),
    sums: (gradient) => ({
      gradient: matmulOuter(weights, reshape(multiply(gradient, slope), [BATCH, height * width * 3])),
    }),
  };
}
