/** Decoded pictures kept in a folder, so that the next run reads pixels instead of decoding; optional and bounded. */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { threadId } from "node:worker_threads";
import type { DecodeTarget } from "./decode.node.ts";
import { toBytes } from "./images.ts";

export interface CacheOptions {
  /** The folder; made when it is missing. */
  readonly folder: string;
  /** The most that the entries together may have; the least recently used go first. */
  readonly maxBytes: number;
  /** How many write to the folder at the same time; default 1. Each stays within its share between two looks at the folder. */
  readonly writers?: number;
}

const ENDING = ".pixels";
const DIGEST_BYTES = 32;

const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

/** The name of an entry: the hash of the file, the size and the way it was resized. */
const entryName = (bytes: Uint8Array, { height, width, resize }: DecodeTarget): string =>
  `${sha256(bytes).toString("hex")}-${height}x${width}-${resize}${ENDING}`;

/** Whole numbers are kept as bytes, a quarter of the size; the entry's length tells which it is. */
function encode(pixels: Float32Array): Uint8Array {
  const rounded = toBytes(pixels);
  const body = pixels.every((value, index) => value === rounded[index])
    ? rounded
    : new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  return Buffer.concat([sha256(body), body]);
}

/** The pixels of an entry, or undefined when it is cut, longer, or not what was written. */
function decode(entry: Uint8Array, count: number): Float32Array | undefined {
  const body = entry.subarray(DIGEST_BYTES);
  if (body.length !== count && body.length !== 4 * count) return undefined;
  if (!sha256(body).equals(entry.subarray(0, DIGEST_BYTES))) return undefined;
  return body.length === count ? Float32Array.from(body) : new Float32Array(Uint8Array.from(body).buffer);
}

/**
 * A cache of fitted pictures: key is the SHA-256 of the file with size and resize mode, so a changed file is another entry. A
 * damaged entry counts as absent. What cannot be written is not kept; a full or read-only disk only costs time.
 */
export class DecodedCache {
  private readonly folder: string;
  private readonly maxBytes: number;
  private readonly writers: number;
  /** Bytes that may be written before the folder is looked at again. */
  private allowance = 0;
  private evicting: Promise<void> = Promise.resolve();

  constructor({ folder, maxBytes, writers = 1 }: CacheOptions) {
    this.folder = folder;
    this.maxBytes = maxBytes;
    this.writers = writers;
  }

  /** The pixels [height, width, 3] of a file's bytes: kept ones, or those of `compute`, which are then kept. */
  async get(bytes: Uint8Array, target: DecodeTarget, compute: () => Promise<Float32Array>): Promise<Float32Array> {
    const path = join(this.folder, entryName(bytes, target));
    const entry = await readFile(path).catch(() => undefined);
    const kept = entry && decode(entry, target.height * target.width * 3);
    if (kept) {
      const now = new Date();
      await utimes(path, now, now).catch(() => undefined);
      return kept;
    }
    const pixels = await compute();
    await this.put(path, encode(pixels)).catch(() => undefined);
    return pixels;
  }

  private async put(path: string, entry: Uint8Array): Promise<void> {
    if (entry.length > this.maxBytes / this.writers) return;
    this.evicting = this.evicting.catch(() => undefined).then(() => this.makeRoom(entry.length));
    await this.evicting;
    const temporary = `${path}.${process.pid}.${threadId}`;
    try {
      await writeFile(temporary, entry);
      await rename(temporary, path); // whole or not at all
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /** Takes `size` from the allowance; when it is spent, evicts to three quarters of the limit and shares out the rest. */
  private async makeRoom(size: number): Promise<void> {
    if (this.allowance < size) {
      await mkdir(this.folder, { recursive: true });
      const target = Math.min((3 * this.maxBytes) / 4, this.maxBytes - size * this.writers);
      const total = await this.evict(target);
      this.allowance = (this.maxBytes - total) / this.writers;
    }
    this.allowance -= size;
  }

  /** Removes the least recently used entries when all together have more than `target` bytes; gives what is left. */
  private async evict(target: number): Promise<number> {
    const names = (await readdir(this.folder)).filter((name) => name.includes(ENDING));
    const found = await Promise.all(
      names.map(async (name) => {
        const info = await stat(join(this.folder, name)).catch(() => null);
        return { name, size: info?.size ?? 0, used: info?.mtimeMs ?? 0 };
      }),
    );
    let total = found.reduce((sum, { size }) => sum + size, 0);
    for (const { name, size } of found.sort((a, b) => a.used - b.used)) {
      if (total <= target) break;
      await rm(join(this.folder, name), { force: true });
      total -= size;
    }
    return total;
  }
}
