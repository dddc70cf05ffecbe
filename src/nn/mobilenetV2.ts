import { ShapeError } from "../engine/errors.ts";
import type { Tensor } from "../engine/graph.ts";
import { add } from "../engine/ops/binary.ts";
import { relu6 } from "../engine/ops/unary.ts";
import { formatShape } from "../engine/types.ts";
import type { Head, Stem } from "./formats/manifest.ts";
import { type BatchNormRule, kerasBatchNorm, LayerBuilder, type TrainingMode } from "./layers.ts";
import { type InvertedResidual, mobileNetV2Table, mobileNetV2Widths } from "./mobilenetV2Table.ts";
import type { Network } from "./network.ts";

export interface MobileNetV2Options {
  /** Width multiplier: 0.35, 0.5, 0.75, 1.0, 1.3 or 1.4. */
  readonly width?: number;
  /** Number of classes of the dense head; `null` for none. */
  readonly classes?: number | null;
  /** Name of the head's layer; Keras' ImageNet head is `predictions`. */
  readonly head?: string;
  readonly batchNorm?: BatchNormRule;
  /** What the head reads; default `gap-dense`. */
  readonly headKind?: Head;
  /** `cifar` leaves out the strides of the stem and of `block_1`: 32 pixels end in a map of 4 × 4 instead of 1 × 1. Default `imagenet`. */
  readonly stem?: Stem;
  readonly dropout?: TrainingMode["dropout"];
}

/**
 * MobileNetV2 (Sandler et al. 2018) in Keras' numerics; nodes are labelled with Keras' layer names.
 * x: preprocessed images [N, H, W, 3] (pixel / 127.5 − 1), H and W at least 32.
 * @throws ShapeError when the image is smaller or the width has no published weights.
 */
export function mobileNetV2(x: Tensor, options: MobileNetV2Options = {}): Network {
  const { width = 1, classes = null, head = "predictions", batchNorm = kerasBatchNorm, dropout } = options;
  const { headKind = "gap-dense", stem = "imagenet" } = options;
  const [, height, columns, channels] = x.shape;
  if (x.shape.length !== 4 || channels !== 3 || height < 32 || columns < 32)
    throw new ShapeError(
      `MobileNetV2 expects images [N, H, W, 3] of at least 32 × 32 pixels, found ${formatShape(x.shape)}; resize them first`,
    );
  if (!mobileNetV2Widths.some((known) => known === width))
    throw new ShapeError(
      `MobileNetV2 has the widths ${mobileNetV2Widths.join(", ")}, found ${width}; choose one of them`,
    );
  const table = mobileNetV2Table(width);
  const layers = new LayerBuilder(batchNorm);
  const isCifar = stem === "cifar";
  let y = layers.convolution(x, "Conv1", table.stem, { stride: isCifar ? 1 : 2 });
  y = relu6(layers.batchNorm(y, "bn_Conv1"), "Conv1_relu");
  for (const block of table.blocks)
    y = invertedResidual(layers, y, isCifar && block.name === "block_1" ? { ...block, stride: 1 } : block);
  y = layers.batchNorm(layers.convolution(y, "Conv_1", table.features, { kernel: 1 }), "Conv_1_bn");
  const features = relu6(y, "out_relu");
  const pooledLabel = "global_average_pooling2d";
  const { pooled, logits } = layers.head(features, { kind: headKind, pooledLabel, name: head, classes, dropout });
  const { parameters, trainable, statistics } = layers;
  return { features, pooled, logits, parameters, trainable, statistics };
}

/** Expansion, depthwise convolution, linear projection, and the input added back where shapes allow. */
function invertedResidual(
  layers: LayerBuilder,
  x: Tensor,
  { name, input, hidden, output, stride }: InvertedResidual,
): Tensor {
  let y = x;
  if (hidden !== input) {
    y = layers.convolution(y, `${name}_expand`, hidden, { kernel: 1 });
    y = relu6(layers.batchNorm(y, `${name}_expand_BN`), `${name}_expand_relu`);
  }
  y = layers.depthwise(y, `${name}_depthwise`, { stride });
  y = relu6(layers.batchNorm(y, `${name}_depthwise_BN`), `${name}_depthwise_relu`);
  y = layers.batchNorm(layers.convolution(y, `${name}_project`, output, { kernel: 1 }), `${name}_project_BN`);
  return input === output && stride === 1 ? add(x, y, `${name}_add`) : y;
}
