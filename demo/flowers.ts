import type { PetalsPart } from "../src/data/petals.ts";
import type { RgbImage } from "../src/xai/overlay.ts";
import type { FlowerAnswer, FlowerRequest } from "./flowerWorker.ts";

/** The species that a visitor sees first: a daisy, which the page's network names rightly (a test holds it to that). */
export const firstFlower = 4;

let worker: Worker | null = null;
const waiting: { resolve(picture: RgbImage): void; reject(error: Error): void }[] = [];

function start(): Worker {
  const started = new Worker("./flowerWorker.js", { type: "module" });
  started.addEventListener("message", ({ data }: MessageEvent<FlowerAnswer>) => waiting.shift()?.resolve(data));
  started.addEventListener("error", ({ message }) => {
    for (const { reject } of waiting.splice(0)) reject(new Error(message));
    worker = null;
  });
  return started;
}

/** A flower that is drawn here, so that the page needs no photograph to begin with; species follow each other by index. */
export function drawnFlower(index: number, part: PetalsPart = "test"): Promise<RgbImage> {
  return new Promise((resolve, reject) => {
    waiting.push({ resolve, reject });
    worker ??= start();
    worker.postMessage({ index, part } satisfies FlowerRequest);
  });
}
