/** The class activation map that the practical draws and judges. */
import type { Classifier } from "../../nn/classifier.ts";
import type { MapName } from "../../report/types.ts";
import type { Explainer } from "../../xai/explanation.ts";
import { normaliseByPeak } from "../../xai/gradCam.ts";
import { methodNamed } from "../../xai/methods.ts";
import type { Heatmap } from "../../xai/overlay.ts";

export interface PlaceMap {
  readonly name: MapName;
  /** Labels of the layers; the last spatial activation when left out. */
  readonly layers?: readonly string[];
}

/** A last activation of fewer cells a side does not tell the flower from what is beside it. */
const leastCells = 4;
/** MobileNetV2's last activation has a cell for as many pixels. */
const lastStride = 32;
/** A cell for eight pixels: where LayerCAM points best of all layers (docs/decisions/084). */
const fineLayer = "block_6_expand_relu";

/** GradCAM at the last activation, or LayerCAM inside the network where that activation is too coarse to show a place. */
export const placeMapOf = ({ architecture }: Pick<Classifier, "architecture">): PlaceMap =>
  architecture.name === "mobilenetV2" && Math.min(...architecture.inputSize) < leastCells * lastStride
    ? { name: "LayerCAM", layers: [fineLayer] }
    : { name: "GradCAM" };

/** Maps from 0 to 1, each divided by its peak. Dispose it when done. */
export class PlaceMaps {
  private constructor(private readonly explainer: Explainer) {}

  static async create(
    { explainable }: Pick<Classifier, "explainable">,
    { name, layers }: PlaceMap,
  ): Promise<PlaceMaps> {
    return new PlaceMaps(await methodNamed(name.toLowerCase()).create(explainable, { layers }));
  }

  /** The map of one image [H, W, 3] of 0 to 255 for a class. */
  async explain(pixels: Float32Array, label: number): Promise<Heatmap & { readonly status: string }> {
    const [{ heatmap }] = await this.explainer.explain(pixels, [label]);
    const { heatmaps, status } = normaliseByPeak(heatmap.values, 1);
    return { values: heatmaps, height: heatmap.height, width: heatmap.width, status: status[0] };
  }

  [Symbol.dispose](): void {
    this.explainer.dispose();
  }
}
