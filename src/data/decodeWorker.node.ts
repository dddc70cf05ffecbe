/** The thread behind decodePool.node.ts: one image in, one result or one error message out, in turn. */
import { parentPort, workerData } from "node:worker_threads";
import { createWork, type DecodeJob } from "./decodeJob.node.ts";
import type { ImageContent } from "./loaders.ts";

/** What a worker answers: `ready` once, then one answer for each image. */
export type WorkerAnswer = { ready: true } | { value: unknown } | { message: string };

const work = createWork(workerData as DecodeJob);
const port = parentPort!;

port.on("message", async (content: ImageContent) => {
  try {
    const value = await work(content);
    const pixels = "data" in value ? value.data : value;
    // A view of a part would take the rest of its buffer along.
    const isOwn = ArrayBuffer.isView(pixels) && pixels.byteLength === pixels.buffer.byteLength;
    const transfer = isOwn ? [pixels.buffer as ArrayBuffer] : [];
    port.postMessage({ value } satisfies WorkerAnswer, transfer);
  } catch (error) {
    port.postMessage({ message: (error as Error).message } satisfies WorkerAnswer);
  }
});
port.postMessage({ ready: true } satisfies WorkerAnswer);
