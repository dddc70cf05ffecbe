import { ShapeError } from "../engine/errors.ts";
import type { Tensor } from "../engine/graph.ts";
import { relu6 } from "../engine/ops/unary.ts";
import { formatShape } from "../engine/types.ts";
import type { Head, Stem } from "./formats/manifest.ts";
import { type BatchNormRule, LayerBuilder, type TrainingMode } from "./layers.ts";
import type { Network } from "./network.ts";

export interface SmallCnnOptions {
  readonly classes: number;
  /** Channels after each stage; each stage halves height and width. */
  readonly channels?: readonly number[];
  readonly batchNorm?: BatchNormRule;
  /** What the head reads; default `gap-dense`. */
  readonly head?: Head;
  /** `cifar` leaves out the stride of the stem, for images of about 32 pixels; default `imagenet`. */
  readonly stem?: Stem;
  readonly dropout?: TrainingMode["dropout"];
}

/** Batch normalisation of a network that trains for minutes: its running statistics must follow within an epoch. */
export const smallCnnBatchNorm: BatchNormRule = { mode: "frozen", epsilon: 1e-3, momentum: 0.9 };

export const smallCnnChannels: readonly number[] = [16, 32, 64, 128];

/**
 * A small classifier for images of 32 to 96 pixels, all of whose layers train: a 3×3 stem with stride 2, then stages of a
 * depthwise 3×3 with stride 2 and a 1×1 convolution (Howard et al. 2017), global average pooling and a dense head.
 * x: preprocessed images [N, H, W, 3]. Labels: `stem_relu`, `stage_1_relu`, …, the last one is the map to explain.
 */
export function smallCnn(x: Tensor, options: SmallCnnOptions): Network {
  const { classes, channels = smallCnnChannels, batchNorm = smallCnnBatchNorm, dropout } = options;
  const { head = "gap-dense", stem = "imagenet" } = options;
  if (x.shape.length !== 4 || x.shape[3] !== 3 || x.shape[1] < 32 || x.shape[2] < 32)
    throw new ShapeError(
      `smallCnn expects images [N, H, W, 3] of at least 32 × 32 pixels, found ${formatShape(x.shape)}; resize them first`,
    );
  const layers = new LayerBuilder(batchNorm);
  let y = layers.convolution(x, "stem", channels[0], { stride: stem === "cifar" ? 1 : 2 });
  y = relu6(layers.batchNorm(y, "stem_BN"), "stem_relu");
  channels.slice(1).forEach((width, index) => {
    const name = `stage_${index + 1}`;
    // The last stage keeps its resolution, so that explanations have a map of at least 8 × 8 at 64 pixels.
    const stride = index < channels.length - 2 ? 2 : 1;
    y = layers.depthwise(y, `${name}_depthwise`, { stride });
    y = relu6(layers.batchNorm(y, `${name}_depthwise_BN`), `${name}_depthwise_relu`);
    y = layers.convolution(y, name, width, { kernel: 1 });
    y = relu6(layers.batchNorm(y, `${name}_BN`), `${name}_relu`);
  });
  const headOptions = { kind: head, pooledLabel: "pooled", name: "predictions", classes, dropout };
  const { pooled, logits } = layers.head(y, headOptions);
  const { parameters, trainable, statistics } = layers;
  return { features: y, pooled, logits, parameters, trainable, statistics };
}
