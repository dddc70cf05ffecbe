/** The thread behind decodePool.node.ts: one path in, one picture or one error message out, in turn. */
import { parentPort, workerData } from "node:worker_threads";
import { type DecodeTarget, readFitted } from "./decode.node.ts";

/** What a worker answers: `ready` once, then one answer for each path. */
export type WorkerAnswer = { ready: true } | { pixels: Float32Array } | { message: string };

const target = workerData as DecodeTarget;
const port = parentPort!;

port.on("message", async (path: string) => {
  try {
    const pixels = await readFitted(path, target);
    port.postMessage({ pixels } satisfies WorkerAnswer, [pixels.buffer as ArrayBuffer]);
  } catch (error) {
    port.postMessage({ message: (error as Error).message } satisfies WorkerAnswer);
  }
});
port.postMessage({ ready: true } satisfies WorkerAnswer);
