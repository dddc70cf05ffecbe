import { createHash } from "node:crypto";
import { mkdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { FileError, WeightsError } from "../../engine/errors.ts";
import { codeOf, writeAtomically } from "./atomicFile.node.ts";
import { float32ToFloat16 } from "./float16.ts";
import { inspectWeights } from "./inspect.ts";
import { readKerasHdf5 } from "./keras.node.ts";
import type { Preprocessing } from "./manifest.ts";
import { asFloat32Tensors, type Model, type ModelToStore, parseModel, serializeModel } from "./model.ts";
import { parseSafetensors, serializeSafetensors, type TensorToStore, toFloat32 } from "./safetensors.ts";
import type { WeightSet, WeightTensor } from "./weightSet.ts";

const MANIFEST_FILE = "model.json";
const WEIGHTS_FILE = "model.safetensors";
const HDF5_MAGIC = [0x89, 0x48, 0x44, 0x46];
const ZIP_MAGIC = [0x50, 0x4b];

export interface ConvertOptions {
  /** Type of every element in the output. Default: float32. */
  readonly dtype?: "float32" | "float16";
}

/** What `weightsInfo` reports; plain JSON. */
export interface WeightsInfo {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly format: WeightSet["source"];
  readonly architecture: "mobilenetV2" | "unknown";
  readonly width: number | null;
  readonly classes: number | null;
  readonly preprocessing: Preprocessing | null;
  readonly parameters: number;
  readonly tensors: { readonly name: string; readonly dtype: string; readonly shape: number[] }[];
}

/** Throws FileError unless it is a readable file. */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    // A pipe or a device would be read without end.
    if (!(await stat(path)).isFile()) throw new FileError(`${path}: expected a file; found none; check the path`);
    const { buffer, byteOffset, byteLength } = await readFile(path);
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch (cause) {
    if (cause instanceof FileError) throw cause;
    const found = codeOf(cause) === "ENOENT" ? "no such file" : codeOf(cause);
    throw new FileError(`${path}: expected a readable file; found ${found}; check the path`, { cause });
  }
}

const startsWith = (bytes: Uint8Array, magic: readonly number[]): boolean =>
  magic.every((byte, i) => bytes[i] === byte);

/** A set of weights together with the element types of the file. */
interface Decoded {
  readonly set: WeightSet;
  readonly dtypes: Map<string, string>;
}

function decode(bytes: Uint8Array): Decoded {
  const dtypes = new Map<string, string>();
  if (startsWith(bytes, HDF5_MAGIC) || startsWith(bytes, ZIP_MAGIC)) {
    const set = readKerasHdf5(bytes);
    for (const name of set.tensors.keys()) dtypes.set(name, "F32");
    return { set, dtypes };
  }
  const file = parseSafetensors(bytes);
  const tensors = new Map<string, WeightTensor>();
  for (const [name, tensor] of file.tensors) {
    tensors.set(name, { shape: tensor.shape, data: toFloat32(tensor) });
    dtypes.set(name, tensor.dtype);
  }
  return { set: { tensors, source: "safetensors", metadata: file.metadata }, dtypes };
}

/** Decodes, and puts the file's name before what the format's reader found wrong. */
async function decodeFile(path: string): Promise<Decoded & { readonly bytes: Uint8Array }> {
  const bytes = await readBytes(path);
  try {
    return { bytes, ...decode(bytes) };
  } catch (cause) {
    if (cause instanceof FileError) throw new FileError(`${path}: ${cause.message}`, { cause });
    throw cause;
  }
}

const hash = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/**
 * Reads weights from a Keras `.h5` or `.keras` file or from safetensors; the content decides, not the name.
 * Values become float32; names are canonical (see WeightSet).
 *
 * @throws FileError where the file is missing, damaged, or none of these formats.
 */
export async function loadWeights(path: string): Promise<WeightSet> {
  return (await decodeFile(path)).set;
}

/**
 * Writes `model.json` and `model.safetensors` into a directory, which is created where it is missing. Each file
 * is replaced as a whole; should one be old and one new, `loadModel` says that they do not belong together.
 *
 * @throws FileError where the directory cannot be written or the manifest is not valid.
 */
export async function saveModel(directory: string, model: ModelToStore): Promise<void> {
  const { json, safetensors } = await serializeModel(model);
  try {
    await mkdir(directory, { recursive: true });
  } catch (cause) {
    throw new FileError(`${directory}: expected a directory; found ${codeOf(cause)}; choose another path`, { cause });
  }
  await writeAtomically(join(directory, WEIGHTS_FILE), safetensors);
  await writeAtomically(join(directory, MANIFEST_FILE), json);
}

/**
 * Reads what `saveModel` wrote.
 * @throws FileError where a file is missing or damaged, or the weights are not those that the manifest names.
 */
export async function loadModel(directory: string): Promise<Model> {
  const json = new TextDecoder().decode(await readBytes(join(directory, MANIFEST_FILE)));
  return parseModel(json, await readBytes(join(directory, WEIGHTS_FILE)));
}

function asFloat16Tensors(tensors: ReadonlyMap<string, WeightTensor>): Record<string, TensorToStore> {
  const stored: Record<string, TensorToStore> = Object.create(null);
  for (const [name, { shape, data }] of tensors) {
    const halves = float32ToFloat16(data);
    const overflow = data.find((value, i) => Number.isFinite(value) && (halves[i] & 0x7fff) === 0x7c00);
    if (overflow !== undefined) {
      throw new WeightsError(`${name}: expected values of at most 65504 for float16; found ${overflow}; use float32`);
    }
    stored[name] = { dtype: "F16", shape, data: halves };
  }
  return stored;
}

/**
 * Writes weights of any readable format as safetensors whose metadata hold architecture, width, classes,
 * preprocessing (JSON of scale, offset, resize) and the SHA-256 of the source. Equal input gives equal bytes.
 *
 * @returns what `weightsInfo` says of the new file.
 * @throws FileError where input or output cannot be used; WeightsError where a value does not fit float16.
 */
export async function convertWeights(
  input: string,
  output: string,
  { dtype = "float32" }: ConvertOptions = {},
): Promise<WeightsInfo> {
  const { set, bytes } = await decodeFile(input);
  const inspection = inspectWeights(set);
  const metadata: Record<string, string> = {
    ...set.metadata,
    format: "tepal-weights",
    architecture: inspection.architecture,
    source: basename(input),
    sourceSha256: hash(bytes),
  };
  if (inspection.width !== null) metadata.width = String(inspection.width);
  if (inspection.classes !== null) metadata.classes = String(inspection.classes);
  if (inspection.preprocessing !== null) metadata.preprocessing = JSON.stringify(inspection.preprocessing);
  const tensors = dtype === "float16" ? asFloat16Tensors(set.tensors) : asFloat32Tensors(set.tensors);
  await writeAtomically(output, serializeSafetensors(tensors, metadata));
  return weightsInfo(output);
}

/**
 * Writes weights without a head as float16 safetensors that state architecture, preprocessing and the edge of the images in
 * pixels, as a whole: a reader sees the old file or the new.
 * @throws FileError where the file cannot be written; WeightsError where a value does not fit float16.
 */
export async function saveBackbone(
  output: string,
  tensors: ReadonlyMap<string, WeightTensor>,
  { preprocessing, inputSize }: { readonly preprocessing: Preprocessing; readonly inputSize: number },
): Promise<void> {
  const { architecture, width } = inspectWeights({ tensors: new Map(tensors), source: "safetensors", metadata: {} });
  const metadata = {
    format: "tepal-weights",
    architecture,
    width: String(width),
    inputSize: String(inputSize),
    preprocessing: JSON.stringify(preprocessing),
  };
  await writeAtomically(output, serializeSafetensors(asFloat16Tensors(tensors), metadata));
}

/**
 * Describes a weight file: its hash, format, network, preprocessing and tensors. Tensors of Keras files are
 * listed under canonical names and as the float32 that `loadWeights` gives.
 *
 * @throws FileError as loadWeights.
 */
export async function weightsInfo(path: string): Promise<WeightsInfo> {
  const { bytes, set, dtypes } = await decodeFile(path);
  const { architecture, width, classes, preprocessing, parameters } = inspectWeights(set);
  return {
    file: path,
    bytes: bytes.length,
    sha256: hash(bytes),
    format: set.source,
    architecture,
    width,
    classes,
    preprocessing,
    parameters,
    tensors: [...set.tensors].map(([name, { shape }]) => ({ name, dtype: dtypes.get(name)!, shape })),
  };
}
