/**
 * PNG (ISO/IEC 15948) with node:zlib: an encoder, and a decoder of every colour type, depth and interlacing. Inflation
 * is bounded by what the header announces, so a small file cannot claim all memory.
 */
import { deflateSync, inflateSync } from "node:zlib";
import { FileError } from "../engine/errors.ts";
import { checkDimensions } from "./imageHeaders.ts";
import { compositeOverWhite, type Image } from "./images.ts";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) value = (value >>> 8) ^ CRC_TABLE[(value ^ bytes[i]) & 255];
  return ~value >>> 0;
}

function paeth(left: number, above: number, corner: number): number {
  const estimate = left + above - corner;
  const toLeft = Math.abs(estimate - left);
  const toAbove = Math.abs(estimate - above);
  const toCorner = Math.abs(estimate - corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

/** What filter `kind` predicts from the bytes to the left, above, and above left. */
function predict(kind: number, left: number, above: number, corner: number): number {
  if (kind === 1) return left;
  if (kind === 2) return above;
  if (kind === 3) return (left + above) >> 1;
  return kind === 4 ? paeth(left, above, corner) : 0;
}

function chunk(kind: string, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(body.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = kind.charCodeAt(i);
  bytes.set(body, 8);
  view.setUint32(body.length + 8, crc32(bytes.subarray(4, body.length + 8)));
  return bytes;
}

/** Each row with the filter whose residuals are smallest in sum, the standard's own heuristic. */
function filterForEncoding(data: ArrayLike<number>, height: number, stride: number, channels: number): Uint8Array {
  const output = new Uint8Array(height * (stride + 1));
  const candidate = new Uint8Array(stride);
  for (let y = 0; y < height; y++) {
    const row = y * stride;
    let smallest = Number.POSITIVE_INFINITY;
    for (let kind = 0; kind < 5; kind++) {
      let sum = 0;
      for (let x = 0; x < stride; x++) {
        const left = x >= channels ? data[row + x - channels] : 0;
        const above = y > 0 ? data[row + x - stride] : 0;
        const corner = y > 0 && x >= channels ? data[row + x - stride - channels] : 0;
        const residual = (data[row + x] - predict(kind, left, above, corner)) & 255;
        candidate[x] = residual;
        sum += residual < 128 ? residual : 256 - residual;
      }
      if (sum >= smallest) continue;
      smallest = sum;
      output[y * (stride + 1)] = kind;
      output.set(candidate, y * (stride + 1) + 1);
    }
  }
  return output;
}

/**
 * An 8-bit PNG of RGB or RGBA bytes (told apart by their number). No time or other metadata is written, so the same
 * pixels give the same bytes with the same version of Node.
 * @throws RangeError when the bytes are neither width · height · 3 nor · 4
 */
export function encodePng(image: { width: number; height: number; data: Uint8Array | Uint8ClampedArray }): Uint8Array {
  const { width, height, data } = image;
  const channels = data.length / (width * height);
  if (channels !== 3 && channels !== 4) {
    throw new RangeError(
      `a PNG of ${width}x${height} needs ${width * height * 3} bytes (RGB) or ${width * height * 4} (RGBA), got ${data.length}`,
    );
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header[8] = 8;
  header[9] = channels === 4 ? 6 : 2;
  const rows = deflateSync(filterForEncoding(data, height, width * channels, channels), { level: 9 });
  const parts = [SIGNATURE, chunk("IHDR", header), chunk("IDAT", rows), chunk("IEND", new Uint8Array())];
  return new Uint8Array(Buffer.concat(parts));
}

interface PngParts {
  width: number;
  height: number;
  depth: number;
  colourType: number;
  interlaced: boolean;
  palette: Uint8Array;
  transparency: Uint8Array;
  compressed: Uint8Array;
}

const CHANNELS: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const DEPTHS: Record<number, number[]> = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };

function readHeader(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const width = bytes.length === 13 ? view.getUint32(0) : 0;
  const height = bytes.length === 13 ? view.getUint32(4) : 0;
  checkDimensions(width, height);
  const [depth, colourType, compression, filter, interlace] = bytes.subarray(8);
  if (!DEPTHS[colourType]?.includes(depth) || compression !== 0 || filter !== 0 || interlace > 1) {
    throw new FileError(
      `is a PNG of unknown kind (colour type ${colourType}, ${depth} bits); save it again as PNG or JPEG`,
    );
  }
  return { width, height, depth, colourType, interlaced: interlace === 1 };
}

/** Walks the chunks; text, time and other ancillary chunks are never interpreted. */
function readChunks(bytes: Uint8Array): PngParts {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bodies = new Map<string, Uint8Array[]>();
  let kind = "";
  for (let position = 8; kind !== "IEND"; ) {
    const length = position + 12 <= bytes.length ? view.getUint32(position) : Number.POSITIVE_INFINITY;
    const end = position + 12 + length;
    if (end > bytes.length)
      throw new FileError("expected a complete PNG, but the file is cut short; replace or remove it");
    kind = String.fromCharCode(...bytes.subarray(position + 4, position + 8));
    if (/^(IHDR|PLTE|tRNS|IDAT|IEND)$/.test(kind)) {
      if (crc32(bytes.subarray(position + 4, end - 4)) !== view.getUint32(end - 4)) {
        throw new FileError(`its PNG chunk ${kind} is damaged (checksum differs); replace or remove it`);
      }
      if (!bodies.has(kind)) bodies.set(kind, []);
      bodies.get(kind)!.push(bytes.subarray(position + 8, end - 4));
    }
    position = end;
  }
  const first = (name: string) => bodies.get(name)?.[0] ?? new Uint8Array();
  return {
    ...readHeader(first("IHDR")),
    palette: first("PLTE"),
    transparency: first("tRNS"),
    compressed: Buffer.concat(bodies.get("IDAT") ?? []),
  };
}

/** The seven passes of Adam7 as [x start, y start, x step, y step]; without interlacing there is one. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

interface Pass {
  xStart: number;
  yStart: number;
  xStep: number;
  yStep: number;
  width: number;
  height: number;
  stride: number;
}

function passesOf({ width, height, depth, colourType, interlaced }: PngParts): Pass[] {
  return (interlaced ? ADAM7 : [[0, 0, 1, 1]])
    .map(([xStart, yStart, xStep, yStep]) => {
      const passWidth = Math.ceil((width - xStart) / xStep);
      const passHeight = Math.ceil((height - yStart) / yStep);
      const stride = Math.ceil((passWidth * CHANNELS[colourType] * depth) / 8);
      return { xStart, yStart, xStep, yStep, width: passWidth, height: passHeight, stride };
    })
    .filter((pass) => pass.width > 0 && pass.height > 0);
}

/** Deflate reaches a ratio of about 1032 at the most. */
const MAX_DEFLATE_RATIO = 1040;

function inflateRows(compressed: Uint8Array, expected: number): Uint8Array {
  if (expected > compressed.length * MAX_DEFLATE_RATIO) {
    throw new FileError(`its ${compressed.length} bytes cannot hold the announced pixels; replace or remove it`);
  }
  let rows: Uint8Array;
  try {
    rows = inflateSync(compressed, { maxOutputLength: expected + 65536 });
  } catch (cause) {
    throw new FileError("expected intact PNG data, but they do not decompress; replace or remove it", { cause });
  }
  if (rows.length < expected)
    throw new FileError("expected a complete PNG, but rows are missing; replace or remove it");
  return rows;
}

/** Undoes the filter of the row at `start` in place; `above` is the row before, already undone. */
function unfilterRow(row: Uint8Array, above: Uint8Array | undefined, kind: number, pixelBytes: number): void {
  if (kind > 4) throw new FileError(`expected PNG filters 0 to 4, found ${kind}; replace or remove it`);
  if (kind === 0) return;
  for (let x = 0; x < row.length; x++) {
    const left = x >= pixelBytes ? row[x - pixelBytes] : 0;
    const up = above ? above[x] : 0;
    const corner = above && x >= pixelBytes ? above[x - pixelBytes] : 0;
    row[x] += predict(kind, left, up, corner);
  }
}

/** Sample `index` of a row, in the file's own depth. */
function sample(row: Uint8Array, index: number, depth: number): number {
  if (depth === 8) return row[index];
  if (depth === 16) return row[index * 2] * 256 + row[index * 2 + 1];
  const bit = index * depth;
  return (row[bit >> 3] >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
}

/** A function that writes pixel `x` of a row as RGBA bytes at `to`. */
function pixelWriter({ depth, colourType, palette, transparency }: PngParts, rgba: Uint8Array) {
  const channels = CHANNELS[colourType];
  const colours = channels < 3 ? 1 : 3;
  const hasAlpha = colourType === 4 || colourType === 6;
  const key = !hasAlpha && colourType !== 3 && transparency.length >= colours * 2 ? transparency : undefined;
  // 16 bits keep their upper byte, as TensorFlow and PIL do; 1, 2 and 4 bits spread over 0 to 255.
  const toByte = (value: number) => (depth === 16 ? value >> 8 : (value * 255) / ((1 << depth) - 1));
  return (row: Uint8Array, x: number, to: number): void => {
    if (colourType === 3) {
      const index = sample(row, x, depth);
      if (index * 3 + 2 >= palette.length) throw new FileError("its PNG palette lacks a colour; replace or remove it");
      for (let channel = 0; channel < 3; channel++) rgba[to + channel] = palette[index * 3 + channel];
      rgba[to + 3] = transparency[index] ?? 255;
      return;
    }
    let isKey = key !== undefined;
    for (let channel = 0; channel < 3; channel++) {
      const source = Math.min(channel, colours - 1);
      const value = sample(row, x * channels + source, depth);
      if (key && key[source * 2] * 256 + key[source * 2 + 1] !== value) isKey = false;
      rgba[to + channel] = toByte(value);
    }
    rgba[to + 3] = hasAlpha ? toByte(sample(row, x * channels + channels - 1, depth)) : isKey ? 0 : 255;
  };
}

/**
 * Decodes a PNG to RGB; transparency shows white. Gamma and colour profiles are ignored, as TensorFlow does.
 * @throws FileError (without the file's name) for damaged, cut, huge or unknown PNGs
 */
export function decodePng(bytes: Uint8Array): Image {
  const parts = readChunks(bytes);
  const passes = passesOf(parts);
  const expected = passes.reduce((sum, pass) => sum + pass.height * (pass.stride + 1), 0);
  const rows = inflateRows(parts.compressed, expected);
  const rgba = new Uint8Array(parts.width * parts.height * 4);
  const write = pixelWriter(parts, rgba);
  const pixelBytes = Math.max((CHANNELS[parts.colourType] * parts.depth) >> 3, 1);
  let position = 0;
  for (const pass of passes) {
    let above: Uint8Array | undefined;
    for (let y = 0; y < pass.height; y++) {
      const row = rows.subarray(position + 1, position + 1 + pass.stride);
      unfilterRow(row, above, rows[position], pixelBytes);
      const line = (pass.yStart + y * pass.yStep) * parts.width + pass.xStart;
      for (let x = 0; x < pass.width; x++) write(row, x, (line + x * pass.xStep) * 4);
      above = row;
      position += pass.stride + 1;
    }
  }
  return compositeOverWhite(rgba, parts.width, parts.height);
}
