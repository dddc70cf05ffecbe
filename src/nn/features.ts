import { compile } from "../engine/compile.ts";
import { NonFiniteError } from "../engine/errors.ts";
import { input } from "../engine/ops/sources.ts";
import type { Classifier, Pixels, PixelType } from "./classifier.ts";
import { describeNonFinite } from "./nonFinite.ts";

/** Images that can be fetched by number, wherever they lie. */
export interface PixelSource {
  readonly count: number;
  /** What `batch` gives: bytes, a quarter of the transfer, or floats, where a resize gave fractions; default `f32`. */
  readonly dtype?: PixelType;
  /** Pixels of these images in this order, [indices.length, H, W, 3], values 0 to 255. */
  batch(indices: ArrayLike<number>): Pixels | Promise<Pixels>;
}

/** A pixel source with the class of each image. */
export interface LabelledPixelSource extends PixelSource {
  readonly labels: Int32Array;
}

export interface FeatureOptions {
  /** Images that go to the GPU together; default 16. */
  readonly batch?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** The images of a source from first to last in runs of `size`; the next run is fetched while the caller works on one. */
export async function* batchesOf(
  source: PixelSource,
  size: number,
): AsyncGenerator<{ start: number; count: number; pixels: Pixels }> {
  const fetch = async (start: number) => {
    const count = Math.min(size, source.count - start);
    const pixels = await source.batch(Array.from({ length: count }, (_, index) => start + index));
    return { start, count, pixels };
  };
  let next = fetch(0);
  for (let start = 0; start < source.count; start += size) {
    const current = await next;
    if (start + size < source.count) {
      next = fetch(start + size);
      // Awaited in the next round; the caller may stop before.
      next.catch(() => undefined);
    }
    yield current;
  }
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
  const { pooled } = classifier.build(classifier.preprocess(classifier.pixelInput(source.dtype)));
  const channels = pooled.shape[1];
  const features = new Float32Array(source.count * channels);
  if (source.count === 0) return features;
  const { device, parameters } = classifier;
  const plan = await compile(device, { outputs: { pooled } }, { parameters, maxBatch: Math.min(batch, source.count) });
  try {
    for await (const { start, count, pixels } of batchesOf(source, batch)) {
      signal?.throwIfAborted();
      const { pooled: values } = await plan.run({ pixels });
      if (values.some((value) => !Number.isFinite(value))) {
        const found = await describeNonFinite(device, parameters, { pooled }, { pixels });
        throw new NonFiniteError(
          `features of images ${start} to ${start + count - 1}: expected finite numbers, found ${found}; check the weights and the images`,
        );
      }
      features.set(values, start * channels);
      onProgress?.(start + count, source.count);
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
