import { gradients } from "../engine/autodiff.ts";
import { compile } from "../engine/compile.ts";
import { GraphError } from "../engine/errors.ts";
import type { Tensor } from "../engine/graph.ts";
import { multiply } from "../engine/ops/binary.ts";
import { mean, sum } from "../engine/ops/reduce.ts";
import { input } from "../engine/ops/sources.ts";
import { relu } from "../engine/ops/unary.ts";
import type { Plan } from "../engine/plan/plan.ts";
import { BATCH } from "../engine/types.ts";
import { type ExplainableModel, layerOf, logitsOf, preprocess, type Score, scoreOf } from "./model.ts";

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
  /** [N, h, w]: 0 to 1, each map divided by its peak. */
  readonly heatmaps: Float32Array;
  /** The peak of each map before division: the evidence in units of the score. */
  readonly peaks: Float32Array;
  /** `no positive evidence` where a map is zero everywhere. */
  readonly status: readonly ("ok" | "no positive evidence")[];
}

/**
 * Grad-CAM (Selvaraju et al. 2017): ReLU(Σ_c mean_hw(∂score/∂A_c) · A_c) per image, not normalised.
 * score [N], layer [N, h, w, C] → [N, h, w].
 */
export function gradCamMap(score: Tensor, layer: Tensor): Tensor {
  const [gradient] = gradients(score, [layer]);
  const weights = mean(gradient, [1, 2], true);
  return relu(sum(multiply(layer, weights), [3]));
}

/** A compiled Grad-CAM for one model and layer. Dispose it when done. */
export class GradCam {
  private constructor(
    private readonly plan: Plan,
    private readonly model: ExplainableModel,
    /** The layer's label. */
    readonly layer: string,
    readonly height: number,
    readonly width: number,
  ) {}

  /** @throws GraphError when the layer does not exist, is not spatial, or has no influence on the score. */
  static async create(
    model: ExplainableModel,
    { layer, score = "logit", maxBatch = 8 }: GradCamOptions = {},
  ): Promise<GradCam> {
    const [height, width] = model.inputSize;
    const pixels = input("pixels", [BATCH, height, width, 3]);
    const built = model.build(preprocess(model, pixels));
    const target = layerOf(built, layer);
    const map = gradCamMap(scoreOf(logitsOf(built), input("classes", [BATCH], "i32"), score), target);
    const plan = await compile(model.device, { outputs: { map } }, { parameters: model.parameters, maxBatch });
    return new GradCam(plan, model, target.node.label ?? "unnamed layer", target.shape[1], target.shape[2]);
  }

  /** pixels [N, H, W, 3] of 0 to 255; one class index per image. */
  async explain(pixels: Float32Array, classes: Int32Array): Promise<GradCamMaps> {
    const [height, width] = this.model.inputSize;
    if (pixels.length !== classes.length * height * width * 3)
      throw new GraphError(
        `expected ${classes.length} images of ${height} × ${width} × 3 values, found ${pixels.length} values`,
      );
    const { map } = (await this.plan.run({ pixels, classes })) as { map: Float32Array };
    return { height: this.height, width: this.width, ...normaliseByPeak(map, classes.length) };
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
