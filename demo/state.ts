/** What the views share: the network, the picture in hand, and what is to be freed when the network changes. */
import { type PetalsPart, petalSpecies, renderPetal } from "../src/data/petals.ts";
import { fitImage } from "../src/data/resize.ts";
import type { ImageClassifier } from "../src/embed/imageClassifier.ts";
import type { Explainer } from "../src/xai/explanation.ts";
import type { RgbImage } from "../src/xai/overlay.ts";

export class State {
  /** The picture in hand, at its own size. */
  picture: RgbImage;
  /** Explainers that were compiled for the network, by method and options. */
  readonly explainers = new Map<string, Promise<Explainer>>();
  #network: ImageClassifier;

  constructor(network: ImageClassifier) {
    this.#network = network;
    this.picture = drawnFlower(1);
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

/** A flower that is drawn here, so that the page needs no photograph to begin with. */
export function drawnFlower(index: number, part: PetalsPart = "test", size = 128): RgbImage {
  return renderPetal({ seed: 7, part, index, species: index % petalSpecies.length, size }).image;
}
