/** What the views share: the network, the picture in hand, and what is to be freed when the network changes. */
import { fitImage } from "../src/data/resize.ts";
import type { ImageClassifier } from "../src/embed/imageClassifier.ts";
import type { Explainer } from "../src/xai/explanation.ts";
import type { RgbImage } from "../src/xai/overlay.ts";

/**
 * Where a map of this network lies on the flower most often (docs/decisions/086): 12 × 12 cells, where the last layer has
 * 3 × 3 that each see the whole picture.
 */
export const fineLayer = "block_6_expand_relu";

export class State {
  /** Explainers that were compiled for the network, by method and options. */
  readonly explainers = new Map<string, Promise<Explainer>>();
  #network: ImageClassifier;

  constructor(
    network: ImageClassifier,
    /** The picture in hand, at its own size. */
    public picture: RgbImage,
  ) {
    this.#network = network;
  }

  get network(): ImageClassifier {
    return this.#network;
  }

  /** Takes another network; what was compiled for the old one is freed, the old one stays its owner's. */
  async replace(network: ImageClassifier): Promise<void> {
    const old = [...this.explainers.values()];
    this.explainers.clear();
    this.#network = network;
    for (const explainer of old) (await explainer.catch(() => null))?.dispose();
  }

  /** Pixels [H, W, 3] as the network reads them. */
  fitted(picture: RgbImage = this.picture): Float32Array {
    const { inputSize, preprocessing } = this.network.classifier;
    return fitImage({ ...picture }, { height: inputSize[0], width: inputSize[1] }, preprocessing.resize);
  }
}
