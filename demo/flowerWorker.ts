/** Draws flowers in a thread of its own: one takes a phone a tenth of a second, in which the page would not react. */
/// <reference lib="webworker" />
import { type PetalsPart, petalSpecies, renderPetal } from "../src/data/petals.ts";
import type { RgbImage } from "../src/xai/overlay.ts";

declare const self: DedicatedWorkerGlobalScope;

const SEED = 7;
const SIZE = 128;

export interface FlowerRequest {
  readonly index: number;
  readonly part: PetalsPart;
}

/** The picture of a request, in the order of the requests. */
export type FlowerAnswer = RgbImage;

self.addEventListener("message", ({ data: { index, part } }: MessageEvent<FlowerRequest>) => {
  const { image } = renderPetal({ seed: SEED, part, index, species: index % petalSpecies.length, size: SIZE });
  self.postMessage(image satisfies FlowerAnswer);
});
