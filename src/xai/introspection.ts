import { gradients } from "../engine/autodiff.ts";
import { compile } from "../engine/compile.ts";
import { ShapeError } from "../engine/errors.ts";
import { type Tensor, topologicalOrder } from "../engine/graph.ts";
import { maxReduce } from "../engine/ops/extremes.ts";
import { relu6Mask } from "../engine/ops/masks.ts";
import { mean, sum } from "../engine/ops/reduce.ts";
import { input, ones } from "../engine/ops/sources.ts";
import { scale, square } from "../engine/ops/unary.ts";
import type { Plan, RunOutputs } from "../engine/plan/plan.ts";
import { BATCH } from "../engine/types.ts";
import { type ExplainableModel, logitsOf, type Score, scoreOf } from "./model.ts";
import {
  type NormalisationLayer,
  type NormalisationStatistics,
  normalisationLayers,
  normalisationMismatch,
  readStatistics,
} from "./normalisationLayers.ts";
import { PreprocessingCheck, type PreprocessingVerdict } from "./preprocessingVerdict.ts";

/** What a clipped activation min(max(x, 0), 6) does to its values, as shares in [0, 1]. */
export interface Clipping {
  /** Values at 0: they pass no gradient. */
  readonly dead: number;
  /** Values at 6: neither do they. */
  readonly saturated: number;
}

export interface LayerReport {
  /** The normalisation, or the activation that follows it. */
  readonly label: string;
  readonly shape: readonly number[];
  /** Of the layer's values: after the activation where there is one. */
  readonly minimum: number;
  readonly maximum: number;
  /** Before normalisation: mean and deviation over the layer, and what the moving statistics say that they should be. */
  readonly observed: { readonly mean: number; readonly deviation: number };
  readonly expected: { readonly mean: number; readonly deviation: number };
  /** KL(N(m, s²) ‖ N(μ, σ²)) in nats, mean over the channels. */
  readonly mismatch: number;
  /** Only of layers with a clipped activation; the expectation is that of a normal distribution with β and γ. */
  readonly clipping?: Clipping;
  readonly expectedClipping?: Clipping;
  /** Euclidean norm of the gradient of the score with respect to the layer's values. */
  readonly gradientNorm: number;
}

export interface Introspection {
  readonly verdict: PreprocessingVerdict;
  /** Range of the values that the network was given. */
  readonly input: { readonly minimum: number; readonly maximum: number };
  readonly score: number;
  /** From the image to the logits. */
  readonly layers: readonly LayerReport[];
}

/**
 * Looks into a network at one image: each normalised layer's range, its share of dead and saturated activations and the norm
 * of its gradient, beside what the layer's moving statistics say that it should see; and whether the image was preprocessed as
 * the network expects. Dispose it when done.
 */
export class Introspector {
  private constructor(
    private readonly model: ExplainableModel,
    private readonly plan: Plan,
    private readonly check: PreprocessingCheck,
    private readonly layers: readonly NormalisationLayer[],
    private readonly statistics: readonly NormalisationStatistics[],
  ) {}

  /** @throws GraphError for a network without a head, or whose first layer has no normalisation */
  static async create(model: ExplainableModel, score: Score = "logit"): Promise<Introspector> {
    const [height, width] = model.inputSize;
    const logits = logitsOf(model.build(input("x", [BATCH, height, width, 3])));
    const layers = normalisationLayers(topologicalOrder([logits.node]));
    const scores = scoreOf(logits, input("classes", [BATCH], "i32"), score);
    const slopes = gradients(scores, layers.map(valuesOf));
    const outputs: Record<string, Tensor> = { scores };
    layers.forEach((layer, index) => {
      for (const [name, tensor] of Object.entries(measurements(layer, slopes[index])))
        outputs[`${name}/${index}`] = tensor;
    });
    const check = await PreprocessingCheck.create(model);
    const statistics = await Promise.all(layers.map((layer) => readStatistics(layer, model.parameters)));
    const plan = await compile(model.device, { outputs }, { parameters: model.parameters });
    return new Introspector(model, plan, check, layers, statistics);
  }

  /**
   * @param pixels [H, W, 3] of 0 to 255; the model's own preprocessing is applied
   * @throws ShapeError when they are no image of the model's size
   */
  inspect(pixels: Float32Array, classIndex: number): Promise<Introspection> {
    const { scale: factor, offset } = this.model.preprocessing;
    return this.inspectValues(
      pixels.map((value) => value * factor + offset),
      classIndex,
    );
  }

  /** The same for values [H, W, 3] exactly as the first layer gets them, however they were made. */
  async inspectValues(values: Float32Array, classIndex: number): Promise<Introspection> {
    const [height, width] = this.model.inputSize;
    if (values.length !== height * width * 3)
      throw new ShapeError(`expected an image of ${height} × ${width} × 3 values, found ${values.length}`);
    const verdict = await this.check.inspect(values);
    const run = await this.plan.run({ x: values, classes: Int32Array.of(classIndex) });
    return {
      verdict,
      input: { minimum: values.reduce((a, b) => Math.min(a, b)), maximum: values.reduce((a, b) => Math.max(a, b)) },
      score: run.scores[0],
      layers: this.layers.map((layer, index) => this.#report(layer, this.statistics[index], index, run)),
    };
  }

  #report(layer: NormalisationLayer, statistics: NormalisationStatistics, index: number, run: RunOutputs): LayerReport {
    const of = (name: string): ArrayLike<number> => run[`${name}/${index}`];
    const means = Float64Array.from(of("means"));
    const variances = means.map((value, channel) => Math.max(0, of("squares")[channel] - value * value));
    const clipped = layer.activation !== undefined;
    const values = valuesOf(layer);
    return {
      label: values.node.label ?? layer.label,
      shape: values.shape.slice(1),
      minimum: -of("lowest")[0],
      maximum: of("highest")[0],
      observed: overLayer(means, variances),
      expected: overLayer(statistics.mean, statistics.variance),
      mismatch: normalisationMismatch({ mean: means, variance: variances }, statistics, layer.epsilon),
      ...(clipped
        ? {
            clipping: { dead: 1 - of("alive")[0], saturated: of("alive")[0] - of("linear")[0] },
            expectedClipping: expectedClipping(statistics, layer.epsilon),
          }
        : {}),
      gradientNorm: Math.sqrt(of("gradient")[0]),
    };
  }

  dispose(): void {
    this.plan.dispose();
    this.check.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

const valuesOf = ({ activation, output }: NormalisationLayer): Tensor => activation ?? output;

function measurements(layer: NormalisationLayer, gradient: Tensor): Record<string, Tensor> {
  const values = valuesOf(layer);
  const everywhere = [1, 2, 3];
  const one = ones(values.type);
  return {
    means: mean(layer.input, [1, 2]),
    squares: mean(square(layer.input), [1, 2]),
    highest: maxReduce(values, everywhere),
    lowest: maxReduce(scale(values, -1), everywhere),
    gradient: sum(square(gradient), everywhere),
    // The mask is 1 where 0 < y < 6; of y / 2, which never reaches 6, it is 1 wherever y is above 0.
    ...(layer.activation
      ? {
          linear: mean(relu6Mask(values, one), everywhere),
          alive: mean(relu6Mask(scale(values, 0.5), one), everywhere),
        }
      : {}),
  };
}

/** Mean and deviation of all values of a layer, from those of its channels. */
function overLayer(
  means: ArrayLike<number>,
  variances: ArrayLike<number>,
): { readonly mean: number; readonly deviation: number } {
  let [total, squares] = [0, 0];
  for (let channel = 0; channel < means.length; channel++) {
    total += means[channel] / means.length;
    squares += (variances[channel] + means[channel] ** 2) / means.length;
  }
  return { mean: total, deviation: Math.sqrt(Math.max(0, squares - total * total)) };
}

/** Shares below 0 and above 6 where each channel is normal, as the training set left it after normalisation. */
function expectedClipping({ gamma, beta, variance }: NormalisationStatistics, epsilon: number): Clipping {
  let [dead, saturated] = [0, 0];
  gamma.forEach((factor, channel) => {
    const deviation = Math.abs(factor) * Math.sqrt(variance[channel] / (variance[channel] + epsilon));
    const below = (limit: number): number =>
      deviation > 0 ? normalDistribution((limit - beta[channel]) / deviation) : Number(limit >= beta[channel]);
    dead += below(0) / gamma.length;
    saturated += (1 - below(6)) / gamma.length;
  });
  return { dead, saturated };
}

/** Φ(z) by the error function's rational approximation 7.1.26 of Abramowitz and Stegun (1964), good to 1.5e-7. */
function normalDistribution(z: number): number {
  const t = 1 / (1 + 0.3275911 * (Math.abs(z) / Math.SQRT2));
  const polynomial = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = (polynomial * Math.exp((-z * z) / 2)) / 2;
  return z > 0 ? 1 - tail : tail;
}
