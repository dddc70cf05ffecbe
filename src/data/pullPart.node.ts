/** The bytes of a download on their way into `NAME.part`: bounded, watched for stalls, resumed by range. */
import { createWriteStream } from "node:fs";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as wait } from "node:timers/promises";
import { FileError } from "../engine/errors.ts";
import { connectionError, openDownload } from "./pullHttp.node.ts";
import { backoff, type PartState, parseContentRange, shown, TransientError, validatorOf } from "./pullPolicy.ts";

export interface TransferLimits {
  /** A server that sends more is cut off. */
  readonly maxBytes: number;
  /** Milliseconds; a connection that brings less than 1 KiB in this time is given up. */
  readonly stallMs: number;
  /** Tries in a row that bring nothing new before the download fails. */
  readonly tries: number;
  /** Milliseconds before the second try; doubled before each further one. */
  readonly backoffMs: number;
}

export interface PartJob extends TransferLimits {
  /** Ends in `.part`; what is known of it stands beside it in `.part.json`. */
  readonly part: string;
  readonly url: URL;
  readonly trustedHost: string | null;
  /** Called as bytes arrive; `resumedAt` of them were there before. */
  readonly onProgress: (received: number, total: number | null, resumedAt: number) => void;
}

const MIN_BYTES_PER_STALL_TIME = 1024;
/** So much more than ever before counts as progress, after which the tries are counted anew. */
const PROGRESS_BYTES = 2 ** 20;
const BUSY = new Set([408, 425, 429, 500, 502, 503, 504]);

export const stateFile = (part: string): string => `${part}.json`;

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => null))?.size ?? 0;

/** Forgets a partial file. */
export async function discardPart(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(stateFile(part), { force: true });
}

/** The partial file that may be continued; null where there is none, or nothing says of which file it is a part. */
async function resumable(job: PartJob): Promise<{ size: number; state: PartState } | null> {
  const size = await sizeOf(job.part);
  if (size === 0) return null;
  try {
    const state = JSON.parse(await readFile(stateFile(job.part), "utf8")) as PartState;
    const ours = state.url === job.url.href && (state.total === null || size <= state.total);
    return ours && (validatorOf(state) !== null || size === state.total) ? { size, state } : null;
  } catch {
    return null;
  }
}

/** What an answer says of the file it is part of, and of where it begins. */
interface Announced {
  readonly state: PartState;
  readonly start: number;
}

function bodyLength(response: IncomingMessage, url: URL): number | null {
  const { "content-length": text, "content-encoding": encoding, "transfer-encoding": transfer } = response.headers;
  if (encoding && encoding !== "identity")
    throw new FileError(
      `${shown(url)}: expected the file as it is, found it encoded as ${encoding}; use another mirror`,
    );
  if (text !== undefined) return Number(text);
  // Without a length and without chunks the end of the file cannot be told from a cut.
  if (!/\bchunked\b/i.test(transfer ?? ""))
    throw new FileError(`${shown(url)}: expected the server to announce a length, found none; use another mirror`);
  return null;
}

/** @throws TransientError where the server does not continue the same file; FileError where it does not give one. */
function announcedBy(response: IncomingMessage, url: URL, job: PartJob, known: Awaited<ReturnType<typeof resumable>>) {
  const status = response.statusCode ?? 0;
  if (BUSY.has(status)) throw new TransientError(`${shown(url)}: expected the file, found status ${status}; try later`);
  const { etag = null, "last-modified": lastModified = null } = response.headers;
  const changed = () => new ChangedFile(`${shown(url)}: expected the rest of the file, found it changed; try again`);
  if (status === 416) throw changed();
  if (status === 206) {
    const range = parseContentRange(response.headers["content-range"]);
    const same = known && range?.start === known.size && range.total === known.state.total;
    const tagged = !etag || !known?.state.etag || etag === known.state.etag;
    if (!same || !tagged) throw changed();
    bodyLength(response, url);
    return { state: known.state, start: known.size } satisfies Announced;
  }
  if (status !== 200)
    throw new FileError(`${shown(url)}: expected the file, found status ${status}; check the address or use --from`);
  const state: PartState = { url: job.url.href, etag, lastModified, total: bodyLength(response, url) };
  return { state, start: 0 } satisfies Announced;
}

/** The server's file is not the one of which we hold a part. */
class ChangedFile extends TransientError {}

function tooLarge(job: PartJob, found: string): FileError {
  return new FileError(
    `${shown(job.url)}: expected at most ${job.maxBytes.toLocaleString("en")} bytes, found ${found}; raise --max-bytes if that is right`,
  );
}

/** Gives up, through the controller, a transfer that brings next to nothing. */
function watchStalls(job: PartJob, controller: AbortController, received: () => number): () => void {
  let before = 0;
  const timer = setInterval(() => {
    const stalled = received() - before < MIN_BYTES_PER_STALL_TIME;
    before = received();
    const text = `expected data within ${job.stallMs / 1000} s, found a stall; try again, what came is kept`;
    if (stalled) controller.abort(new TransientError(`${shown(job.url)}: ${text}`));
  }, job.stallMs);
  return () => clearInterval(timer);
}

/**
 * Writes what comes behind the first `start` bytes; gives the size of the part. After a failure what came before it is
 * on the disk: the stream is ended, not destroyed.
 */
async function write(
  response: IncomingMessage,
  sink: Writable,
  start: number,
  total: number | null,
  job: PartJob,
  count: (bytes: number) => void,
): Promise<number> {
  let size = start;
  let failure: unknown = null;
  const limit = Math.min(job.maxBytes, total ?? Number.POSITIVE_INFINITY);
  const bounded = async function* () {
    try {
      for await (const chunk of response as AsyncIterable<Uint8Array>) {
        if (size + chunk.length > limit) throw tooLarge({ ...job, maxBytes: limit }, "more");
        size += chunk.length;
        count(chunk.length);
        job.onProgress(size, total, start);
        yield chunk;
      }
    } catch (error) {
      failure = error;
    }
  };
  await pipeline(bounded(), sink);
  if (failure) throw failure;
  return size;
}

async function receive(job: PartJob, controller: AbortController, count: (bytes: number) => void): Promise<void> {
  const { signal } = controller;
  const known = await resumable(job);
  if (known && known.size === known.state.total) return;
  const validator = known && validatorOf(known.state);
  const { response, url } = await openDownload({ ...job, offset: known?.size ?? 0, validator, signal });
  try {
    const { state, start } = announcedBy(response, url, job, known);
    if (state.total !== null && state.total > job.maxBytes) throw tooLarge(job, state.total.toLocaleString("en"));
    if (start === 0) {
      // In this order, so that a kill in between never leaves old bytes with the description of a new file.
      await discardPart(job.part);
      await writeFile(stateFile(job.part), JSON.stringify(state));
    }
    const sink = createWriteStream(job.part, start > 0 ? { flags: "r+", start } : { flags: "w" });
    const size = await write(response, sink, start, state.total, job, count);
    if (state.total !== null && size !== state.total)
      throw new TransientError(`${shown(url)}: expected ${state.total} bytes, found ${size}; try again`);
  } finally {
    response.on("error", () => {}).destroy();
  }
}

/** One connection. */
async function attempt(job: PartJob): Promise<void> {
  const controller = new AbortController();
  let received = 0;
  const unwatch = watchStalls(job, controller, () => received);
  try {
    await receive(job, controller, (bytes) => {
      received += bytes;
    });
  } catch (cause) {
    if (controller.signal.aborted) throw controller.signal.reason;
    throw connectionError(job.url, cause);
  } finally {
    unwatch();
  }
}

/**
 * Fetches a file into `job.part`, continuing what lies there where the server still has the same file.
 * @returns true where the part was put together from more than one connection.
 * @throws FileError, at once where another try is useless, else after `job.tries` tries without progress.
 */
export async function downloadPart(job: PartJob): Promise<boolean> {
  let furthest = await sizeOf(job.part);
  let pieces = furthest > 0;
  for (let failures = 0; ; ) {
    try {
      await attempt(job);
      return pieces;
    } catch (error) {
      if (error instanceof ChangedFile) await discardPart(job.part);
      if (!(error instanceof TransientError)) throw error;
      const size = await sizeOf(job.part);
      pieces = size > 0;
      // Only bytes beyond all earlier ones count, or a server that changes its file each time would go on for ever.
      if (size >= furthest + PROGRESS_BYTES) failures = 0;
      furthest = Math.max(furthest, size);
      failures++;
      if (failures >= job.tries)
        throw new FileError(`${error.message} (gave up after ${failures} tries)`, { cause: error });
      await wait(backoff(failures, job.backoffMs));
    }
  }
}
