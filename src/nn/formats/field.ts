import { FileError } from "../../engine/errors.ts";

/** What is read, and what to do when it is broken. */
export interface DocumentName {
  readonly name: string;
  readonly remedy: string;
}

export const brokenDocument = ({ name, remedy }: DocumentName, expected: string, found: unknown): FileError => {
  const text = found === undefined ? "nothing" : (JSON.stringify(found) ?? String(found)).slice(0, 60);
  return new FileError(`${name}: expected ${expected}; found ${text}; ${remedy}`);
};

/** A value of parsed JSON together with where it stands, so that errors (FileError) can say so. */
export class Field {
  constructor(
    private readonly value: unknown,
    private readonly path: string,
    private readonly document: DocumentName,
  ) {}

  get isAbsent(): boolean {
    return this.value === undefined;
  }

  fail(expected: string): FileError {
    return brokenDocument(this.document, `${this.path} to be ${expected}`, this.value);
  }

  record(): Record<string, unknown> {
    if (typeof this.value !== "object" || this.value === null || Array.isArray(this.value))
      throw this.fail("an object");
    return this.value as Record<string, unknown>;
  }

  member(key: string): Field {
    const record = this.record();
    return new Field(Object.hasOwn(record, key) ? record[key] : undefined, `${this.path}.${key}`, this.document);
  }

  items(): Field[] {
    if (!Array.isArray(this.value)) throw this.fail("a list");
    return this.value.map((item, i) => new Field(item, `${this.path}[${i}]`, this.document));
  }

  text(): string {
    if (typeof this.value !== "string") throw this.fail("a string");
    return this.value;
  }

  oneOf<T extends string | number>(...choices: T[]): T {
    const choice = choices.find((candidate) => candidate === this.value);
    if (choice === undefined) throw this.fail(choices.map((candidate) => JSON.stringify(candidate)).join(" or "));
    return choice;
  }

  flag(): boolean {
    if (typeof this.value !== "boolean") throw this.fail("true or false");
    return this.value;
  }

  number(): number {
    if (typeof this.value !== "number" || !Number.isFinite(this.value)) throw this.fail("a finite number");
    return this.value;
  }

  integer(least: number): number {
    if (!Number.isSafeInteger(this.value) || (this.value as number) < least) throw this.fail(`an integer ≥ ${least}`);
    return this.value as number;
  }

  /** The value by `read`, or null where the document says so. */
  orNull<T>(read: (field: Field) => T): T | null {
    return this.value === null ? null : read(this);
  }

  pair(): [number, number] {
    const items = this.items();
    if (items.length !== 2) throw this.fail("a pair [height, width]");
    return [items[0].integer(1), items[1].integer(1)];
  }

  texts(): string[] {
    return this.items().map((item) => item.text());
  }
}
