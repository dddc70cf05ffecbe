/** Image files as pixels, with what every browser has: no codec is loaded. */
import { compositeOverWhite, type Image } from "../data/images.ts";
import { DataError, FileError } from "../engine/errors.ts";

/** The bytes of a file. */
export type ByteSource = ArrayBuffer | ArrayBufferView<ArrayBuffer> | Blob;

/** The bytes of a file, or where they are. */
export type FileSource = string | URL | ByteSource;

/** The bytes that a source holds, without a copy where it can be avoided. */
export async function bytesOf(source: ByteSource): Promise<Uint8Array<ArrayBuffer>> {
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
}

/**
 * Reads a file's bytes; a string is an address, and this is the one place where a page opens a connection: to what it named.
 * @throws FileError when it cannot be had.
 */
export async function fetchBytes(source: FileSource, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  if (typeof source !== "string" && !(source instanceof URL)) return bytesOf(source);
  const response = await fetch(source, { signal }).catch((cause: Error) => {
    signal?.throwIfAborted();
    throw new FileError(`${source}: expected a file, found ${cause.message}; check the address`, { cause });
  });
  if (!response.ok)
    throw new FileError(`${source}: expected a file, found status ${response.status}; check the address`);
  return new Uint8Array(await response.arrayBuffer());
}

/**
 * Decodes an image file. Colours are taken as they are stored, transparency shows white, and a camera's orientation is applied:
 * the same bytes as Tepal's decoders in Node.
 * @throws FileError when it cannot be fetched; DataError when this browser does not know the format.
 */
export async function decodeFile(source: FileSource, signal?: AbortSignal): Promise<Image> {
  const blob = source instanceof Blob ? source : new Blob([await fetchBytes(source, signal)]);
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" } as const;
  const bitmap = await createImageBitmap(blob, options).catch((cause: Error) => {
    throw new DataError(
      `expected an image that this browser can decode, found ${blob.size} bytes: ${cause.message}; use JPEG, PNG or WebP`,
      { cause },
    );
  });
  signal?.throwIfAborted();
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true }) as OffscreenCanvasRenderingContext2D;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return compositeOverWhite(context.getImageData(0, 0, width, height).data, width, height);
}
