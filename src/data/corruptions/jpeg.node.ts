/** JPEG as a corruption: MozJPEG's encoder, set to what libjpeg does at a quality, and the decoder of photographs. */
import { FileError } from "../../engine/errors.ts";
import { compileCodec, decodeImage, startCodec } from "../decode.node.ts";
import type { Image } from "../images.ts";
import type { JpegRoundTrip } from "./corrupter.ts";

interface Encoder {
  encode(rgba: Uint8Array, width: number, height: number, options: Record<string, unknown>): Uint8Array | null;
}

/** libjpeg's choices: the tables of the standard's Annex K, colours at half resolution, no search for a smaller file. */
const libjpegChoices = {
  baseline: true,
  arithmetic: false,
  progressive: false,
  optimize_coding: true,
  smoothing: 0,
  color_space: 3,
  quant_table: 0,
  trellis_multipass: false,
  trellis_opt_zero: false,
  trellis_opt_table: false,
  trellis_loops: 1,
  auto_subsample: false,
  chroma_subsample: 2,
  separate_chroma_quality: false,
};

let running: Promise<Encoder> | undefined;

async function startEncoder(): Promise<Encoder> {
  const [compiled, { default: factory }] = await Promise.all([
    compileCodec("@jsquash/jpeg", "mozjpeg_enc.wasm"),
    import("@jsquash/jpeg/codec/enc/mozjpeg_enc.js"),
  ]);
  return (await startCodec(factory, compiled, () => {})) as Encoder;
}

/**
 * The bytes of a JPEG file of quality 1 to 100, colours at half resolution.
 * @throws FileError when the encoder gives up
 */
export async function encodeJpeg({ width, height, data }: Image, quality: number): Promise<Uint8Array> {
  running ??= startEncoder();
  const rgba = new Uint8Array(4 * width * height).fill(255);
  for (let pixel = 0; pixel < width * height; pixel++) rgba.set(data.subarray(3 * pixel, 3 * pixel + 3), 4 * pixel);
  const options = { ...libjpegChoices, quality, chroma_quality: quality };
  const bytes = (await running).encode(rgba, width, height, options);
  if (!bytes) throw new FileError(`expected a JPEG of ${width}×${height}, the encoder gave none; check the image`);
  // A view of the encoder's memory, which the next image overwrites.
  return bytes.slice();
}

/** An image as it comes back from a JPEG of this quality. */
export const jpegRoundTrip: JpegRoundTrip = async (image, quality) =>
  decodeImage(await encodeJpeg(image, quality), `a JPEG of quality ${quality}`);
