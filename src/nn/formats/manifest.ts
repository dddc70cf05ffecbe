import { FileError } from "../../engine/errors.ts";

/** value = pixel · scale + offset with pixels of 0 to 255, after resizing with `resize`. */
export interface Preprocessing {
  readonly name: string;
  readonly scale: number;
  readonly offset: number;
  readonly resize: "aspect" | "tf";
}

export type Architecture =
  | {
      readonly name: "mobilenetV2";
      readonly width: number;
      readonly inputSize: readonly [height: number, width: number];
      readonly classes: number;
      readonly head: "gap-dense";
    }
  | {
      readonly name: "smallCnn";
      readonly inputSize: readonly [height: number, width: number];
      readonly classes: number;
      readonly channels: readonly number[];
    };

/** Which files a model was trained, validated and tested on. */
export interface Splits {
  readonly train: readonly string[];
  readonly validation: readonly string[];
  readonly test: readonly string[];
}

/** What `model.json` says of a trained model; the weights lie beside it as safetensors. */
export interface ModelManifest {
  readonly format: "tepal-model";
  readonly version: 1;
  readonly architecture: Architecture;
  readonly preprocessing: Preprocessing;
  readonly classNames: readonly string[];
  readonly seed: number;
  readonly splits?: Splits;
  readonly training?: Record<string, unknown>;
  /** SHA-256 of the safetensors file, in hexadecimal. */
  readonly weightsSha256: string;
}

const broken = (expected: string, found: unknown): FileError => {
  const text = found === undefined ? "nothing" : (JSON.stringify(found) ?? String(found)).slice(0, 60);
  return new FileError(`model.json: expected ${expected}; found ${text}; train the model again or correct the file`);
};

/** A value of parsed JSON together with where it stands, so that errors can say so. */
class Field {
  constructor(
    private readonly value: unknown,
    private readonly path: string,
  ) {}

  get isAbsent(): boolean {
    return this.value === undefined;
  }

  fail(expected: string): FileError {
    return broken(`${this.path} to be ${expected}`, this.value);
  }

  record(): Record<string, unknown> {
    if (typeof this.value !== "object" || this.value === null || Array.isArray(this.value))
      throw this.fail("an object");
    return this.value as Record<string, unknown>;
  }

  member(key: string): Field {
    const record = this.record();
    return new Field(Object.hasOwn(record, key) ? record[key] : undefined, `${this.path}.${key}`);
  }

  items(): Field[] {
    if (!Array.isArray(this.value)) throw this.fail("a list");
    return this.value.map((item, i) => new Field(item, `${this.path}[${i}]`));
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

  number(): number {
    if (typeof this.value !== "number" || !Number.isFinite(this.value)) throw this.fail("a finite number");
    return this.value;
  }

  integer(least: number): number {
    if (!Number.isSafeInteger(this.value) || (this.value as number) < least) throw this.fail(`an integer ≥ ${least}`);
    return this.value as number;
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

function readPreprocessing(field: Field): Preprocessing {
  return {
    name: field.member("name").text(),
    scale: field.member("scale").number(),
    offset: field.member("offset").number(),
    resize: field.member("resize").oneOf("aspect", "tf"),
  };
}

function readArchitecture(field: Field): Architecture {
  const name = field.member("name").oneOf("mobilenetV2", "smallCnn");
  const inputSize = field.member("inputSize").pair();
  const classes = field.member("classes").integer(1);
  if (name === "smallCnn") {
    const channels = field
      .member("channels")
      .items()
      .map((item) => item.integer(1));
    return { name, inputSize, classes, channels };
  }
  const width = field.member("width").number();
  if (!(width > 0)) throw field.member("width").fail("above 0");
  return { name, width, inputSize, classes, head: field.member("head").oneOf("gap-dense") };
}

function readSplits(field: Field): Splits {
  return {
    train: field.member("train").texts(),
    validation: field.member("validation").texts(),
    test: field.member("test").texts(),
  };
}

/**
 * Checks every field of a manifest given as parsed JSON; members that it does not know are left out.
 *
 * @throws FileError naming the field, what was expected there and what was found.
 */
export function checkManifest(value: unknown): ModelManifest {
  const root = new Field(value, "manifest");
  const architecture = readArchitecture(root.member("architecture"));
  const classNames = root.member("classNames").texts();
  if (classNames.length !== architecture.classes) {
    throw broken(
      `${architecture.classes} names in manifest.classNames, as architecture.classes says`,
      classNames.length,
    );
  }
  const sha = root.member("weightsSha256");
  if (!/^[0-9a-f]{64}$/.test(sha.text())) throw sha.fail("64 hexadecimal digits");
  const splits = root.member("splits");
  const training = root.member("training");
  return {
    format: root.member("format").oneOf("tepal-model"),
    version: root.member("version").oneOf(1),
    architecture,
    preprocessing: readPreprocessing(root.member("preprocessing")),
    classNames,
    seed: root.member("seed").integer(0),
    ...(splits.isAbsent ? {} : { splits: readSplits(splits) }),
    ...(training.isAbsent ? {} : { training: training.record() }),
    weightsSha256: sha.text(),
  };
}

/** @throws FileError where the text is not JSON. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FileError(`${what}: expected JSON; found ${JSON.stringify(text.slice(0, 20))}; write the file again`, {
      cause,
    });
  }
}

/**
 * Reads the preprocessing that a safetensors file states in its metadata, as JSON.
 * @throws FileError where the statement is damaged.
 */
export function parsePreprocessing(text: string): Preprocessing {
  return readPreprocessing(new Field(parseJson(text, "preprocessing"), "preprocessing"));
}
