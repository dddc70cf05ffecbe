/** Images made in the test: JPEGs by the encoder that belongs to the decoder's package, and EXIF segments by hand. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import type { Image } from "../../src/data/images.ts";

/** A smooth picture whose corners differ: red grows to the right, green downwards, blue marks the upper left. */
export function gradientImage(width: number, height: number): Image {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const to = (y * width + x) * 3;
      data[to] = Math.round((255 * x) / Math.max(width - 1, 1));
      data[to + 1] = Math.round((255 * y) / Math.max(height - 1, 1));
      data[to + 2] = x < width / 2 && y < height / 2 ? 200 : 40;
    }
  }
  return { width, height, data };
}

type Encoder = { encode(data: Uint8Array, width: number, height: number, options: object): Uint8Array };

async function startEncoder(packageName: string, name: string): Promise<Encoder> {
  const require = createRequire(import.meta.url);
  const compiled = new WebAssembly.Module(readFileSync(require.resolve(`${packageName}/codec/enc/${name}.wasm`)));
  const { default: factory } = await import(require.resolve(`${packageName}/codec/enc/${name}.js`));
  return factory({
    noInitialRun: true,
    instantiateWasm: (imports: WebAssembly.Imports, started: (instance: WebAssembly.Instance) => void) => {
      const instance = new WebAssembly.Instance(compiled, imports);
      started(instance);
      return instance.exports;
    },
  });
}

function toRgba(image: Image): Uint8Array {
  const rgba = new Uint8Array(image.width * image.height * 4).fill(255);
  for (let pixel = 0; pixel < image.width * image.height; pixel++) {
    rgba.set(image.data.subarray(pixel * 3, pixel * 3 + 3), pixel * 4);
  }
  return rgba;
}

/** MozJPEG's numbers for the colour spaces of its encoder. */
export const GREY = 1;
const YCBCR = 3;

export async function encodeJpeg(image: Image, options: { progressive?: boolean; colorSpace?: number } = {}) {
  const { defaultOptions } = await import("@jsquash/jpeg/meta.js");
  const encoder = await startEncoder("@jsquash/jpeg", "mozjpeg_enc");
  return new Uint8Array(
    encoder.encode(toRgba(image), image.width, image.height, {
      ...defaultOptions,
      quality: 95,
      baseline: !options.progressive,
      progressive: options.progressive ?? false,
      color_space: options.colorSpace ?? YCBCR,
      auto_subsample: false,
      chroma_subsample: 1,
    }),
  );
}

export async function encodeWebpLossless(rgba: Uint8Array, width: number, height: number) {
  const { defaultOptions } = await import("@jsquash/webp/meta.js");
  const encoder = await startEncoder("@jsquash/webp", "webp_enc");
  return new Uint8Array(encoder.encode(rgba, width, height, { ...defaultOptions, lossless: 1, exact: 1 }));
}

/** The JPEG with an EXIF segment that holds the orientation alone (EXIF 2.3, tag 0x0112). */
export function withOrientation(jpeg: Uint8Array, orientation: number, littleEndian: boolean): Uint8Array {
  const segment = new Uint8Array(36);
  const view = new DataView(segment.buffer);
  view.setUint16(0, 0xffe1);
  view.setUint16(2, 34);
  segment.set([0x45, 0x78, 0x69, 0x66, 0, 0], 4);
  const tiff = 10;
  view.setUint16(tiff, littleEndian ? 0x4949 : 0x4d4d);
  view.setUint16(tiff + 2, 42, littleEndian);
  view.setUint32(tiff + 4, 8, littleEndian);
  view.setUint16(tiff + 8, 1, littleEndian);
  view.setUint16(tiff + 10, 0x112, littleEndian);
  view.setUint16(tiff + 12, 3, littleEndian);
  view.setUint32(tiff + 14, 1, littleEndian);
  view.setUint16(tiff + 18, orientation, littleEndian);
  const output = new Uint8Array(jpeg.length + segment.length);
  output.set(jpeg.subarray(0, 2));
  output.set(segment, 2);
  output.set(jpeg.subarray(2), 2 + segment.length);
  return output;
}

/** Offset of the marker of the frame header (SOF0 or SOF2). */
export function frameOffset(jpeg: Uint8Array): number {
  let position = 2;
  while (jpeg[position + 1] !== 0xc0 && jpeg[position + 1] !== 0xc2) {
    position += 2 + jpeg[position + 2] * 256 + jpeg[position + 3];
  }
  return position;
}

/** A temporary folder, removed after the file's tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "tepal-data-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A tensor of a safetensors file: eight bytes of length, JSON, then the data. */
export function readTensor(path: string, name: string): { shape: number[]; bytes: Uint8Array } {
  const file = readFileSync(path);
  const headerLength = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, 8 + headerLength));
  const { shape, data_offsets: offsets } = header[name];
  return { shape, bytes: Uint8Array.from(file.subarray(8 + headerLength + offsets[0], 8 + headerLength + offsets[1])) };
}
