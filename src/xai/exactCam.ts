import { compile } from "../engine/compile.ts";
import { GraphError } from "../engine/errors.ts";
import { describe, type Tensor } from "../engine/graph.ts";
import { multiply } from "../engine/ops/binary.ts";
import { biasAddOp } from "../engine/ops/channel.ts";
import { matmulOp, matmulTransposed } from "../engine/ops/matmul.ts";
import { sum, sumOp } from "../engine/ops/reduce.ts";
import { reshape, reshapeOp } from "../engine/ops/reshape.ts";
import { softmax, softmaxGradient } from "../engine/ops/softmax.ts";
import { input } from "../engine/ops/sources.ts";
import { relu, scale } from "../engine/ops/unary.ts";
import type { Plan } from "../engine/plan/plan.ts";
import { BATCH } from "../engine/types.ts";
import { checkImages, type LayerMaps } from "./camPlan.ts";
import { type MethodOptions, type Target, targetWeights } from "./explanation.ts";
import { type ExplainableModel, layerOf, logitsOf, preprocess, type Score } from "./model.ts";

export interface ExactCamOptions {
  /** Default `logit`. */
  readonly score?: Score;
  /** Keep evidence against the target. */
  readonly signed?: boolean;
  readonly maxBatch?: number;
}

interface LinearHead {
  readonly features: Tensor;
  /** The dense layers' matrices, last first. */
  readonly matrices: readonly Tensor[];
}

/** Walks back from the logits over dense layers to the global average pooling below them. */
function linearHead(logits: Tensor): LinearHead {
  const matrices: Tensor[] = [];
  let tensor = logits;
  for (;;) {
    const { op, inputs, attributes } = tensor.node;
    if (op === matmulOp) matrices.push(inputs[1]);
    else if (op === sumOp && attributes.mean && attributes.axes.join() === "1,2" && matrices.length > 0)
      return { features: inputs[0], matrices };
    else if (op !== biasAddOp && op !== reshapeOp)
      throw new GraphError(
        `exactCam needs global average pooling and dense layers alone after the last map, found ${describe(tensor.node)}; use gradcam`,
      );
    tensor = inputs[0];
  }
}

/**
 * The class activation map in closed form (Zhou et al. 2016) as nodes: A [N, h, w, C] · W · targets / (h·w) → [N, h, w].
 * It equals Grad-CAM at the last map before global average pooling and dense layers, without a backward pass; for `prob`
 * the derivative of softmax is taken at its own probabilities.
 * @throws GraphError when anything else stands between the last map and the logits.
 */
export function exactCamMap(logits: Tensor, targets: Tensor, score: Score): { map: Tensor; features: Tensor } {
  const { features, matrices } = linearHead(logits);
  const [, height, width, channels] = features.shape;
  const seed = score === "prob" ? softmaxGradient(softmax(logits), targets) : targets;
  const weights = matrices.reduce((value, matrix) => matmulTransposed(value, matrix), seed);
  const perPlace = scale(reshape(weights, [BATCH, 1, 1, channels]), 1 / (height * width));
  return { map: sum(multiply(features, perPlace), [3]), features };
}

/** @throws GraphError when the head is not global average pooling and dense layers, or another layer than the last map is asked for. */
export function checkExactCam(model: ExplainableModel, { layers = [] }: Pick<MethodOptions, "layers"> = {}): void {
  const built = model.build(input("x", [BATCH, ...model.inputSize, 3]));
  const { features } = linearHead(logitsOf(built));
  const other = layers.find((label) => layerOf(built, label) !== features);
  if (other !== undefined)
    throw new GraphError(
      `exactCam has a closed form at ${describe(features.node)} alone, found layer "${other}"; use gradcam`,
    );
}

/** A compiled class activation map in closed form. Dispose it when done. */
export class ExactCam {
  private constructor(
    private readonly plan: Plan,
    private readonly model: ExplainableModel,
    private readonly classes: number,
    private readonly found: Omit<LayerMaps, "maps">,
  ) {}

  /** @throws GraphError when the head is not global average pooling and dense layers. */
  static async create(model: ExplainableModel, options: ExactCamOptions = {}): Promise<ExactCam> {
    const { score = "logit", signed = false, maxBatch = 8 } = options;
    const logits = logitsOf(model.build(preprocess(model, input("pixels", [BATCH, ...model.inputSize, 3]))));
    const classes = logits.shape[1];
    const { map, features } = exactCamMap(logits, input("targets", [BATCH, classes]), score);
    const graph = { outputs: { map: signed ? map : relu(map) } };
    const plan = await compile(model.device, graph, { parameters: model.parameters, maxBatch });
    const [, height, width] = features.shape;
    return new ExactCam(plan, model, classes, { layer: features.node.label ?? "unnamed layer", height, width });
  }

  /** pixels [N, H, W, 3] of 0 to 255, a target each → maps [N, h, w] in units of the score. */
  async run(pixels: Float32Array, targets: readonly Target[]): Promise<LayerMaps> {
    checkImages(this.model, pixels, targets.length);
    const { map } = await this.plan.run({ pixels, targets: targetWeights(targets, this.classes) });
    return { ...this.found, maps: map as Float32Array };
  }

  dispose(): void {
    this.plan.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
