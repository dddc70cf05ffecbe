import { type Activation, compileActivations } from "./activations.ts";
import { baselinePixels } from "./baselines.ts";
import { camExplanation } from "./camExplainer.ts";
import { checkImages, type LayerMaps } from "./camPlan.ts";
import { type Explainer, type MethodOptions, partOf, type WorkOptions } from "./explanation.ts";
import { MaskedScores, type MaskedSubject } from "./maskedScores.ts";
import type { ExplainableModel } from "./model.ts";
import { upsampleHeatmap } from "./overlay.ts";

/** Channel `c` of an activation, up-sampled to the image and stretched to 0 … 1 (a channel without contrast is all 0). */
export function channelMask(
  { values, height, width, channels }: Omit<Activation, "layer">,
  c: number,
  size: readonly [number, number],
): Float32Array {
  const map = Float32Array.from({ length: height * width }, (_, place) => values[place * channels + c]);
  const mask = upsampleHeatmap({ values: map, height, width }, ...size);
  const low = mask.reduce((a, b) => Math.min(a, b), Infinity);
  const high = mask.reduce((a, b) => Math.max(a, b), -Infinity);
  return mask.map((value) => (value - low) / (high - low + 1e-8));
}

function softmaxOf(scores: readonly number[]): number[] {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const total = powers.reduce((sum, value) => sum + value, 0);
  return powers.map((value) => value / total);
}

async function layerMap(
  activation: Activation,
  masked: MaskedScores,
  subject: MaskedSubject,
  size: readonly [number, number],
  { signal, onProgress }: WorkOptions,
): Promise<Float32Array> {
  const { channels, height, width, values } = activation;
  const perMask = size[0] * size[1];
  const scores: number[] = [];
  while (scores.length < channels) {
    signal?.throwIfAborted();
    const masks = new Float32Array(Math.min(masked.chunk, channels - scores.length) * perMask);
    for (let at = 0; at < masks.length / perMask; at++)
      masks.set(channelMask(activation, scores.length + at, size), at * perMask);
    scores.push(...(await masked.add(subject, masks)));
    onProgress?.(scores.length, channels);
  }
  const weights = softmaxOf(scores);
  return Float32Array.from({ length: height * width }, (_, place) =>
    weights.reduce((sum, weight, c) => sum + weight * values[place * channels + c], 0),
  );
}

/**
 * Score-CAM (Wang et al. 2020) as pytorch-grad-cam has it: the image is multiplied, after preprocessing, by each channel of
 * the layer as a mask; the softmax of the masked images' scores weighs the channels. One forward pass a channel, no gradient.
 */
export async function createScoreCam(
  model: ExplainableModel,
  { layers, score = "logit", signed = false, maxBatch }: MethodOptions = {},
): Promise<Explainer> {
  const activations = await compileActivations(model, layers);
  const baseline = baselinePixels("zeros", model.inputSize, model.preprocessing);
  const masked = await MaskedScores.create(model, { score, credit: "kept", maxBatch });
  const dispose = (): void => {
    activations.dispose();
    masked.dispose();
  };
  return {
    async explain(pixels, targets, work = {}) {
      checkImages(model, pixels, targets.length);
      const size = pixels.length / targets.length;
      const results = [];
      for (let index = 0; index < targets.length; index++) {
        const image = pixels.subarray(index * size, (index + 1) * size);
        const maps: LayerMaps[] = [];
        let forwards = 1;
        const subject = { image, baseline, target: targets[index] };
        const activated = await activations.run(image);
        for (const [layer, activation] of activated.entries()) {
          const part = partOf(partOf(work, index, targets.length), layer, activated.length);
          const map = await layerMap(activation, masked, subject, model.inputSize, part);
          maps.push({ ...activation, maps: signed ? map : map.map((value) => Math.max(0, value)) });
          forwards += activation.channels;
        }
        const context = { method: "scorecam", inputSize: model.inputSize, signed, cost: { forwards, gradients: 0 } };
        results.push(camExplanation(maps, 0, targets[index], context));
      }
      return results;
    },
    dispose,
    [Symbol.dispose]: dispose,
  };
}
