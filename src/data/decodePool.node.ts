/** Decoding off the main thread and ahead of use, so that the GPU does not wait for photographs. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { FileError } from "../engine/errors.ts";
import { type DecodeTarget, readFitted } from "./decode.node.ts";
import type { WorkerAnswer } from "./decodeWorker.node.ts";

export interface DecoderOptions extends DecodeTarget {
  /** Worker threads; 0 decodes on the calling thread. Default: the cores, at most 4. */
  threads?: number;
}

/** One file's float32 [height, width, 3] of 0 to 255, or why there is none. */
export type DecodedFile = { path: string; pixels: Float32Array } | { path: string; error: FileError };

export interface Decoder {
  /** The files in the order given; a broken one gives an `error` and the others go on. */
  decode(paths: readonly string[]): AsyncIterable<DecodedFile>;
  /** Ends the threads. Files still being decoded end with an error. */
  close(): Promise<void>;
}

/** Files decoded or being decoded but not yet taken, for each thread: bounds memory however slow the consumer is. */
const READ_AHEAD = 4;

/** Node 20 cannot run TypeScript, so from source the worker is bundled; its name is its content's hash, never stale. */
async function bundleWorker(): Promise<URL> {
  const require = createRequire(import.meta.url);
  const { build } = require("esbuild") as typeof import("esbuild");
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("./decodeWorker.node.ts", import.meta.url))],
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "silent",
    write: false,
  });
  const content = outputFiles[0].contents;
  const folder = join(dirname(dirname(require.resolve("esbuild/package.json"))), ".cache", "tepal");
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 16);
  const file = join(folder, `decodeWorker-${hash}.mjs`);
  if (!existsSync(file)) {
    await mkdir(folder, { recursive: true });
    const temporary = `${file}.${process.pid}`;
    await writeFile(temporary, content);
    await rename(temporary, file); // whole or not at all, whoever else builds it now
  }
  return pathToFileURL(file);
}

let workerFile: Promise<URL | undefined> | undefined;

/** The worker's entry beside the bundle, or one made from source; undefined when neither can be had. */
function locateWorker(): Promise<URL | undefined> {
  const built = new URL("./decodeWorker.js", import.meta.url);
  workerFile ??= existsSync(built) ? Promise.resolve(built) : bundleWorker().catch(() => undefined);
  return workerFile;
}

interface Task {
  path: string;
  finish(result: DecodedFile): void;
}

class DecodePool implements Decoder {
  private readonly threads: number;
  private readonly target: DecodeTarget;
  private readonly queue: Task[] = [];
  private readonly idle: Worker[] = [];
  private readonly busy = new Map<Worker, Task>();
  private started?: Promise<void>;
  private closed = false;

  constructor({ threads, ...target }: DecoderOptions) {
    this.threads = threads ?? Math.min(availableParallelism(), 4);
    this.target = { height: target.height, width: target.width, resize: target.resize };
  }

  async *decode(paths: readonly string[]): AsyncIterable<DecodedFile> {
    this.started ??= this.start();
    await this.started;
    const ahead: Promise<DecodedFile>[] = [];
    const limit = Math.max(this.threads * READ_AHEAD, 1);
    for (let next = 0; next < paths.length || ahead.length > 0; ) {
      while (next < paths.length && ahead.length < limit) ahead.push(this.submit(paths[next++]));
      yield await ahead.shift()!;
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.started;
    const workers = [...this.idle.splice(0), ...this.busy.keys()];
    const unfinished = [...this.queue.splice(0), ...this.busy.values()];
    this.busy.clear();
    for (const task of unfinished) this.fail(task, "the decoder was closed before its turn; decode it again");
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  private async start(): Promise<void> {
    if (this.threads === 0) return;
    const file = await locateWorker();
    if (!file) return;
    await Promise.all(Array.from({ length: this.threads }, () => this.spawn(file)));
  }

  /** Adds one worker once it says that it is ready; where threads cannot be had there is none, and no error. */
  private spawn(file: URL): Promise<void> {
    return new Promise((resolve) => {
      let worker: Worker;
      try {
        worker = new Worker(file, { workerData: this.target, execArgv: [] });
      } catch {
        resolve();
        return;
      }
      let reason = "the decoding thread ended";
      worker.on("message", (answer: WorkerAnswer) => {
        if ("ready" in answer) resolve();
        this.release(worker, answer);
      });
      worker.on("error", (error) => {
        reason = `the decoding thread failed (${error.message})`;
      });
      worker.on("exit", () => {
        this.retire(worker, reason, file);
        resolve();
      });
    });
  }

  private submit(path: string): Promise<DecodedFile> {
    if (this.closed) {
      return Promise.resolve({ path, error: new FileError(`${path}: the decoder is closed; create another`) });
    }
    return new Promise((finish) => {
      const task = { path, finish };
      if (this.idle.length + this.busy.size === 0) {
        this.decodeHere(task);
      } else {
        this.queue.push(task);
        this.dispatch();
      }
    });
  }

  private dispatch(): void {
    while (this.queue.length > 0 && this.idle.length > 0) {
      const worker = this.idle.pop()!;
      const task = this.queue.shift()!;
      this.busy.set(worker, task);
      worker.ref(); // work in flight keeps the process alive, an idle thread does not
      worker.postMessage(task.path);
    }
  }

  private release(worker: Worker, answer: WorkerAnswer): void {
    const task = this.busy.get(worker);
    this.busy.delete(worker);
    if (this.closed) {
      void worker.terminate(); // a replacement that became ready after the others were ended
      return;
    }
    worker.unref();
    this.idle.push(worker);
    if (task && "pixels" in answer) task.finish({ path: task.path, pixels: answer.pixels });
    else if (task && "message" in answer) task.finish({ path: task.path, error: new FileError(answer.message) });
    this.dispatch();
  }

  /** A thread died: its file is named as broken, a new thread takes its place, or else this thread does the rest. */
  private retire(worker: Worker, reason: string, file: URL): void {
    const task = this.busy.get(worker);
    this.busy.delete(worker);
    const place = this.idle.indexOf(worker);
    if (place >= 0) this.idle.splice(place, 1);
    if (this.closed) return;
    if (task) {
      this.fail(task, `${reason} while decoding; replace or remove it`);
      void this.spawn(file).then(() => this.drainHere());
    } else {
      this.drainHere();
    }
  }

  private drainHere(): void {
    if (this.idle.length + this.busy.size > 0) return;
    for (const task of this.queue.splice(0)) this.decodeHere(task);
  }

  private decodeHere({ path, finish }: Task): void {
    readFitted(path, this.target).then(
      (pixels) => finish({ path, pixels }),
      (error: FileError) => finish({ path, error }),
    );
  }

  private fail({ path, finish }: Task, reason: string): void {
    finish({ path, error: new FileError(`${path}: ${reason}`) });
  }
}

/**
 * A decoder of image files on worker threads with bounded read-ahead; on the calling thread where workers cannot be had.
 * Close it after use.
 */
export function createDecoder(options: DecoderOptions): Decoder {
  return new DecodePool(options);
}
