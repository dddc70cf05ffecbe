import { FileError } from "../../engine/errors.ts";

/** What the header says of one tensor; offsets count bytes from the end of the header. */
export interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly offsets: readonly [number, number];
}

/** The JSON header, checked for its grammar but not yet against the data. */
export interface Header {
  readonly metadata: Record<string, string>;
  readonly entries: Map<string, HeaderEntry>;
}

const REMEDY = "write the file again with a safetensors library";

/** A safetensors file that breaks the format: expected, actual, remedy in one line. */
export const broken = (expected: string, actual: string): FileError =>
  new FileError(`safetensors: expected ${expected}; found ${actual}; ${REMEDY}`);

/**
 * A cursor over the header's text. JSON.parse would not do: it accepts duplicate keys silently, and builds
 * whatever a hostile file nests before anything can be refused.
 */
class Cursor {
  private position = 0;
  constructor(private readonly text: string) {}

  private skipSpace(): void {
    while (" \t\n\r".includes(this.text[this.position] ?? "x")) this.position++;
  }

  fail(expected: string): FileError {
    const found = this.text.slice(this.position, this.position + 16);
    return broken(`${expected} at character ${this.position} of the header`, JSON.stringify(found));
  }

  take(symbol: string): boolean {
    this.skipSpace();
    if (this.text[this.position] !== symbol) return false;
    this.position++;
    return true;
  }

  need(symbol: string): void {
    if (!this.take(symbol)) throw this.fail(JSON.stringify(symbol));
  }

  string(): string {
    this.need('"');
    const start = this.position;
    while (this.text[this.position] !== '"') {
      if (this.position >= this.text.length) throw this.fail("the end of a string");
      this.position += this.text[this.position] === "\\" ? 2 : 1;
    }
    this.position++;
    try {
      return JSON.parse(this.text.slice(start - 1, this.position)) as string;
    } catch {
      throw this.fail("a JSON string before this");
    }
  }

  integer(): number {
    this.skipSpace();
    const start = this.position;
    while (this.text[this.position] >= "0" && this.text[this.position] <= "9") this.position++;
    const digits = this.text.slice(start, this.position);
    const value = Number(digits);
    const plain = digits !== "" && (digits === "0" || digits[0] !== "0");
    if (!plain || !Number.isSafeInteger(value)) throw this.fail("an unsigned integer below 2^53 ending");
    return value;
  }

  integers(): number[] {
    const values: number[] = [];
    this.need("[");
    if (this.take("]")) return values;
    do values.push(this.integer());
    while (this.take(","));
    this.need("]");
    return values;
  }

  /** Calls `read` for every key of an object; a key seen twice is an error. */
  members(read: (key: string) => void): void {
    const seen = new Set<string>();
    this.need("{");
    if (this.take("}")) return;
    do {
      const key = this.string();
      if (seen.has(key)) throw broken("every key once", `${JSON.stringify(key)} twice in the header`);
      seen.add(key);
      this.need(":");
      read(key);
    } while (this.take(","));
    this.need("}");
  }

  end(): void {
    this.skipSpace();
    if (this.position < this.text.length) throw this.fail("nothing but spaces after the header's object");
  }
}

function readEntry(cursor: Cursor, name: string): HeaderEntry {
  let dtype: string | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  cursor.members((key) => {
    if (key === "dtype") dtype = cursor.string();
    else if (key === "shape") shape = cursor.integers();
    else if (key === "data_offsets") offsets = cursor.integers();
    else throw broken("only dtype, shape and data_offsets", `the key ${JSON.stringify(key)} in tensor ${name}`);
  });
  if (dtype === undefined || shape === undefined || offsets?.length !== 2) {
    throw broken("dtype, shape and two data_offsets", `tensor ${name} without one of them`);
  }
  return { dtype, shape, offsets: [offsets[0], offsets[1]] };
}

/**
 * Reads the JSON header of a safetensors file.
 * @throws FileError where the text is not an object of tensors, or a key occurs twice.
 */
export function readHeader(text: string): Header {
  if (text[0] !== "{") throw broken("a header that starts with {", JSON.stringify(text.slice(0, 8)));
  const cursor = new Cursor(text);
  // Null prototypes: a tensor or a metadata key may be called "__proto__".
  const metadata: Record<string, string> = Object.create(null);
  const entries = new Map<string, HeaderEntry>();
  cursor.members((name) => {
    if (name === "__metadata__") {
      cursor.members((key) => {
        metadata[key] = cursor.string();
      });
    } else entries.set(name, readEntry(cursor, name));
  });
  cursor.end();
  return { metadata, entries };
}
