import type { Device } from "../engine/device.ts";
import { GraphError } from "../engine/errors.ts";
import { findLabel, type Graph, labelsOf, type Tensor } from "../engine/graph.ts";
import { gatherClass } from "../engine/ops/gather.ts";
import { softmax } from "../engine/ops/softmax.ts";
import { scale } from "../engine/ops/unary.ts";
import type { ParameterStore } from "../engine/parameters.ts";

/** What an explanation needs to know of a classifier. */
export interface ExplainableModel {
  readonly device: Device;
  readonly parameters: ParameterStore;
  /** Height and width of the input in pixels; it has three channels. */
  readonly inputSize: readonly [number, number];
  /** What the model does to a pixel of 0 to 255 before its first layer: pixel · scale + offset. */
  readonly preprocessing: { readonly scale: number; readonly offset: number };
  /** The network as nodes on a preprocessed image tensor [N, H, W, 3]. */
  readonly build: (x: Tensor) => { readonly logits: Tensor | null; readonly features: Tensor };
}

/** The number that is explained: a class's logit, or its probability (whose gradient vanishes as it nears 1). */
export type Score = "logit" | "prob";

/** Pixels [N, H, W, 3] of 0 to 255 as the model's first layer wants them. */
export const preprocess = ({ preprocessing }: ExplainableModel, pixels: Tensor): Tensor =>
  scale(pixels, preprocessing.scale, preprocessing.offset);

/** The score [N] of each sample's class (i32 [N]). */
export const scoreOf = (logits: Tensor, classes: Tensor, score: Score): Tensor =>
  gatherClass(score === "prob" ? softmax(logits) : logits, classes);

/** The logits, or a GraphError for a network without a head. */
export function logitsOf(built: { readonly logits: Tensor | null }): Tensor {
  if (!built.logits)
    throw new GraphError(
      "the network has no head, so there is no class to explain; load weights with a classification head",
    );
  return built.logits;
}

/** The course practical's way to find a layer: the last one whose name contains "conv". For MobileNetV2 that is `Conv_1_bn`. */
export const byName = "by-name";

/**
 * The layer to look at: by label, by the practical's rule (`by-name`), or the last spatial activation.
 * @throws GraphError when there is no such layer or it is no map [N, h, w, C].
 */
export function layerOf(built: { readonly logits: Tensor | null; readonly features: Tensor }, label?: string): Tensor {
  if (label === undefined) return built.features;
  const graph = { outputs: { logits: logitsOf(built) } };
  const name = label === byName ? lastConvolution(graph) : label;
  const found = findLabel(graph, name);
  if (found.shape.length !== 4)
    throw new GraphError(
      `layer "${name}" is not a spatial map; choose a convolution, normalisation or activation layer`,
    );
  return found;
}

function lastConvolution(graph: Graph): string {
  const names = [...labelsOf(graph).keys()].filter((name) => /conv/i.test(name));
  if (names.length === 0) throw new GraphError('no layer\'s name contains "conv"; name the layer');
  return names[names.length - 1];
}
