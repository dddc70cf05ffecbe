import { CamPlan, type CamRule, type LayerMaps } from "./camPlan.ts";
import { checkExactCam, ExactCam } from "./exactCam.ts";
import type { Cost, Explainer, Explanation, MethodOptions, RawHeatmap, Target } from "./explanation.ts";
import type { ExplainableModel } from "./model.ts";
import { upsampleHeatmap } from "./overlay.ts";

const peakOf = (values: Float32Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/**
 * The maps of several layers in one: each divided by its peak, up-sampled to the image, and averaged, so that no layer
 * outweighs another by its units (as pytorch-grad-cam does for a list of layers). A layer without evidence adds zeros.
 */
export function fuseLayers(maps: readonly RawHeatmap[], [height, width]: readonly [number, number]): RawHeatmap {
  const values = new Float32Array(height * width);
  for (const map of maps) {
    const peak = peakOf(map.values) || 1;
    upsampleHeatmap(map, height, width).forEach((value, at) => {
      values[at] += value / peak / maps.length;
    });
  }
  return { height, width, values, signed: maps.some(({ signed }) => signed) };
}

export interface CamContext {
  readonly method: string;
  readonly inputSize: readonly [number, number];
  readonly signed: boolean;
  readonly cost: Cost;
}

/** The explanation of image `index` of the batch that the layers' maps belong to; several layers are fused. */
export function camExplanation(
  layers: readonly LayerMaps[],
  index: number,
  target: Target,
  { method, inputSize, signed, cost }: CamContext,
): Explanation {
  const raw = layers.map(({ maps, height, width }) => {
    const values = maps.slice(index * height * width, (index + 1) * height * width);
    return { height, width, values, signed };
  });
  const peaks = raw.map(({ values }) => peakOf(values));
  return {
    method,
    target,
    heatmap: raw.length === 1 ? raw[0] : fuseLayers(raw, inputSize),
    status: peaks.some((peak) => peak > 0) ? "ok" : "no positive evidence",
    cost,
    details: { layers: layers.map(({ layer }) => layer), peaks },
  };
}

/** The methods of the CAM family that need one gradient: what tells them apart is their rule. */
export async function createCamExplainer(
  method: string,
  rule: CamRule,
  model: ExplainableModel,
  { layers, score, signed = false, maxBatch }: MethodOptions = {},
): Promise<Explainer> {
  const plan = await CamPlan.create(model, { rule, layers, score, signed, maxBatch });
  const context = { method, inputSize: model.inputSize, signed, cost: { forwards: 0, gradients: 1 } };
  return {
    async explain(pixels, targets) {
      const maps = await plan.run(pixels, targets);
      return targets.map((target, index) => camExplanation(maps, index, target, context));
    },
    dispose: () => plan.dispose(),
    [Symbol.dispose]: () => plan.dispose(),
  };
}

/** The class activation map in closed form: one forward pass, at the last map before global average pooling. */
export async function createExactCam(model: ExplainableModel, options: MethodOptions = {}): Promise<Explainer> {
  checkExactCam(model, options);
  const { score, signed = false, maxBatch } = options;
  const cam = await ExactCam.create(model, { score, signed, maxBatch });
  const context = { method: "exactcam", inputSize: model.inputSize, signed, cost: { forwards: 1, gradients: 0 } };
  return {
    async explain(pixels, targets) {
      const maps = await cam.run(pixels, targets);
      return targets.map((target, index) => camExplanation([maps], index, target, context));
    },
    dispose: () => cam.dispose(),
    [Symbol.dispose]: () => cam.dispose(),
  };
}
