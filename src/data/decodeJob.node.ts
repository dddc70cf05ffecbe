/** What is done to each image on a decoding thread. */
import { createHash } from "node:crypto";
import { type CacheOptions, DecodedCache } from "./cache.node.ts";
import { contentBytes, decodeContent } from "./decode.node.ts";
import type { ImageContent } from "./loaders.ts";
import { fitPacked, type PackedPicture, type PackTarget, packPicture } from "./packed.ts";

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
  | { readonly kind: "fit" | "pack"; readonly target: PackTarget; readonly cache?: CacheOptions }
  | { readonly kind: "inspect" };

export type JobResult<K extends DecodeJob["kind"]> = {
  /** [height, width, 3], 0 to 255. */
  fit: Float32Array;
  pack: PackedPicture;
  inspect: ImageFacts;
}[K];

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

/** The function of a job. It throws FileError naming the image. */
export function createWork<K extends DecodeJob["kind"]>(
  job: DecodeJob & { readonly kind: K },
): (content: ImageContent) => Promise<JobResult<K>>;
export function createWork(
  job: DecodeJob,
): (content: ImageContent) => Promise<Float32Array | PackedPicture | ImageFacts> {
  if (job.kind === "inspect") return inspect;
  const { target, kind } = job;
  const cache = job.cache && new DecodedCache(job.cache);
  return async (content) => {
    const bytes = await contentBytes(content);
    const compute = async () => packPicture(await decodeContent(content, bytes), target);
    // Pixels that were never a file take longer to read back than to pack.
    const isFile = typeof content === "string" || "bytes" in content;
    const picture = await (cache && isFile ? cache.get(bytes, target, compute) : compute());
    return kind === "fit" ? fitPacked(picture, target) : picture;
  };
}
