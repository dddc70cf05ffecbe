import { compile } from "../engine/compile.ts";
import { NonFiniteError } from "../engine/errors.ts";
import type { Tensor } from "../engine/graph.ts";
import { input } from "../engine/ops/sources.ts";
import { sizeOf } from "../engine/types.ts";
import type { Classifier } from "./classifier.ts";
import { describeNonFinite } from "./nonFinite.ts";
import { batchesOf, type PixelSource } from "./pixelSource.ts";

export interface FeatureOptions {
  /** Images that go to the GPU together; default 16. */
  readonly batch?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Values of nodes for every image of a source, by name: float32, row-major. */
export type Activations = Readonly<Record<string, Float32Array>>;

/**
 * Computes nodes for all images of a source.
 * @param outputs float tensors [N, …] made of what `source.build` gives
 * @throws NonFiniteError naming the layer in which a NaN or an infinity appears; what the GPU reports; the signal's reason.
 */
export async function computeActivations(
  { device, parameters }: Pick<Classifier, "device" | "parameters">,
  source: PixelSource,
  outputs: Readonly<Record<string, Tensor>>,
  { batch = 16, signal, onProgress }: FeatureOptions = {},
): Promise<Activations> {
  const perSample = (name: string): number => sizeOf(outputs[name].shape.slice(1));
  const names = Object.keys(outputs);
  const all = Object.fromEntries(names.map((name) => [name, new Float32Array(source.count * perSample(name))]));
  if (source.count === 0) return all;
  const plan = await compile(device, { outputs }, { parameters, maxBatch: Math.min(batch, source.count) });
  try {
    for await (const { start, indices, inputs } of batchesOf(source, batch)) {
      signal?.throwIfAborted();
      const values = (await plan.run(inputs)) as Record<string, Float32Array>;
      if (names.some((name) => values[name].some((value) => !Number.isFinite(value)))) {
        const found = await describeNonFinite(device, parameters, outputs, inputs);
        throw new NonFiniteError(
          `features of images ${start} to ${start + indices.length - 1}: expected finite numbers, found ${found}; check the weights and the images`,
        );
      }
      for (const name of names) all[name].set(values[name], start * perSample(name));
      onProgress?.(start + indices.length, source.count);
    }
  } finally {
    plan.dispose();
  }
  return all;
}

/**
 * What a head is trained on: the mean over height and width of the last activation (or all of it, for a head that reads it
 * flat), with the frozen backbone.
 * @returns float32 [N, C], row-major, C the channels of the last activation.
 * @throws ShapeError when the pixels do not fit the classifier's input; as `computeActivations`.
 */
export async function computeFeatures(
  classifier: Classifier,
  source: PixelSource,
  options: FeatureOptions = {},
): Promise<Float32Array> {
  const { pooled } = classifier.build(classifier.preprocess(source.build(classifier.inputSize).pixels));
  return (await computeActivations(classifier, source, { pooled }, options)).pooled;
}

/** The rows of these indices of values with `perRow` in a row, copied. */
export function gatherRows(values: Float32Array, perRow: number, indices: ArrayLike<number>): Float32Array {
  const rows = new Float32Array(indices.length * perRow);
  for (let row = 0; row < indices.length; row++)
    rows.set(values.subarray(indices[row] * perRow, (indices[row] + 1) * perRow), row * perRow);
  return rows;
}

/** Activations of `count` images as the inputs of a graph: a function from indices to their rows. */
export const activationRows =
  (activations: Activations, count: number) =>
  (indices: ArrayLike<number>): Record<string, Float32Array> =>
    Object.fromEntries(
      Object.entries(activations).map(([name, values]) => [name, gatherRows(values, values.length / count, indices)]),
    );

/** Channels of the features that `computeFeatures` gives for this classifier. */
export function featureChannels(classifier: Classifier): number {
  return classifier.build(input("pixels", classifier.inputShape)).pooled.shape[1];
}
