import { gradients } from "../engine/autodiff.ts";
import { compile } from "../engine/compile.ts";
import { GraphError } from "../engine/errors.ts";
import type { Tensor } from "../engine/graph.ts";
import { input } from "../engine/ops/sources.ts";
import { relu } from "../engine/ops/unary.ts";
import type { Plan } from "../engine/plan/plan.ts";
import { BATCH } from "../engine/types.ts";
import { type Target, targetWeights } from "./explanation.ts";
import { type ExplainableModel, layerOf, logitsOf, preprocess, type Score, targetScore } from "./model.ts";

/** What a method of the CAM family makes of an activation [N, h, w, C] and its gradient: a map [N, h, w], not yet cut at zero. */
export type CamRule = (activation: Tensor, gradient: Tensor) => Tensor;

export interface CamPlanOptions {
  readonly rule: CamRule;
  /** Labels; the last spatial activation by default. */
  readonly layers?: readonly string[];
  readonly score?: Score;
  /** Keep evidence against the target. */
  readonly signed?: boolean;
  readonly maxBatch?: number;
}

/** The maps of one layer, [N, height, width], in units of the score. */
export interface LayerMaps {
  readonly layer: string;
  readonly height: number;
  readonly width: number;
  readonly maps: Float32Array;
}

/** @throws GraphError when the pixels are not one image of the model's size for each target. */
export function checkImages(model: ExplainableModel, pixels: Float32Array, count: number): void {
  const [height, width] = model.inputSize;
  if (pixels.length !== count * height * width * 3)
    throw new GraphError(`expected ${count} images of ${height} × ${width} × 3 values, found ${pixels.length} values`);
}

/** One forward and one backward pass for any number of layers, as a compiled plan. */
export class CamPlan {
  private constructor(
    private readonly plan: Plan,
    private readonly model: ExplainableModel,
    private readonly classes: number,
    readonly layers: readonly Omit<LayerMaps, "maps">[],
  ) {}

  /** @throws GraphError when a layer does not exist, is not spatial, or has no influence on the score. */
  static async create(model: ExplainableModel, options: CamPlanOptions): Promise<CamPlan> {
    const { rule, layers = [undefined], score = "logit", signed = false, maxBatch = 8 } = options;
    const [height, width] = model.inputSize;
    const built = model.build(preprocess(model, input("pixels", [BATCH, height, width, 3])));
    const logits = logitsOf(built);
    const classes = logits.shape[1];
    const activations = layers.map((label) => layerOf(built, label));
    const scores = targetScore(logits, input("targets", [BATCH, classes]), score);
    const gradient = gradients(scores, activations);
    const maps = activations.map((activation, index) => rule(activation, gradient[index]));
    const outputs = Object.fromEntries(maps.map((map, index) => [`map${index}`, signed ? map : relu(map)]));
    const plan = await compile(model.device, { outputs }, { parameters: model.parameters, maxBatch });
    const found = activations.map(({ node, shape }) => ({
      layer: node.label ?? "unnamed layer",
      height: shape[1],
      width: shape[2],
    }));
    return new CamPlan(plan, model, classes, found);
  }

  /** pixels [N, H, W, 3] of 0 to 255, a target each. */
  async run(pixels: Float32Array, targets: readonly Target[]): Promise<LayerMaps[]> {
    checkImages(this.model, pixels, targets.length);
    const results = await this.plan.run({ pixels, targets: targetWeights(targets, this.classes) });
    return this.layers.map((layer, index) => ({ ...layer, maps: results[`map${index}`] as Float32Array }));
  }

  dispose(): void {
    this.plan.dispose();
  }
}
