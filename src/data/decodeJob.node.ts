/** What is done to each image on a decoding thread. */
import { createHash } from "node:crypto";
import { type CacheOptions, DecodedCache } from "./cache.node.ts";
import { contentBytes, type DecodeTarget, decodeContent } from "./decode.node.ts";
import type { ImageContent } from "./loaders.ts";
import { fitImage } from "./resize.ts";

/** What is known of an image that can be decoded. */
export interface ImageFacts {
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  /** SHA-256 of the file's bytes, in hexadecimal. */
  readonly fileHash: string;
  /** SHA-256 of size and decoded pixels: the same for the same picture in another file format without loss. */
  readonly pixelHash: string;
}

export type DecodeJob =
  | { readonly kind: "fit"; readonly target: DecodeTarget; readonly cache?: CacheOptions }
  | { readonly kind: "inspect" };

export type JobResult<J extends DecodeJob> = J extends { kind: "fit" } ? Float32Array : ImageFacts;

const sha256 = (...parts: readonly (string | Uint8Array)[]): string => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

async function inspect(content: ImageContent): Promise<ImageFacts> {
  const bytes = await contentBytes(content);
  const { width, height, data } = await decodeContent(content, bytes);
  return { width, height, bytes: bytes.length, fileHash: sha256(bytes), pixelHash: sha256(`${width}x${height}`, data) };
}

/** The function of a job: fitted float32 [height, width, 3] of 0 to 255, or facts. It throws FileError naming the image. */
export function createWork<J extends DecodeJob>(job: J): (content: ImageContent) => Promise<JobResult<J>>;
export function createWork(job: DecodeJob): (content: ImageContent) => Promise<Float32Array | ImageFacts> {
  if (job.kind === "inspect") return inspect;
  const { target } = job;
  const cache = job.cache && new DecodedCache(job.cache);
  return async (content) => {
    const bytes = await contentBytes(content);
    const compute = async () => fitImage(await decodeContent(content, bytes), target, target.resize);
    // Pixels that were never a file take longer to read back than to resize.
    const isFile = typeof content === "string" || "bytes" in content;
    return cache && isFile ? cache.get(bytes, target, compute) : compute();
  };
}
