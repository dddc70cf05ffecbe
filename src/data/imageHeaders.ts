/**
 * What image files say about themselves in their first bytes. Headers are read before any decoder runs, so that hostile
 * or unsupported files are refused by name and without allocating what they announce.
 */
import { FileError } from "../engine/errors.ts";

/** A header that announces more pixels than this is refused before decoding. */
export const MAX_PIXELS = 100_000_000;

export type ImageFormat = "jpeg" | "png" | "webp";

const OTHER_FORMATS: [name: string, offset: number, magic: string][] = [
  ["a GIF", 0, "GIF8"],
  ["a BMP", 0, "BM"],
  ["a TIFF", 0, "II*\0"],
  ["a TIFF", 0, "MM\0*"],
  ["an AVIF or HEIC image", 4, "ftyp"],
  ["a PDF", 0, "%PDF"],
  ["a web page or SVG", 0, "<"],
];

function ascii(bytes: Uint8Array, offset: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + length));
}

/**
 * The format by magic bytes, whatever the file is called.
 * @throws FileError when the file is empty or of no supported format; known others are named.
 */
export function detectFormat(bytes: Uint8Array): ImageFormat {
  if (bytes.length === 0) throw new FileError("expected an image, but the file is empty; replace or remove it");
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return "jpeg";
  if (ascii(bytes, 0, 8) === "\x89PNG\r\n\x1a\n") return "png";
  if (ascii(bytes, 0, 4) === "RIFF" && ascii(bytes, 8, 4) === "WEBP") return "webp";
  const other = OTHER_FORMATS.find(([, offset, magic]) => ascii(bytes, offset, magic.length) === magic);
  const found = other ? `is ${other[0]}` : "starts with none of their signatures";
  throw new FileError(`expected a JPEG, PNG or WebP image, but the file ${found}; convert it to JPEG or PNG`);
}

/** @throws FileError for an empty picture or one of more than `MAX_PIXELS` */
export function checkDimensions(width: number, height: number): void {
  if (width === 0 || height === 0) {
    throw new FileError(`expected a picture, but its header announces ${width}x${height} pixels; replace or remove it`);
  }
  if (width * height > MAX_PIXELS) {
    throw new FileError(
      `its header announces ${width}x${height} pixels, more than the limit of ${MAX_PIXELS / 1e6} million; make it smaller`,
    );
  }
}

/** A block of 8x8 samples takes a bit at the least in Huffman-coded JPEGs: fewer bytes than this cannot fill the picture. */
const MAX_PIXELS_PER_BYTE = 2048;

const UNSUPPORTED_FRAMES: Record<number, string> = {
  195: "lossless",
  197: "hierarchical",
  198: "hierarchical",
  199: "lossless hierarchical",
  201: "arithmetic-coded",
  202: "arithmetic-coded",
  203: "lossless arithmetic-coded",
  205: "hierarchical",
  206: "hierarchical",
  207: "lossless hierarchical",
};

/**
 * Checks a JPEG's frame header (ITU-T T.81, B.2.2).
 * @throws FileError for a missing or cut header, for kinds that the decoder does not know (CMYK, lossless, arithmetic, 12
 * bit), for impossible or huge dimensions, and for more pixels than the file's bytes could hold.
 */
export function checkJpegHeader(bytes: Uint8Array): void {
  const frame = findFrameHeader(bytes);
  if (!frame)
    throw new FileError("expected a JPEG with a frame header, but the data end before it; replace or remove it");
  const unsupported = UNSUPPORTED_FRAMES[bytes[frame - 1]];
  if (unsupported)
    throw new FileError(`is a ${unsupported} JPEG, which is not supported; save it as a baseline JPEG or PNG`);
  const precision = bytes[frame + 2];
  const height = bytes[frame + 3] * 256 + bytes[frame + 4];
  const width = bytes[frame + 5] * 256 + bytes[frame + 6];
  const components = bytes[frame + 7];
  if (precision !== 8) throw new FileError(`is a JPEG of ${precision} bits, expected 8; save it with 8 bits a channel`);
  if (components === 4) throw new FileError("is a CMYK JPEG, expected RGB or grey; convert it to RGB");
  if (components !== 1 && components !== 3) {
    throw new FileError(`is a JPEG of ${components} channels, expected 1 or 3; convert it to RGB`);
  }
  checkDimensions(width, height);
  if (width * height > bytes.length * MAX_PIXELS_PER_BYTE) {
    throw new FileError(
      `its header announces ${width}x${height} pixels, which its ${bytes.length} bytes cannot hold; replace or remove it`,
    );
  }
}

/** Offset of the length field of the first start-of-frame segment, or undefined when the segments end before one. */
function findFrameHeader(bytes: Uint8Array): number | undefined {
  let position = 2;
  while (position + 10 <= bytes.length) {
    if (bytes[position] !== 0xff || bytes[position + 1] === 0xff) {
      position++; // padding, or bytes that a sloppy writer left between segments
      continue;
    }
    const marker = bytes[position + 1];
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) return position + 2;
    if (marker === 0xd9 || marker === 0xda) return undefined;
    const standsAlone = marker === 0x00 || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);
    position += standsAlone ? 2 : 2 + Math.max(bytes[position + 2] * 256 + bytes[position + 3], 2);
  }
  return undefined;
}

/**
 * Checks a WebP's container and first chunk (Google's WebP container and VP8L bitstream specifications).
 * @throws FileError for a cut file, an animation, or huge dimensions
 */
export function checkWebpHeader(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 30 || bytes.length < view.getUint32(4, true) + 8) {
    throw new FileError("expected a complete WebP, but the file is cut short; replace or remove it");
  }
  const kind = ascii(bytes, 12, 4);
  if (kind === "VP8X") {
    if (bytes[20] & 0x02) throw new FileError("is an animated WebP, expected a still picture; export one frame");
    const uint24 = (offset: number) => view.getUint16(offset, true) + bytes[offset + 2] * 65536;
    checkDimensions(uint24(24) + 1, uint24(27) + 1);
  } else if (kind === "VP8L") {
    const bits = view.getUint32(21, true);
    checkDimensions((bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1);
  } else if (kind === "VP8 ") {
    checkDimensions(view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff);
  } else {
    throw new FileError("expected a WebP picture, but its first chunk is none; replace or remove it");
  }
}
