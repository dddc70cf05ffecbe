/**
 * Numeric arrays of MATLAB's MAT-files, Level 5 ("MAT-File Format", MathWorks): data elements of either byte order, plain or
 * compressed by zlib. Every length is checked against what is there before anything is allocated.
 */
import { inflateSync } from "node:zlib";
import { FileError } from "../engine/errors.ts";

/** Larger files are refused, and all that is inflated from one file together is no more. */
export const MAX_MAT_BYTES = 16 * 2 ** 20;

const HEADER_BYTES = 128;
const MAX_DIMENSIONS = 8;
const MAX_NAME_BYTES = 256;

export type MatValues =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

export interface MatArray {
  /** Column-major, as MATLAB counts. */
  readonly shape: readonly number[];
  /** As stored: MATLAB writes a `double` array of small whole numbers as bytes. */
  readonly values: MatValues;
}

/** The data types that hold numbers: how to make an array, and the DataView's getter. */
const NUMBERS: Readonly<
  Record<number, { make: (length: number) => MatValues; get: (view: DataView, at: number, little: boolean) => number }>
> = {
  1: { make: (n) => new Int8Array(n), get: (view, at) => view.getInt8(at) },
  2: { make: (n) => new Uint8Array(n), get: (view, at) => view.getUint8(at) },
  3: { make: (n) => new Int16Array(n), get: (view, at, little) => view.getInt16(at, little) },
  4: { make: (n) => new Uint16Array(n), get: (view, at, little) => view.getUint16(at, little) },
  5: { make: (n) => new Int32Array(n), get: (view, at, little) => view.getInt32(at, little) },
  6: { make: (n) => new Uint32Array(n), get: (view, at, little) => view.getUint32(at, little) },
  7: { make: (n) => new Float32Array(n), get: (view, at, little) => view.getFloat32(at, little) },
  9: { make: (n) => new Float64Array(n), get: (view, at, little) => view.getFloat64(at, little) },
};
const MATRIX = 14;
const COMPRESSED = 15;
/** Array classes from double to uint32; those before are cells, structures, objects, text and sparse arrays. */
const isNumericClass = (kind: number): boolean => kind >= 6 && kind <= 13;
const COMPLEX_FLAG = 0x0800;

interface Element {
  readonly type: number;
  readonly body: Uint8Array;
}

/** Data elements one after another in `bytes`. */
class ElementReader {
  private readonly view: DataView;
  private position = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly little: boolean,
  ) {
    this.view = viewOf(bytes);
  }

  get isDone(): boolean {
    return this.position >= this.bytes.length;
  }

  next(): Element {
    const left = this.bytes.length - this.position;
    if (left < 8) throw broken("another data element", `${left} bytes`);
    const word = this.view.getUint32(this.position, this.little);
    // A small element has its length in the upper half of the type and its data in the place of the length.
    const smallLength = word >>> 16;
    if (smallLength > 4) throw broken("at most 4 bytes in a small data element", smallLength);
    const isSmall = smallLength > 0;
    const length = isSmall ? smallLength : this.view.getUint32(this.position + 4, this.little);
    const start = this.position + (isSmall ? 4 : 8);
    if (length > this.bytes.length - start)
      throw broken(`a data element of ${length} bytes`, `${this.bytes.length - start} bytes`);
    const type = word & 0xffff;
    // Compressed elements are not padded; the last one of a file may lack its padding.
    const padded = type === COMPRESSED ? length : Math.ceil(length / 8) * 8;
    this.position = isSmall ? this.position + 8 : start + padded;
    return { type, body: this.bytes.subarray(start, start + length) };
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const broken = (expected: string, found: string | number): FileError =>
  new FileError(`expected ${expected}, found ${found}; download the file again`);

function readNumbers({ type, body }: Element, little: boolean): MatValues {
  const number = NUMBERS[type];
  if (!number) throw broken("numbers of 8, 16 or 32 bits or doubles", `data of type ${type}`);
  const { BYTES_PER_ELEMENT: size } = number.make(0);
  if (body.length % size !== 0) throw broken(`whole numbers of ${size} bytes`, `${body.length} bytes`);
  const values = number.make(body.length / size);
  const view = viewOf(body);
  for (let index = 0; index < values.length; index++) values[index] = number.get(view, index * size, little);
  return values;
}

/** A matrix element's name and, where it is a numeric array, its values. */
function readMatrix(body: Uint8Array, little: boolean): { name: string; array: MatArray | null } {
  const reader = new ElementReader(body, little);
  const flags = readNumbers(reader.next(), little);
  const shape = Array.from(readNumbers(reader.next(), little));
  const label = reader.next().body;
  if (flags.length !== 2) throw broken("two words of array flags", flags.length);
  if (shape.length < 2 || shape.length > MAX_DIMENSIONS || shape.some((size) => !(Number.isInteger(size) && size >= 0)))
    throw broken(`2 to ${MAX_DIMENSIONS} dimensions`, `[${shape.slice(0, MAX_DIMENSIONS + 1).join(", ")}]`);
  if (label.length > MAX_NAME_BYTES) throw broken("an array's name", `${label.length} bytes`);
  const name = String.fromCharCode(...label);
  if (!isNumericClass(flags[0] & 0xff)) return { name, array: null };
  if (flags[0] & COMPLEX_FLAG) throw broken(`real numbers in "${name}"`, "complex ones");
  const values = readNumbers(reader.next(), little);
  const count = shape.reduce((product, size) => product * size, 1);
  if (values.length !== count) throw broken(`${count} values in "${name}"`, values.length);
  return { name, array: { shape, values } };
}

/** Whether the numbers are little-endian, by the header's mark. */
function readByteOrder(bytes: Uint8Array): boolean {
  const text = String.fromCharCode(...bytes.subarray(0, 10));
  if (bytes.length < HEADER_BYTES || text !== "MATLAB 5.0") {
    const found = text.startsWith("MATLAB 7.3") ? "version 7.3, which is HDF5" : "another beginning";
    throw new FileError(`expected a MAT-file of Level 5, found ${found}; save it with -v7 or download it again`);
  }
  const mark = String.fromCharCode(bytes[126], bytes[127]);
  if (mark !== "IM" && mark !== "MI") throw broken("the mark of a byte order, IM or MI", JSON.stringify(mark));
  return mark === "IM";
}

function inflate(body: Uint8Array, budget: number): Uint8Array {
  try {
    return inflateSync(body, { maxOutputLength: Math.max(budget, 1) });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw code === "ERR_BUFFER_TOO_LARGE"
      ? new FileError(`expected at most ${MAX_MAT_BYTES} bytes of arrays, found more; use a smaller file`, { cause })
      : new FileError(`expected intact compressed data, found ${code ?? "damage"}; download the file again`, { cause });
  }
}

function readArrays(bytes: Uint8Array): Map<string, MatArray> {
  if (bytes.length > MAX_MAT_BYTES)
    throw new FileError(`expected at most ${MAX_MAT_BYTES} bytes, found ${bytes.length}; use a smaller file`);
  const little = readByteOrder(bytes);
  const arrays = new Map<string, MatArray>();
  const file = new ElementReader(bytes.subarray(HEADER_BYTES), little);
  for (let budget = MAX_MAT_BYTES; !file.isDone; ) {
    let element = file.next();
    if (element.type === COMPRESSED) {
      const inflated = inflate(element.body, budget);
      budget -= inflated.length;
      element = new ElementReader(inflated, little).next();
    }
    if (element.type !== MATRIX) throw broken("an array", `a data element of type ${element.type}`);
    const { name, array } = readMatrix(element.body, little);
    if (arrays.has(name)) throw broken(`one array "${name}"`, "two");
    if (array) arrays.set(name, array);
  }
  return arrays;
}

/**
 * The numeric arrays of a MAT-file by name; text, cells, structures and sparse arrays are passed over.
 * @param name shown in errors
 * @throws FileError naming the file when it is of another version, damaged, complex, holds 64-bit integers, or is too large
 */
export function parseMat(bytes: Uint8Array, name: string): Map<string, MatArray> {
  try {
    return readArrays(bytes);
  } catch (cause) {
    if (!(cause instanceof FileError)) throw cause;
    throw new FileError(`${name}: ${cause.message}`, { cause });
  }
}
