import type { Device } from "../engine/device.ts";
import { GraphError } from "../engine/errors.ts";
import { findLabel, type Graph, labelsOf, type Tensor, topologicalOrder } from "../engine/graph.ts";
import { multiply } from "../engine/ops/binary.ts";
import { gatherClass } from "../engine/ops/gather.ts";
import { sum } from "../engine/ops/reduce.ts";
import { softmax } from "../engine/ops/softmax.ts";
import { input } from "../engine/ops/sources.ts";
import { scale } from "../engine/ops/unary.ts";
import type { ParameterStore } from "../engine/parameters.ts";
import { BATCH } from "../engine/types.ts";

/** What an explanation needs to know of a classifier. */
export interface ExplainableModel {
  readonly device: Device;
  readonly parameters: ParameterStore;
  /** Height and width of the input in pixels; it has three channels. */
  readonly inputSize: readonly [number, number];
  /** What the model does to a pixel of 0 to 255 before its first layer: pixel · scale + offset. */
  readonly preprocessing: { readonly scale: number; readonly offset: number };
  /** The network as nodes on a preprocessed image tensor [N, H, W, 3]. */
  readonly build: (x: Tensor) => { readonly logits: Tensor | null };
}

/** The number that is explained: a class's logit, or its probability (whose gradient vanishes as it nears 1). */
export type Score = "logit" | "prob";

/** Pixels [N, H, W, 3] of 0 to 255 as the model's first layer wants them. */
export const preprocess = ({ preprocessing }: ExplainableModel, pixels: Tensor): Tensor =>
  scale(pixels, preprocessing.scale, preprocessing.offset);

/** The score [N] of each sample's class (i32 [N]). */
export const scoreOf = (logits: Tensor, classes: Tensor, score: Score): Tensor =>
  gatherClass(score === "prob" ? softmax(logits) : logits, classes);

/** The score [N] of a sum of classes: Σ_k weights[n, k] · logit (or probability) k, with weights [N, classes] or [1, classes]. */
export const targetScore = (logits: Tensor, weights: Tensor, score: Score): Tensor =>
  sum(multiply(score === "prob" ? softmax(logits) : logits, weights), [1]);

/** The number of classes that a model tells apart. */
export const classesOf = (model: ExplainableModel): number =>
  logitsOf(model.build(input("pixels", [BATCH, ...model.inputSize, 3]))).shape[1];

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

/** The last value on the way to the logits that is a map [N, h, w, C] of more than one place, else the last of one place. */
function lastSpatialActivation(logits: Tensor): Tensor {
  const maps = topologicalOrder([logits.node])
    .flatMap((node) => node.outputs)
    .filter(({ shape, dtype }) => dtype === "f32" && shape.length === 4 && shape[0] === BATCH);
  const found = maps.findLast(({ shape }) => shape[1] * shape[2] > 1) ?? maps[maps.length - 1];
  if (!found) throw new GraphError("no node of the network is a spatial map, so there is nothing to look at");
  return found;
}

/**
 * The layer to look at: by label, by the practical's rule (`by-name`), or the last spatial activation.
 * @throws GraphError when there is no such layer or it is no map [N, h, w, C].
 */
export function layerOf(built: { readonly logits: Tensor | null }, label?: string): Tensor {
  const logits = logitsOf(built);
  if (label === undefined) return lastSpatialActivation(logits);
  const graph = { outputs: { logits } };
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
