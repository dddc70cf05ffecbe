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
import type { CacheOptions } from "./cache.node.ts";
import { createWork, type DecodeJob, type ImageFacts, type JobResult } from "./decodeJob.node.ts";
import type { WorkerAnswer } from "./decodeWorker.node.ts";
import { contentName, type ImageContent } from "./loaders.ts";
import type { PackedPicture, PackTarget } from "./packed.ts";

export interface DecoderOptions extends PackTarget {
  /** Worker threads; 0 decodes on the calling thread. Default: the cores, at most 4. */
  threads?: number;
  /** Where decoded pictures are kept for the next time; without it they are not. */
  cache?: Omit<CacheOptions, "writers">;
}

/** One file's float32 [height, width, 3] of 0 to 255, or why there is none. */
export type DecodedFile = { path: string; pixels: Float32Array } | { path: string; error: FileError };

/** One file's picture as it goes to the GPU, or why there is none. */
export type PackedFile = { path: string; picture: PackedPicture } | { path: string; error: FileError };

/** One image's facts, or why there are none. */
export type InspectedFile = { path: string; facts: ImageFacts } | { path: string; error: FileError };

/** Images as paths, bytes of files, or pixels; asked for no faster than they are decoded. */
export type ImageContents = Iterable<ImageContent> | AsyncIterable<ImageContent>;

export interface Decoder {
  /** The images in the order given; a broken one gives an `error` and the others go on. What `contents` throws is thrown. */
  decode(contents: ImageContents): AsyncIterable<DecodedFile>;
  /** Ends the threads. Files still being decoded end with an error. */
  close(): Promise<void>;
}

export interface Packer {
  /** The pictures in the order given, as `decode` of a decoder. */
  pack(contents: ImageContents): AsyncIterable<PackedFile>;
  close(): Promise<void>;
}

export interface Inspector {
  /** Decodes each image and says what it is, in the order given. */
  inspect(contents: ImageContents): AsyncIterable<InspectedFile>;
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

type Finished<T> = { path: string; value: T } | { path: string; error: FileError };

interface Task<T> {
  content: ImageContent;
  finish(result: Finished<T>): void;
}

const defaultThreads = (): number => Math.min(availableParallelism(), 4);

/** Threads that do one job on images, in turn and ahead of whoever takes the results. */
class DecodePool<K extends DecodeJob["kind"]> {
  private readonly queue: Task<JobResult<K>>[] = [];
  private readonly idle: Worker[] = [];
  private readonly busy = new Map<Worker, Task<JobResult<K>>>();
  private readonly work: (content: ImageContent) => Promise<JobResult<K>>;
  private started?: Promise<void>;
  private closed = false;

  constructor(
    private readonly job: DecodeJob & { readonly kind: K },
    private readonly threads: number,
  ) {
    this.work = createWork<K>(job);
  }

  async *run(contents: ImageContents): AsyncGenerator<Finished<JobResult<K>>> {
    this.started ??= this.start();
    await this.started;
    const ahead: Promise<Finished<JobResult<K>>>[] = [];
    const limit = Math.max(this.threads * READ_AHEAD, 1);
    for await (const content of contents) {
      ahead.push(this.submit(content));
      if (ahead.length >= limit) yield await ahead.shift()!;
    }
    for (const result of ahead) yield await result;
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
        worker = new Worker(file, { workerData: this.job, execArgv: [] });
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

  private submit(content: ImageContent): Promise<Finished<JobResult<K>>> {
    if (this.closed) {
      const path = contentName(content);
      return Promise.resolve({ path, error: new FileError(`${path}: the decoder is closed; create another`) });
    }
    return new Promise((finish) => {
      const task = { content, finish };
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
      worker.postMessage(task.content);
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
    const path = task ? contentName(task.content) : "";
    if (task && "value" in answer) task.finish({ path, value: answer.value as JobResult<K> });
    else if (task && "message" in answer) task.finish({ path, error: new FileError(answer.message) });
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

  private decodeHere({ content, finish }: Task<JobResult<K>>): void {
    const path = contentName(content);
    this.work(content).then(
      (value) => finish({ path, value }),
      (error: FileError) => finish({ path, error }),
    );
  }

  private fail({ content, finish }: Task<JobResult<K>>, reason: string): void {
    const path = contentName(content);
    finish({ path, error: new FileError(`${path}: ${reason}`) });
  }
}

class FittingPool extends DecodePool<"fit"> implements Decoder {
  async *decode(contents: ImageContents): AsyncGenerator<DecodedFile> {
    for await (const result of this.run(contents))
      yield "error" in result ? result : { path: result.path, pixels: result.value };
  }
}

class PackingPool extends DecodePool<"pack"> implements Packer {
  async *pack(contents: ImageContents): AsyncGenerator<PackedFile> {
    for await (const result of this.run(contents))
      yield "error" in result ? result : { path: result.path, picture: result.value };
  }
}

class InspectingPool extends DecodePool<"inspect"> implements Inspector {
  async *inspect(contents: ImageContents): AsyncGenerator<InspectedFile> {
    for await (const result of this.run(contents))
      yield "error" in result ? result : { path: result.path, facts: result.value };
  }
}

const keptBy = (cache: DecoderOptions["cache"], threads: number) =>
  cache && { folder: cache.folder, maxBytes: cache.maxBytes, writers: Math.max(threads, 1) };

const targetOf = ({ height, width, resize, maxPixels }: DecoderOptions): PackTarget => ({
  height,
  width,
  resize,
  maxPixels,
});

/**
 * A decoder of images on worker threads with bounded read-ahead; on the calling thread where workers cannot be had.
 * Close it after use.
 */
export function createDecoder({ threads = defaultThreads(), cache, ...size }: DecoderOptions): Decoder {
  return new FittingPool({ kind: "fit", target: targetOf(size), cache: keptBy(cache, threads) }, threads);
}

/** Like `createDecoder`, for pictures that the GPU brings to size. */
export function createPacker({ threads = defaultThreads(), cache, ...size }: DecoderOptions): Packer {
  return new PackingPool({ kind: "pack", target: targetOf(size), cache: keptBy(cache, threads) }, threads);
}

/** Like `createDecoder`, for facts about the images instead of their pixels at one size. */
export function createInspector({ threads = defaultThreads() }: { threads?: number } = {}): Inspector {
  return new InspectingPool({ kind: "inspect" }, threads);
}
