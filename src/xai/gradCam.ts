import { gradients } from "../engine/autodiff.ts";
import type { Tensor } from "../engine/graph.ts";
import { multiply } from "../engine/ops/binary.ts";
import { mean, sum } from "../engine/ops/reduce.ts";
import { relu } from "../engine/ops/unary.ts";
import { CamPlan, type CamRule } from "./camPlan.ts";
import type { Target } from "./explanation.ts";
import type { ExplainableModel, Score } from "./model.ts";

export interface GradCamOptions {
  /** Label of the layer to look at; the last spatial activation by default. */
  readonly layer?: string;
  /** Default `logit`. */
  readonly score?: Score;
  readonly maxBatch?: number;
}

export interface GradCamMaps {
  readonly height: number;
  readonly width: number;
  /** [N, h, w], 0 to 1, each map divided by its peak. */
  readonly heatmaps: Float32Array;
  /** The peak of each map before division: the evidence in units of the score. */
  readonly peaks: Float32Array;
  /** `no positive evidence` where a map is zero everywhere. */
  readonly status: readonly ("ok" | "no positive evidence")[];
}

/** Grad-CAM (Selvaraju et al. 2017): Σ_c mean_hw(∂score/∂A_c) · A_c. */
export const gradCamRule: CamRule = (activation, gradient) =>
  sum(multiply(activation, mean(gradient, [1, 2], true)), [3]);

/**
 * Grad-CAM as nodes of a graph, not normalised: ReLU(Σ_c mean_hw(∂score/∂A_c) · A_c) per image.
 * score [N], layer [N, h, w, C] → [N, h, w].
 */
export const gradCamMap = (score: Tensor, layer: Tensor): Tensor =>
  relu(gradCamRule(layer, gradients(score, [layer])[0]));

/** A compiled Grad-CAM for one model and layer. Dispose it when done. */
export class GradCam {
  private constructor(
    private readonly plan: CamPlan,
    /** The layer's label. */
    readonly layer: string,
    readonly height: number,
    readonly width: number,
  ) {}

  /** @throws GraphError when the layer does not exist, is not spatial, or has no influence on the score. */
  static async create(model: ExplainableModel, { layer, score, maxBatch }: GradCamOptions = {}): Promise<GradCam> {
    const layers = layer === undefined ? undefined : [layer];
    const plan = await CamPlan.create(model, { rule: gradCamRule, layers, score, maxBatch });
    const [{ layer: label, height, width }] = plan.layers;
    return new GradCam(plan, label, height, width);
  }

  /** pixels [N, H, W, 3] of 0 to 255; one target per image, usually a class index. */
  async explain(pixels: Float32Array, targets: Int32Array | readonly Target[]): Promise<GradCamMaps> {
    const [{ maps }] = await this.plan.run(pixels, Array.from<Target>(targets));
    return { height: this.height, width: this.width, ...normaliseByPeak(maps, targets.length) };
  }

  dispose(): void {
    this.plan.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Divides each of `count` maps by its own peak; a map without a positive value stays zero and says so. */
export function normaliseByPeak(maps: Float32Array, count: number): Pick<GradCamMaps, "heatmaps" | "peaks" | "status"> {
  const size = maps.length / Math.max(1, count);
  const heatmaps = new Float32Array(maps.length);
  const peaks = new Float32Array(count);
  const status: GradCamMaps["status"][number][] = [];
  for (let index = 0; index < count; index++) {
    const map = maps.subarray(index * size, (index + 1) * size);
    const peak = map.reduce((most, value) => Math.max(most, value), 0);
    peaks[index] = peak;
    status.push(peak > 0 ? "ok" : "no positive evidence");
    if (peak > 0)
      heatmaps.set(
        map.map((value) => value / peak),
        index * size,
      );
  }
  return { heatmaps, peaks, status };
}
