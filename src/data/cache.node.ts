/** Decoded pictures kept in a folder, so that the next epoch or run reads pixels instead of decoding; optional and bounded. */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { threadId } from "node:worker_threads";
import { MAX_PACKED_PIXELS, type PackedPicture, type PackTarget } from "./packed.ts";

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
const SIZE_BYTES = 16;

const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

/** The name of an entry: the hash of the file, and what decides which of its pixels are kept. */
const entryName = (bytes: Uint8Array, { height, width, resize, maxPixels = MAX_PACKED_PIXELS }: PackTarget): string =>
  `${sha256(bytes).toString("hex")}-${height}x${width}-${resize}-${maxPixels}${ENDING}`;

/** Digest of the rest, then four sizes as 32-bit words, then the pixels. */
function encode({ width, height, original, data }: PackedPicture): Uint8Array {
  const sizes = Uint32Array.of(width, height, original.width, original.height);
  const body = Buffer.concat([Buffer.from(sizes.buffer), data]);
  return Buffer.concat([sha256(body), body]);
}

/** The picture of an entry, or undefined when it is cut, longer, or not what was written. */
function decode(entry: Uint8Array): PackedPicture | undefined {
  const body = Uint8Array.from(entry.subarray(DIGEST_BYTES));
  if (body.length < SIZE_BYTES || !sha256(body).equals(entry.subarray(0, DIGEST_BYTES))) return undefined;
  const [width, height, originalWidth, originalHeight] = new Uint32Array(body.buffer, 0, 4);
  const data = body.slice(SIZE_BYTES);
  return { width, height, data, original: { width: originalWidth, height: originalHeight } };
}

/**
 * A cache of packed pictures: key is the SHA-256 of the file with what it is packed for, so a changed file is another entry. A
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

  /** The picture of a file's bytes: the kept one, or that of `compute`, which is then kept. */
  async get(bytes: Uint8Array, target: PackTarget, compute: () => Promise<PackedPicture>): Promise<PackedPicture> {
    const path = join(this.folder, entryName(bytes, target));
    const entry = await readFile(path).catch(() => undefined);
    const kept = entry && decode(entry);
    if (kept) {
      const now = new Date();
      await utimes(path, now, now).catch(() => undefined);
      return kept;
    }
    const picture = await compute();
    await this.put(path, encode(picture)).catch(() => undefined);
    return picture;
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
