/** The numbers that all engines start from: weights, their folds, images, features and labels, all from seeds. */
import { uniform } from "../src/engine/random.ts";
import { sizeOf } from "../src/engine/types.ts";
import { weightShapesOf } from "../src/nn/classifier.ts";
import { parseSafetensors, serializeSafetensors, toFloat32 } from "../src/nn/formats/safetensors.ts";
import { initialise } from "../src/nn/initialise.ts";
import { type WeightMap, type Weights, withFolds } from "./network.ts";
import { headClasses, headFeatures } from "./workloads.ts";

export interface Material {
  /** Where the weights come from, in words. */
  readonly source: string;
  /** Keras' names, and the folds under `folded/`. */
  readonly weights: WeightMap;
}

export const classes = 1000;
const seed = 20;

/** Seeded weights whose batch normalisations are no identities. */
export function seededWeights(shapes: ReadonlyMap<string, readonly number[]>, from: number): Map<string, Weights> {
  const values = initialise(shapes, from);
  let stream = 1000;
  for (const [name, data] of values) {
    stream++;
    if (!/\/(gamma|beta|moving_mean|moving_variance)$/.test(name)) continue;
    const [low, high] = /gamma|variance/.test(name) ? [0.7, 1.3] : [-0.3, 0.3];
    for (let at = 0; at < data.length; at++) data[at] = low + (high - low) * uniform(from, stream, at);
  }
  return new Map(Array.from(values, ([name, data]) => [name, { shape: [...shapes.get(name)!], data }]));
}

export function seededMaterial(): Material {
  const shapes = weightShapesOf({
    name: "mobilenetV2",
    width: 1,
    classes,
    inputSize: [224, 224],
    head: "gap-dense",
  });
  return { source: `seeded random weights (seed ${seed})`, weights: withFolds(seededWeights(shapes, seed)) };
}

/** Pixels of 0 to 255, [batch, size, size, 3]. */
export function pixelsOf(batch: number, size: number): Float32Array {
  const pixels = new Float32Array(batch * size * size * 3);
  for (let at = 0; at < pixels.length; at++) pixels[at] = Math.floor(256 * uniform(seed, 1, at));
  return pixels;
}

/** What the networks take: pixel / 127.5 − 1. */
export const preprocessed = (pixels: Float32Array): Float32Array => pixels.map((value) => value / 127.5 - 1);

export const featuresOf = (batch: number): Float32Array =>
  Float32Array.from({ length: batch * headFeatures }, (_, at) => uniform(seed, 2, at));

export const labelsOf = (batch: number, of: number): Int32Array =>
  Int32Array.from({ length: batch }, (_, at) => Math.floor(of * uniform(seed, 3, at)));

/** The kernel [features, classes] and bias of the head that is trained. */
export function headWeights(): { kernel: Weights; bias: Weights } {
  const shape = [headFeatures, headClasses];
  const data = Float32Array.from({ length: sizeOf(shape) }, (_, at) => (uniform(seed, 4, at) - 0.5) * 0.1);
  return { kernel: { shape, data }, bias: { shape: [headClasses], data: new Float32Array(headClasses) } };
}

/** The material as one file, so that fresh processes and pages start from it and nobody measures random numbers. */
export function materialBytes({ source, weights }: Material): Uint8Array {
  const tensors = Object.fromEntries(
    Array.from(weights, ([name, { shape, data }]) => [name, { dtype: "F32" as const, shape, data }]),
  );
  return serializeSafetensors(tensors, { source });
}

export function materialOf(bytes: Uint8Array): Material {
  const { tensors, metadata } = parseSafetensors(bytes);
  const weights = new Map(
    Array.from(tensors, ([name, tensor]) => [name, { shape: tensor.shape, data: toFloat32(tensor) }]),
  );
  return { source: metadata.source, weights };
}
