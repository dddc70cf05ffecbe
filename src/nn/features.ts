import { compile } from "../engine/compile.ts";
import { NonFiniteError } from "../engine/errors.ts";
import { input } from "../engine/ops/sources.ts";
import type { Classifier } from "./classifier.ts";
import { describeNonFinite } from "./nonFinite.ts";
import { batchesOf, type PixelSource } from "./pixelSource.ts";

export interface FeatureOptions {
  /** Images that go to the GPU together; default 16. */
  readonly batch?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * What a head is trained on: the mean over height and width of the last activation, with the frozen backbone.
 * @returns float32 [N, C], row-major, C the channels of the last activation.
 * @throws ShapeError when the pixels do not fit the classifier's input; NonFiniteError naming the layer in which a NaN or an
 * infinity appears; what the GPU reports; the signal's reason.
 */
export async function computeFeatures(
  classifier: Classifier,
  source: PixelSource,
  { batch = 16, signal, onProgress }: FeatureOptions = {},
): Promise<Float32Array> {
  const { pooled } = classifier.build(classifier.preprocess(source.build(classifier.inputSize).pixels));
  const channels = pooled.shape[1];
  const features = new Float32Array(source.count * channels);
  if (source.count === 0) return features;
  const { device, parameters } = classifier;
  const plan = await compile(device, { outputs: { pooled } }, { parameters, maxBatch: Math.min(batch, source.count) });
  try {
    for await (const { start, indices, inputs } of batchesOf(source, batch)) {
      signal?.throwIfAborted();
      const { pooled: values } = await plan.run(inputs);
      if (values.some((value) => !Number.isFinite(value))) {
        const found = await describeNonFinite(device, parameters, { pooled }, inputs);
        throw new NonFiniteError(
          `features of images ${start} to ${start + indices.length - 1}: expected finite numbers, found ${found}; check the weights and the images`,
        );
      }
      features.set(values, start * channels);
      onProgress?.(start + indices.length, source.count);
    }
  } finally {
    plan.dispose();
  }
  return features;
}

/** Channels of the features that `computeFeatures` gives for this classifier. */
export function featureChannels(classifier: Classifier): number {
  return classifier.build(input("pixels", classifier.inputShape)).pooled.shape[1];
}
