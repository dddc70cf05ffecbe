import { add, multiply } from "../engine/ops/binary.ts";
import { noise } from "../engine/ops/erase.ts";
import { sum } from "../engine/ops/reduce.ts";
import { reshape } from "../engine/ops/reshape.ts";
import { fill, input } from "../engine/ops/sources.ts";
import { scale, square } from "../engine/ops/unary.ts";
import { BATCH, f32 } from "../engine/types.ts";
import { checkImages } from "./camPlan.ts";
import {
  channelSum,
  type Explainer,
  type Explanation,
  type MethodOptions,
  partOf,
  type RawHeatmap,
  type Target,
  type WorkOptions,
} from "./explanation.ts";
import { type GradientPoints, GradientSum } from "./gradientSum.ts";
import { type ExplainableModel, preprocess } from "./model.ts";

/** The spread of the noise of SmoothGrad as a share of the image's range, and its draws (Smilkov et al. 2017). */
const noiseShare = 0.15;
const defaultDraws = 25;

/**
 * Standard normal numbers [N, H, W, 3] at addresses i32 [N, 4]. The op that adds noise to pixels clips to 0 … 255: around
 * 127.5 with a spread of 16, no number that 24 random bits can give reaches the ends.
 */
function standardNormal(height: number, width: number, addresses: ReturnType<typeof input>) {
  const spread = 16;
  const middle = fill(f32(BATCH, height, width, 3), 127.5);
  const drawn = noise(middle, fill(f32(BATCH), spread), addresses);
  return scale(drawn, 1 / spread, -127.5 / spread);
}

/** One image with noise at each address; the sums of the gradients and of their squares. */
function noisyPoints(model: ExplainableModel): GradientPoints {
  const [height, width] = model.inputSize;
  const image = preprocess(model, input("image", [1, height, width, 3]));
  const deviation = reshape(input("deviation", [1]), [1, 1, 1, 1]);
  const draws = standardNormal(height, width, input("addresses", [BATCH, 4], "i32"));
  return {
    points: add(multiply(draws, deviation), image),
    sums: (gradient) => ({ gradient: sum(gradient, [0]), square: sum(square(gradient), [0]) }),
  };
}

/** The image alone. */
function plainPoint(model: ExplainableModel): GradientPoints {
  const [height, width] = model.inputSize;
  return {
    points: preprocess(model, input("pixels", [BATCH, height, width, 3])),
    sums: (gradient) => ({ gradient: sum(gradient, [0]) }),
  };
}

/** The largest magnitude over the channels at each place, as Simonyan et al. (2014) draw a gradient. */
function channelPeak(attribution: Float32Array, [height, width]: readonly [number, number]): RawHeatmap {
  const values = Float32Array.from({ length: height * width }, (_, at) =>
    Math.max(...attribution.subarray(3 * at, 3 * at + 3).map(Math.abs)),
  );
  return { height, width, values, signed: false };
}

interface GradientMethod {
  readonly name: string;
  readonly points: (model: ExplainableModel) => GradientPoints;
  readonly run: (
    sums: GradientSum,
    image: Float32Array,
    target: Target,
    work: WorkOptions,
  ) => Promise<{ attribution: Float32Array; gradients: number; details: Record<string, unknown> }>;
  readonly heatmap: (attribution: Float32Array, size: readonly [number, number]) => RawHeatmap;
}

async function gradientExplainer(
  model: ExplainableModel,
  { score, maxBatch }: MethodOptions,
  { name: method, points, run, heatmap }: GradientMethod,
): Promise<Explainer> {
  const sums = await GradientSum.create(model, points(model), { score, maxBatch });
  const dispose = (): void => sums.dispose();
  return {
    async explain(pixels, targets, work = {}) {
      checkImages(model, pixels, targets.length);
      const size = pixels.length / targets.length;
      const results: Explanation[] = [];
      for (const [index, target] of targets.entries()) {
        sums.reset();
        const image = pixels.subarray(index * size, (index + 1) * size);
        const { attribution, gradients, details } = await run(sums, image, target, partOf(work, index, targets.length));
        const map = heatmap(attribution, model.inputSize);
        results.push({
          method,
          target,
          heatmap: map,
          attribution,
          status: "ok",
          cost: { forwards: 0, gradients },
          details,
        });
      }
      return results;
    },
    dispose,
    [Symbol.dispose]: dispose,
  };
}

async function gradientAt(sums: GradientSum, image: Float32Array, target: Target): Promise<Float32Array> {
  await sums.add(target, 1, {}, { pixels: image });
  return sums.read("gradient");
}

/** Saliency (Simonyan et al. 2014): |∂score/∂x|, by its largest channel at each place. */
export const createSaliency = (model: ExplainableModel, options: MethodOptions = {}): Promise<Explainer> =>
  gradientExplainer(model, options, {
    name: "saliency",
    points: plainPoint,
    heatmap: channelPeak,
    run: async (sums, image, target) => {
      const gradient = await gradientAt(sums, image, target);
      return { attribution: gradient.map(Math.abs), gradients: 1, details: {} };
    },
  });

/** Input × gradient (Shrikumar et al. 2016), x as the model's first layer gets it. */
export const createInputXGradient = (model: ExplainableModel, options: MethodOptions = {}): Promise<Explainer> =>
  gradientExplainer(model, options, {
    name: "input-x-gradient",
    points: plainPoint,
    heatmap: channelSum,
    run: async (sums, image, target) => {
      const gradient = await gradientAt(sums, image, target);
      const { scale: factor, offset } = model.preprocessing;
      const attribution = gradient.map((value, at) => value * (image[at] * factor + offset));
      return { attribution, gradients: 1, details: {} };
    },
  });

interface NoiseSums {
  readonly gradient: Float32Array;
  readonly square: Float32Array;
  readonly draws: number;
  readonly deviation: number;
}

/** The gradients of noisy copies; the deviation is in units of the preprocessed image. Draw n is a pure function of the seed and n. */
async function addNoise(
  model: ExplainableModel,
  { samples = defaultDraws, seed = 0 }: MethodOptions,
  sums: GradientSum,
  image: Float32Array,
  target: Target,
  work: WorkOptions,
): Promise<NoiseSums> {
  const low = image.reduce((a, b) => Math.min(a, b), Infinity);
  const high = image.reduce((a, b) => Math.max(a, b), -Infinity);
  const deviation = noiseShare * (high - low) * Math.abs(model.preprocessing.scale);
  const addresses = new Int32Array(4 * samples);
  for (let draw = 0; draw < samples; draw++) addresses.set([seed, 0, draw, 0], 4 * draw);
  await sums.add(target, samples, { image, deviation: Float32Array.of(deviation) }, { addresses }, work);
  const [gradient, squares] = [await sums.read("gradient"), await sums.read("square")];
  return { gradient, square: squares, draws: samples, deviation };
}

/** SmoothGrad (Smilkov et al. 2017): the mean gradient of noisy copies. */
export const createSmoothGrad = (model: ExplainableModel, options: MethodOptions = {}): Promise<Explainer> =>
  gradientExplainer(model, options, {
    name: "smoothgrad",
    points: noisyPoints,
    heatmap: channelPeak,
    run: async (sums, image, target, work) => {
      const { gradient, draws, deviation } = await addNoise(model, options, sums, image, target, work);
      const details = { draws, deviation, seed: options.seed ?? 0 };
      return { attribution: gradient.map((total) => total / draws), gradients: draws, details };
    },
  });

/** VarGrad (Adebayo et al. 2018): the variance of those gradients, E[g²] − E[g]². */
export const createVarGrad = (model: ExplainableModel, options: MethodOptions = {}): Promise<Explainer> =>
  gradientExplainer(model, options, {
    name: "vargrad",
    points: noisyPoints,
    heatmap: channelPeak,
    run: async (sums, image, target, work) => {
      const { gradient, square: squares, draws, deviation } = await addNoise(model, options, sums, image, target, work);
      const attribution = squares.map((total, at) => Math.max(0, total / draws - (gradient[at] / draws) ** 2));
      return { attribution, gradients: draws, details: { draws, deviation, seed: options.seed ?? 0 } };
    },
  });
