/** Tar archives and MAT-files made in the tests, also such as no honest program writes. */
import { deflateSync } from "node:zlib";

export interface TarEntry {
  readonly name: string;
  readonly body?: Uint8Array;
  /** The type flag of POSIX ustar: 0 file, 1 link, 2 symbolic link, 3 and 4 devices, 5 folder, 6 pipe. */
  readonly type?: string;
  readonly linkname?: string;
  /** What the header says; the body's length without it. */
  readonly size?: number;
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, "0");

function tarHeader({ name, body, type = "0", linkname = "", size = body?.length ?? 0 }: TarEntry): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write(`${octal(0o644, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`, 100);
  header.write(`${octal(size, 11)} ${octal(0, 11)} `, 124);
  header.write(" ".repeat(8), 148);
  header.write(type, 156);
  header.write(linkname, 157, 100);
  header.write("ustar\u000000", 257);
  header.write(
    `${octal(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
    )}\0 `,
    148,
  );
  return header;
}

/** A ustar archive, ended by two empty blocks. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap((entry) => {
    const body = Buffer.from(entry.body ?? new Uint8Array());
    return [tarHeader(entry), body, Buffer.alloc((512 - (body.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** Data types of MAT-files with the writer of one number. */
const TYPES = {
  uint8: { code: 2, size: 1, write: (view: DataView, at: number, value: number) => view.setUint8(at, value) },
  uint16: {
    code: 4,
    size: 2,
    write: (view: DataView, at: number, value: number, little: boolean) => view.setUint16(at, value, little),
  },
  int32: {
    code: 5,
    size: 4,
    write: (view: DataView, at: number, value: number, little: boolean) => view.setInt32(at, value, little),
  },
  uint32: {
    code: 6,
    size: 4,
    write: (view: DataView, at: number, value: number, little: boolean) => view.setUint32(at, value, little),
  },
  single: {
    code: 7,
    size: 4,
    write: (view: DataView, at: number, value: number, little: boolean) => view.setFloat32(at, value, little),
  },
  double: {
    code: 9,
    size: 8,
    write: (view: DataView, at: number, value: number, little: boolean) => view.setFloat64(at, value, little),
  },
  int64: {
    code: 12,
    size: 8,
    write: (view: DataView, at: number, value: number, little: boolean) => view.setBigInt64(at, BigInt(value), little),
  },
} as const;

export type MatType = keyof typeof TYPES;

export interface MatVariable {
  readonly name: string;
  readonly values: readonly number[];
  readonly shape?: readonly number[];
  /** How the numbers are stored. */
  readonly type?: MatType;
  /** mxDOUBLE_CLASS by default. */
  readonly kind?: number;
  readonly flags?: number;
}

export interface MatOptions {
  readonly little?: boolean;
  readonly compressed?: boolean;
}

export function element(code: number, body: Uint8Array, little: boolean, padded = true): Buffer {
  const isSmall = body.length > 0 && body.length <= 4;
  const start = isSmall ? 4 : 8;
  const length = isSmall ? 8 : 8 + (padded ? Math.ceil(body.length / 8) * 8 : body.length);
  const bytes = Buffer.alloc(length);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (isSmall) view.setUint32(0, (body.length << 16) | code, little);
  else {
    view.setUint32(0, code, little);
    view.setUint32(4, body.length, little);
  }
  bytes.set(body, start);
  return bytes;
}

function numbers(type: MatType, values: readonly number[], little: boolean): Buffer {
  const { code, size, write } = TYPES[type];
  const body = new Uint8Array(values.length * size);
  const view = new DataView(body.buffer);
  for (const [index, value] of values.entries()) write(view, index * size, value, little);
  return element(code, body, little);
}

/** The bytes of a MAT-file of Level 5. */
export function matOf(
  variables: readonly MatVariable[],
  { little = true, compressed = false }: MatOptions = {},
): Uint8Array {
  const header = Buffer.alloc(128, " ");
  header.write("MATLAB 5.0 MAT-file, written by a test");
  header.set(little ? [0, 1] : [1, 0], 124);
  header.write(little ? "IM" : "MI", 126);
  const elements = variables.map(
    ({ name, values, shape = [1, values.length], type = "double", kind = 6, flags = 0 }) => {
      const parts = [
        numbers("uint32", [kind | flags, 0], little),
        numbers("int32", shape, little),
        element(1, Buffer.from(name), little),
        numbers(type, values, little),
      ];
      const matrix = element(14, Buffer.concat(parts), little);
      return compressed ? element(15, deflateSync(matrix), little, false) : matrix;
    },
  );
  return new Uint8Array(Buffer.concat([header, ...elements]));
}
