/** Image files to pixels: JPEG and WebP by the WebAssembly builds of MozJPEG and libwebp, PNG by png.node.ts. */
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { FileError } from "../engine/errors.ts";
import { checkJpegHeader, checkWebpHeader, detectFormat } from "./imageHeaders.ts";
import { compositeOverWhite, type Image, type ImageSize } from "./images.ts";
import { contentName, type ImageContent } from "./loaders.ts";
import { decodePng } from "./png.node.ts";
import { fitImage, type ResizeMode } from "./resize.ts";

/** Larger files are refused: a photograph of 100 million pixels stays well below. */
const MAX_FILE_BYTES = 512 * 2 ** 20;

/** After larger pictures the decoder is started afresh, because WebAssembly memory never shrinks. */
const KEEP_PIXELS = 20_000_000;

interface Codec {
  /** Emscripten's bindings count the arguments: WebP's takes the bytes alone, JPEG's also whether to apply EXIF. */
  decode(
    bytes: Uint8Array,
    applyOrientation?: boolean,
  ): { width: number; height: number; data: Uint8ClampedArray } | null;
}

/** Emscripten's entry: takes overrides of its runtime, gives the codec once the WebAssembly is instantiated. */
type CodecFactory = (overrides: Record<string, unknown>) => Promise<unknown>;

/** The WebAssembly file beside the bundle (`dist/wasm`), or inside the installed package when run from source. */
function locateWasm(packageName: string, fileName: string): string | URL {
  const bundled = new URL(`./wasm/${fileName}`, import.meta.url);
  if (existsSync(bundled)) return bundled;
  const part = fileName.includes("_enc") ? "enc" : "dec";
  return createRequire(import.meta.url).resolve(`${packageName}/codec/${part}/${fileName}`);
}

/** The compiled WebAssembly of a codec. */
export const compileCodec = async (packageName: string, fileName: string): Promise<WebAssembly.Module> =>
  WebAssembly.compile(await readFile(locateWasm(packageName, fileName)));

/** Starts a codec by the factory that Emscripten wrote for it; `complain` gets what it prints. */
export const startCodec = (
  factory: unknown,
  compiled: WebAssembly.Module,
  complain: (line: string) => void,
): Promise<unknown> =>
  (factory as CodecFactory)({
    noInitialRun: true,
    printErr: complain,
    instantiateWasm: (imports: WebAssembly.Imports, started: (instance: WebAssembly.Instance) => void) => {
      const instance = new WebAssembly.Instance(compiled, imports);
      started(instance);
      return instance.exports;
    },
  });

/** One WebAssembly decoder, compiled once, started again after a failure that left it in an unknown state. */
class WasmDecoder {
  private compiled?: Promise<WebAssembly.Module>;
  private running?: Promise<Codec>;
  private complaints: string[] = [];

  constructor(
    private readonly packageName: string,
    private readonly fileName: string,
    private readonly loadFactory: () => Promise<unknown>,
  ) {}

  private async start(): Promise<Codec> {
    this.compiled ??= compileCodec(this.packageName, this.fileName);
    const [compiled, factory] = await Promise.all([this.compiled, this.loadFactory()]);
    return (await startCodec(factory, compiled, (line) => this.complaints.push(line))) as Codec;
  }

  /** RGBA, and what the decoder complained about; `picture` is undefined when it gave up. */
  async decode(...input: Parameters<Codec["decode"]>) {
    this.running ??= this.start();
    const codec = await this.running;
    this.complaints = [];
    try {
      const picture = codec.decode(...input) ?? undefined;
      if (picture && picture.width * picture.height > KEEP_PIXELS) this.running = undefined;
      return { picture, complaints: this.complaints };
    } catch (error) {
      this.running = undefined;
      if (this.complaints.length === 0) this.complaints.push(String(error));
      return { picture: undefined, complaints: this.complaints };
    }
  }
}

const jpegDecoder = new WasmDecoder("@jsquash/jpeg", "mozjpeg_dec.wasm", async () => {
  return (await import("@jsquash/jpeg/codec/dec/mozjpeg_dec.js")).default;
});
const webpDecoder = new WasmDecoder("@jsquash/webp", "webp_dec.wasm", async () => {
  return (await import("@jsquash/webp/codec/dec/webp_dec.js")).default;
});

/** libjpeg fills in what it cannot read and only complains: these complaints mean that pixels are missing or invented. */
const DAMAGE = /^(Premature end|Corrupt JPEG data(?!: \d+ extraneous bytes))/;

async function decodeJpeg(bytes: Uint8Array): Promise<Image> {
  checkJpegHeader(bytes);
  const { picture, complaints } = await jpegDecoder.decode(bytes, true);
  const damage = complaints.find((line) => DAMAGE.test(line));
  if (!picture || damage) {
    const reason = damage ?? complaints.at(-1) ?? "the decoder failed";
    throw new FileError(`expected an intact JPEG, but it is damaged or cut short (${reason}); replace or remove it`);
  }
  return compositeOverWhite(picture.data, picture.width, picture.height);
}

async function decodeWebp(bytes: Uint8Array): Promise<Image> {
  checkWebpHeader(bytes);
  const { picture, complaints } = await webpDecoder.decode(bytes);
  if (!picture) {
    const reason = complaints.at(-1) ?? "the decoder gave up";
    throw new FileError(`expected an intact WebP, but it is damaged (${reason}); replace or remove it`);
  }
  return compositeOverWhite(picture.data, picture.width, picture.height);
}

/** One line that begins with the file's name, whatever was thrown. */
function nameError(name: string, cause: unknown): FileError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new FileError(`${name}: ${reason.replace(/\s+/g, " ")}`, { cause });
}

/**
 * Decodes a JPEG, PNG or WebP, told apart by its first bytes, to RGB. A JPEG's EXIF orientation is applied; transparency
 * shows white; colour profiles are ignored. JPEG pixels are those of Chromium's `createImageBitmap` without conversion.
 * @param name shown in errors
 * @throws FileError naming the file and the reason: empty, of another format, damaged, cut short, CMYK, or announcing
 * more than 100 million pixels (refused before decoding)
 */
export async function decodeImage(bytes: Uint8Array, name: string): Promise<Image> {
  try {
    const format = detectFormat(bytes);
    if (format === "png") return decodePng(bytes);
    return await (format === "jpeg" ? decodeJpeg(bytes) : decodeWebp(bytes));
  } catch (cause) {
    throw nameError(name, cause);
  }
}

/** What the files of one decoder are brought to. */
export interface DecodeTarget extends ImageSize {
  resize: ResizeMode;
}

/**
 * The bytes of an image file.
 * @throws FileError naming the file when it is missing, a folder, unreadable, or larger than 512 MiB
 */
export async function readImageBytes(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES)
      throw new Error(`has ${size} bytes, more than the limit of ${MAX_FILE_BYTES}; make it smaller`);
    return await readFile(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT") throw new FileError(`${path}: expected an image, but there is no such file; check the path`);
    if (code === "EISDIR") throw new FileError(`${path}: expected an image, but it is a folder; name a file inside it`);
    throw nameError(path, cause);
  }
}

/**
 * Reads and decodes one file.
 * @throws FileError as `readImageBytes` and `decodeImage`
 */
export async function readImage(path: string): Promise<Image> {
  return decodeImage(await readImageBytes(path), path);
}

/** What identifies an image: the bytes of its file, or its pixels where it never was one. Throws FileError as `readImageBytes`. */
export async function contentBytes(content: ImageContent): Promise<Uint8Array> {
  if (typeof content === "string") return readImageBytes(content);
  return "bytes" in content ? content.bytes : content.image.data;
}

/** The picture of a content whose bytes are at hand. Throws FileError as `decodeImage`. */
export function decodeContent(content: ImageContent, bytes: Uint8Array): Image | Promise<Image> {
  if (typeof content !== "string" && "image" in content) return content.image;
  return decodeImage(bytes, contentName(content));
}

/**
 * One file as float32 [height, width, 3], values 0 to 255.
 * @throws FileError as `readImage` does
 */
export async function readFitted(path: string, target: DecodeTarget): Promise<Float32Array> {
  return fitImage(await readImage(path), target, target.resize);
}
