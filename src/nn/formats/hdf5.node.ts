import { unzlibSync } from "fflate";
import { type DataObjects, Dataset, File, Filters, type Group } from "jsfive";
import { TepalError } from "../../engine/errors.ts";
import { float16ToFloat32 } from "./float16.ts";
import { brokenHdf5, MeteredBuffer } from "./hdf5Guard.ts";

const DATASPACE = 0x01;
const DATA_LAYOUT = 0x08;
const MAX_RANK = 32;
const MAX_DEPTH = 16;
const MEBI = 2 ** 20;

/** A dataset of the file: its path without the leading slash, and a reader for its values. */
export interface Hdf5Dataset {
  readonly path: string;
  readonly shape: number[];
  /** The attribute `name` of the group that holds it, which Keras 3 sets to the layer's name. */
  readonly ownerName: string | undefined;
  /** The values as float32, row-major. @throws FileError where they are missing or not floating point. */
  readonly read: () => Float32Array;
}

/** Where a dataset's values are. */
interface OpenDataset {
  readonly path: string;
  readonly shape: number[];
  readonly file: MeteredBuffer;
  readonly objects: DataObjects;
}

/** What decoding may still use: bytes held by results and scratch, and elements that go through chunks. */
interface Budget {
  bytes: number;
  chunkElements: number;
}

/** Runs a call into jsfive, which throws strings, RangeErrors and TypeErrors, so that only TepalErrors leave. */
function guarded<T>(doing: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    if (cause instanceof TepalError) throw cause;
    const reason = (cause instanceof Error ? cause.message : String(cause)).split("\n")[0];
    throw brokenHdf5(doing, reason, cause);
  }
}

const product = (extents: readonly number[]): number => extents.reduce((count, extent) => count * extent, 1);

function bytesPerElement(path: string, dtype: string | unknown[]): 2 | 4 | 8 {
  if (dtype === "<f4") return 4;
  if (dtype === "<f8") return 8;
  if (dtype === "<f2") return 2;
  throw brokenHdf5(`little-endian floats in ${path}`, `type ${String(dtype)}`);
}

function fromBytes(buffer: ArrayBuffer, itemBytes: 2 | 4 | 8): Float32Array {
  if (itemBytes === 4) return new Float32Array(buffer);
  if (itemBytes === 8) return Float32Array.from(new Float64Array(buffer));
  return float16ToFloat32(new Uint16Array(buffer));
}

/**
 * The extents of a dataset. Not jsfive's `shape`, which keeps only the lower 32 bits of each.
 * @see HDF5 File Format Specification 3.0, IV.A.2.b
 */
function shapeOf(path: string, file: MeteredBuffer, objects: DataObjects): number[] {
  const start = objects.find_msg_type(DATASPACE)[0].get("offset_to_message")!;
  const view = new DataView(file);
  const version = view.getUint8(start);
  const rank = view.getUint8(start + 1);
  const isNull = version === 2 && view.getUint8(start + 3) === 2;
  if ((version !== 1 && version !== 2) || rank > MAX_RANK || isNull) {
    throw brokenHdf5(`a plain dataspace for ${path}`, `version ${version}, rank ${rank}${isNull ? ", null" : ""}`);
  }
  const first = start + (version === 1 ? 8 : 4);
  return Array.from({ length: rank }, (_, d) => Number(view.getBigUint64(first + 8 * d, true)));
}

function readContiguous(path: string, file: MeteredBuffer, address: number, bytes: number): ArrayBuffer {
  if (!(address + bytes <= file.byteLength)) {
    throw brokenHdf5(`${bytes} bytes of ${path} inside the file`, `address ${address} of ${file.byteLength}`);
  }
  return new Uint8Array(file, address, bytes).slice().buffer;
}

function readChunked(dataset: OpenDataset, itemBytes: number, budget: Budget) {
  const { path, shape, file, objects } = dataset;
  // jsfive keeps the filters once it has read them; reading them later would count as reading a chunk.
  const { chunks, filter_pipeline: _ } = objects;
  if (chunks?.length !== shape.length || chunks.some((extent, d) => !(extent >= 1 && extent <= shape[d]))) {
    throw brokenHdf5(`chunks no larger than [${shape}] in ${path}`, `[${chunks}]`);
  }
  const chunkCount = product(shape.map((extent, d) => Math.ceil(extent / chunks[d])));
  const chunkBytes = product(chunks) * itemBytes;
  budget.chunkElements -= chunkCount * product(chunks);
  if (budget.chunkElements < 0) throw brokenHdf5("about as much data as the file's size", `more at ${path}`);
  // jsfive's inflate grows without bound; the size of a chunk is known, so this one writes into exactly that.
  const jsfiveInflate = Filters.get(1)!;
  Filters.set(1, (chunk) => unzlibSync(new Uint8Array(chunk), { out: new Uint8Array(chunkBytes + 4) }).slice().buffer);
  try {
    // Incompressible data make a chunk a little longer than its content; the checksum filter adds four bytes.
    const values = file.withChunks(chunkCount, chunkBytes + chunkBytes / 8 + 64, () => objects.get_data());
    for (let i = 0; i < product(shape); i++) {
      if (values[i] === undefined) throw brokenHdf5(`all chunks of ${path}`, `none for element ${i}`);
    }
    return Float32Array.from(values);
  } finally {
    Filters.set(1, jsfiveInflate);
  }
}

function readValues(dataset: OpenDataset, budget: Budget): Float32Array {
  const { path, shape, file, objects } = dataset;
  const itemBytes = bytesPerElement(path, objects.dtype);
  const elements = product(shape);
  const message = objects.find_msg_type(DATA_LAYOUT)[0];
  if (message === undefined) throw brokenHdf5(`a data layout for ${path}`, "none");
  const [, , layout, propertyOffset] = objects._get_data_message_properties(message.get("offset_to_message")!);
  // Chunks pass through an array of numbers (8 bytes each) and a decompressed copy before they become float32.
  const peak = elements * (layout === 2 ? 20 : itemBytes + 4);
  if (!(peak <= budget.bytes)) throw brokenHdf5(`${path} to fit ${budget.bytes} bytes of memory`, `${peak} bytes`);
  budget.bytes -= elements * 4;
  if (elements === 0) return new Float32Array(0);
  if (layout === 2) return readChunked(dataset, itemBytes, budget);
  if (layout !== 1) throw brokenHdf5(`contiguous or chunked data in ${path}`, `layout class ${layout}`);
  const address = Number(new DataView(file).getBigUint64(propertyOffset, true));
  return fromBytes(readContiguous(path, file, address, elements * itemBytes), itemBytes);
}

/** The attribute `name` of a group, without the padding of fixed-length strings. */
function nameAttribute(file: MeteredBuffer, group: Group): string | undefined {
  file.readingAttributes = true;
  try {
    const { name } = group.attrs;
    return typeof name === "string" ? name.replace(/\0+$/, "") : undefined;
  } finally {
    file.readingAttributes = false;
  }
}

function open(bytes: Uint8Array): { file: MeteredBuffer; root: Group } {
  const file = new MeteredBuffer(bytes);
  const view = new DataView(file);
  const version = view.getUint8(8);
  // Where the superblock keeps the address of the root group's object header (specification, II.A).
  file.checkHeader(Number(view.getBigUint64(version === 0 ? 64 : 36, true)));
  return { file, root: new File(file, "") };
}

/**
 * Every dataset of an HDF5 file, in order of path; soft and external links are not followed. Work and memory
 * are bounded by the file's size: a hostile file gives a FileError, not a hang.
 *
 * @param memory bytes that results and scratch may take, besides one copy of the file.
 * @throws FileError where the file is not HDF5 as h5py writes it by default.
 */
export function listHdf5(bytes: Uint8Array, memory = 48 * MEBI + 3 * bytes.length): Hdf5Dataset[] {
  if (bytes.length < 96) throw brokenHdf5("a superblock and a root group", `${bytes.length} bytes`);
  const { file, root } = guarded("a readable superblock and root group", () => open(bytes));
  const budget: Budget = { bytes: memory, chunkElements: 2 * MEBI + bytes.length / 2 };
  const datasets: Hdf5Dataset[] = [];
  const visited = new Set<number>();

  const visit = (group: Group, path: string, depth: number): void => {
    if (depth > MAX_DEPTH) throw brokenHdf5(`groups at most ${MAX_DEPTH} deep`, `${path} below that`);
    let ownerName: string | undefined;
    let asked = false;
    for (const [name, address] of Object.entries(group._links)) {
      if (typeof address !== "number" || visited.has(address)) continue;
      visited.add(address);
      if (name.includes("/") || name === ".") throw brokenHdf5("plain link names", JSON.stringify(name));
      file.checkHeader(address);
      const child = group.get(name);
      const childPath = path === "" ? name : `${path}/${name}`;
      if (!(child instanceof Dataset)) {
        visit(child, childPath, depth + 1);
        continue;
      }
      if (!asked) ownerName = nameAttribute(file, group);
      asked = true;
      const objects = child._dataobjects;
      const shape = shapeOf(childPath, file, objects);
      const dataset = { path: childPath, shape, file, objects };
      const read = () => guarded(`readable values in ${childPath}`, () => readValues(dataset, budget));
      datasets.push({ path: childPath, shape, ownerName, read });
    }
  };
  guarded("readable groups", () => visit(root, "", 0));
  return datasets.sort((a, b) => (a.path < b.path ? -1 : 1));
}
