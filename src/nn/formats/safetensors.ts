import { FileError, ShapeError } from "../../engine/errors.ts";
import { bfloat16ToFloat32, float16ToFloat32 } from "./float16.ts";
import { broken, type HeaderEntry, readHeader } from "./safetensorsHeader.ts";

export { float16ToFloat32, float32ToFloat16 } from "./float16.ts";

const BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  U32: 4,
  I16: 2,
  U8: 1,
  I8: 1,
  BOOL: 1,
} as const;

export type StoredType = keyof typeof BYTES;

/** A tensor as it lies in the file: row-major, little-endian. `bytes` is a view, not a copy. */
export interface StoredTensor {
  readonly dtype: StoredType;
  readonly shape: number[];
  readonly bytes: Uint8Array;
}

export interface SafetensorsFile {
  readonly metadata: Record<string, string>;
  readonly tensors: Map<string, StoredTensor>;
}

/** The format's own cap on the JSON header, in bytes. */
export const MAX_HEADER_BYTES = 100_000_000;

const isStoredType = (name: string): name is StoredType => Object.hasOwn(BYTES, name);

const elementCount = (shape: readonly number[]): number => shape.reduce((count, extent) => count * extent, 1);

function checkEntry(name: string, entry: HeaderEntry, next: number, dataBytes: number): StoredType {
  const { dtype, shape, offsets } = entry;
  const [begin, end] = offsets;
  if (!isStoredType(dtype)) throw broken(`a type among ${Object.keys(BYTES).join(" ")}`, `${dtype} in tensor ${name}`);
  const wanted = elementCount(shape) * BYTES[dtype];
  if (!Number.isSafeInteger(wanted) || end - begin !== wanted) {
    throw broken(`${wanted} bytes for ${dtype} [${shape}]`, `offsets ${begin} to ${end} in tensor ${name}`);
  }
  if (end > dataBytes) throw broken(`data inside the file's ${dataBytes} bytes`, `tensor ${name} ending at ${end}`);
  if (begin !== next) {
    const what = begin > next ? "a hole" : "an overlap";
    throw broken(`tensor data at byte ${next}, without holes or overlaps`, `${what}: ${name} begins at ${begin}`);
  }
  return dtype;
}

function headerText(bytes: Uint8Array): { text: string; dataStart: number } {
  if (bytes.length < 8) throw broken("at least 8 bytes", `${bytes.length}`);
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw broken(`a header of at most ${MAX_HEADER_BYTES} bytes`, `${length} (is this a safetensors file?)`);
  }
  const dataStart = 8 + Number(length);
  if (dataStart > bytes.length) {
    throw broken(`${dataStart} bytes of length and header`, `a file of ${bytes.length} bytes`);
  }
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return { text: decoder.decode(bytes.subarray(8, dataStart)), dataStart };
  } catch {
    throw broken("a header in UTF-8", "other bytes");
  }
}

/**
 * Reads a safetensors file as strictly as the format's description asks: header of at most 100 MB, no duplicate
 * keys, offsets that agree with type and shape, and data that covers the file without holes or overlaps.
 * The tensors' bytes are views of `bytes`.
 *
 * @throws FileError naming what was expected and found.
 * @see https://huggingface.co/docs/safetensors
 */
export function parseSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { text, dataStart } = headerText(bytes);
  const { metadata, entries } = readHeader(text);
  const data = bytes.subarray(dataStart);
  const byOffset = [...entries].sort(([, a], [, b]) => a.offsets[0] - b.offsets[0] || a.offsets[1] - b.offsets[1]);
  const types = new Map<string, StoredType>();
  let next = 0;
  for (const [name, entry] of byOffset) {
    types.set(name, checkEntry(name, entry, next, data.length));
    next = entry.offsets[1];
  }
  if (next !== data.length) throw broken(`${next} bytes of tensor data`, `${data.length} bytes in the file`);
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { shape, offsets }] of entries) {
    tensors.set(name, { dtype: types.get(name)!, shape: [...shape], bytes: data.subarray(...offsets) });
  }
  return { metadata, tensors };
}

/** The elements as the typed array of the stored type, copied so that they are aligned. Hosts are little-endian. */
function elements(tensor: StoredTensor) {
  // Not bytes.slice(): where the caller gave a Node Buffer, that is a view of the whole file.
  const buffer = new Uint8Array(tensor.bytes).buffer;
  switch (tensor.dtype) {
    case "F64":
      return new Float64Array(buffer);
    case "F32":
      return new Float32Array(buffer);
    case "F16":
      return float16ToFloat32(new Uint16Array(buffer));
    case "BF16":
      return bfloat16ToFloat32(new Uint16Array(buffer));
    case "I64":
      return Float64Array.from(new BigInt64Array(buffer), Number);
    case "I32":
      return new Int32Array(buffer);
    case "U32":
      return new Uint32Array(buffer);
    case "I16":
      return new Int16Array(buffer);
    case "I8":
      return new Int8Array(buffer);
    case "U8":
    case "BOOL":
      return new Uint8Array(buffer);
    default:
      return tensor.dtype satisfies never;
  }
}

/** The elements as float32, rounded where the stored type is wider. */
export function toFloat32(tensor: StoredTensor): Float32Array {
  const values = elements(tensor);
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

/** The elements as float64; exact for every type but I64 beyond 2^53. */
export function toFloat64(tensor: StoredTensor): Float64Array {
  const values = elements(tensor);
  return values instanceof Float64Array ? values : Float64Array.from(values);
}

/**
 * The elements of an integer tensor as int32.
 * @throws FileError for a float type, or a value outside int32.
 */
export function toInt32(tensor: StoredTensor): Int32Array {
  if (["F64", "F32", "F16", "BF16"].includes(tensor.dtype)) {
    throw new FileError(`expected an integer tensor; found ${tensor.dtype}; read it with toFloat32`);
  }
  const values = elements(tensor);
  for (const value of values) {
    if ((value | 0) !== value) throw new FileError(`expected values inside int32; found ${value}; use toFloat64`);
  }
  return values instanceof Int32Array ? values : Int32Array.from(values);
}

type ElementArray =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Uint8Array
  | Int8Array;

const ARRAYS: Record<StoredType, string> = {
  F64: "Float64Array",
  F32: "Float32Array",
  F16: "Uint16Array",
  BF16: "Uint16Array",
  I64: "BigInt64Array",
  I32: "Int32Array",
  U32: "Uint32Array",
  I16: "Int16Array",
  U8: "Uint8Array",
  I8: "Int8Array",
  BOOL: "Uint8Array",
};

/** A tensor to be written; float16 and bfloat16 are given as bit patterns. */
export interface TensorToStore {
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  readonly data: ElementArray;
}

function checkTensorToStore(name: string, { dtype, shape, data }: TensorToStore): void {
  const wanted = ARRAYS[dtype];
  if (name === "__metadata__") throw new ShapeError("expected a tensor name; found __metadata__; choose another name");
  if (data.constructor.name !== wanted) {
    throw new ShapeError(`${name}: expected ${wanted} for ${dtype}; found ${data.constructor.name}; convert it first`);
  }
  if (data.length !== elementCount(shape)) {
    throw new ShapeError(
      `${name}: expected ${elementCount(shape)} elements for [${shape}]; found ${data.length}; correct the shape`,
    );
  }
}

const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Writes a safetensors file. Equal content gives equal bytes: metadata keys are sorted, tensors are ordered by
 * element size (largest first, so that all are aligned) and then by name, and the header is padded to 8 bytes.
 *
 * @throws ShapeError where an array does not fit its type or shape.
 */
export function serializeSafetensors(
  tensors: Record<string, TensorToStore>,
  metadata: Record<string, string> = {},
): Uint8Array {
  const ordered = Object.entries(tensors).sort(
    ([nameA, a], [nameB, b]) => BYTES[b.dtype] - BYTES[a.dtype] || byCodeUnits(nameA, nameB),
  );
  const members: string[] = [];
  const metadataKeys = Object.keys(metadata).sort(byCodeUnits);
  if (metadataKeys.length > 0) {
    const pairs = metadataKeys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(metadata[key])}`);
    members.push(`"__metadata__":{${pairs}}`);
  }
  let length = 0;
  for (const [name, tensor] of ordered) {
    checkTensorToStore(name, tensor);
    const { dtype, shape, data } = tensor;
    const end = length + data.byteLength;
    members.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [length, end] })}`);
    length = end;
  }
  const header = new TextEncoder().encode(`{${members}}`);
  const padded = Math.ceil(header.length / 8) * 8;
  const file = new Uint8Array(8 + padded + length).fill(0x20, 8, 8 + padded);
  new DataView(file.buffer).setBigUint64(0, BigInt(padded), true);
  file.set(header, 8);
  let offset = 8 + padded;
  for (const [, { data }] of ordered) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  return file;
}
