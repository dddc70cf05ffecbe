import { WeightsError } from "../engine/errors.ts";
import type { Node, Tensor } from "../engine/graph.ts";
import { batchNormTraining } from "../engine/ops/batchNormTraining.ts";
import { biasAdd, batchNorm as frozenBatchNorm } from "../engine/ops/channel.ts";
import { conv2d, samePadding } from "../engine/ops/conv2d.ts";
import { depthwiseConv2d } from "../engine/ops/depthwise.ts";
import { dropout } from "../engine/ops/dropout.ts";
import { matmul } from "../engine/ops/matmul.ts";
import { globalAveragePool } from "../engine/ops/reduce.ts";
import { flatten } from "../engine/ops/reshape.ts";
import { parameter } from "../engine/ops/sources.ts";
import { runningAverageUpdate } from "../engine/ops/updates.ts";
import type { Shape } from "../engine/types.ts";
import type { Head } from "./formats/manifest.ts";

/** How batch normalisation behaves: with its running statistics, or with the batch's own (which then update the running ones). */
export type BatchNormMode = "frozen" | "training";

export interface BatchNormRule {
  /** One for all layers, or by the layer's name. */
  readonly mode: BatchNormMode | ((layer: string) => BatchNormMode);
  readonly epsilon: number;
  readonly momentum: number;
}

/** What a network does otherwise while it is trained. */
export interface TrainingMode {
  /** Default `frozen`. */
  readonly batchNorm?: BatchNormRule["mode"];
  /** Dropout before the last layer; `address` i32 [N, 4] is (seed, epoch, sample, op) of each sample. */
  readonly dropout?: { readonly rate: number; readonly address: Tensor };
}

/** Keras' MobileNetV2: ε 1e-3, momentum 0.999. */
export const kerasBatchNorm: BatchNormRule = { mode: "frozen", epsilon: 1e-3, momentum: 0.999 };

export interface HeadOptions {
  readonly kind: Head;
  readonly pooledLabel: string;
  readonly name: string;
  readonly classes: number | null;
  readonly dropout?: TrainingMode["dropout"];
}

/**
 * Builds layers and remembers their parameters: names `layer/variable` as Keras has them, kernels HWIO, depthwise kernels HWC.
 * Labels of nodes are the layers' names.
 */
export class LayerBuilder {
  /** Every parameter with its shape, in the order of creation. */
  readonly parameters = new Map<string, Shape>();
  /** Parameters that an optimiser may change (running statistics are not among them). */
  readonly trainable = new Map<string, Tensor>();
  /** Updates of running statistics, for batch normalisation in training mode. */
  readonly statistics: Node[] = [];

  constructor(readonly batchNormRule: BatchNormRule) {}

  /** A k×k convolution with TensorFlow's SAME padding and no bias; the input's height and width must be known. */
  convolution(x: Tensor, name: string, channels: number, { kernel = 3, stride = 1 } = {}): Tensor {
    const weights = this.#parameter(`${name}/kernel`, [kernel, kernel, x.shape[3], channels]);
    return conv2d(x, weights, geometry(x, kernel, stride), name);
  }

  /** A k×k depthwise convolution with SAME padding and no bias. */
  depthwise(x: Tensor, name: string, { kernel = 3, stride = 1 } = {}): Tensor {
    const weights = this.#parameter(`${name}/kernel`, [kernel, kernel, x.shape[3]]);
    return depthwiseConv2d(x, weights, geometry(x, kernel, stride), name);
  }

  batchNorm(x: Tensor, name: string): Tensor {
    const shape = [x.shape[x.shape.length - 1]];
    const gamma = this.#parameter(`${name}/gamma`, shape);
    const beta = this.#parameter(`${name}/beta`, shape);
    const movingMean = this.#parameter(`${name}/moving_mean`, shape, false);
    const movingVariance = this.#parameter(`${name}/moving_variance`, shape, false);
    const { mode, epsilon, momentum } = this.batchNormRule;
    if ((typeof mode === "function" ? mode(name) : mode) === "frozen")
      return frozenBatchNorm(x, { gamma, beta, mean: movingMean, variance: movingVariance, epsilon }, name);
    const [y, mean, variance] = batchNormTraining(x, gamma, beta, { epsilon }, name);
    this.statistics.push(
      runningAverageUpdate(movingMean, mean, { momentum }),
      runningAverageUpdate(movingVariance, variance, { momentum }),
    );
    return y;
  }

  /** x [N, K] → [N, units]. */
  dense(x: Tensor, name: string, units: number): Tensor {
    const weights = this.#parameter(`${name}/kernel`, [x.shape[x.shape.length - 1], units]);
    const bias = this.#parameter(`${name}/bias`, [units]);
    return biasAdd(matmul(x, weights), bias, name);
  }

  /**
   * The end of a classifier on its last map [N, h, w, C]: its mean [N, C] or all of it [N, h·w·C], dropout where training asks for
   * it, and a dense layer of `classes` scores, none for `null`.
   */
  head(
    features: Tensor,
    { kind, pooledLabel, name, classes, dropout: drop }: HeadOptions,
  ): { readonly pooled: Tensor; readonly logits: Tensor | null } {
    const pooled = kind === "flatten-dense" ? flatten(features) : globalAveragePool(features, pooledLabel);
    if (classes === null) return { pooled, logits: null };
    return { pooled, logits: this.dense(drop ? dropout(pooled, drop.address, drop.rate) : pooled, name, classes) };
  }

  #parameter(name: string, shape: Shape, trainable = true): Tensor {
    if (this.parameters.has(name))
      throw new WeightsError(`parameter ${name} is defined twice; give each layer its own name`);
    this.parameters.set(name, shape);
    const tensor = parameter(name, shape);
    if (trainable) this.trainable.set(name, tensor);
    return tensor;
  }
}

function geometry(x: Tensor, kernel: number, stride: number) {
  const [top, bottom] = samePadding(x.shape[1], kernel, stride);
  const [left, right] = samePadding(x.shape[2], kernel, stride);
  return { strides: [stride, stride] as const, padding: [top, bottom, left, right] as const };
}
