import { FileError } from "../../engine/errors.ts";
import { brokenDocument, type DocumentName, Field } from "./field.ts";

/** value = pixel · scale + offset with pixels of 0 to 255, after resizing with `resize`. */
export interface Preprocessing {
  readonly name: string;
  readonly scale: number;
  readonly offset: number;
  readonly resize: "aspect" | "tf";
}

/** A dense layer on the mean over the last map, or on all of the map. */
export const heads = ["gap-dense", "flatten-dense"] as const;
export type Head = (typeof heads)[number];
export const stems = ["imagenet", "cifar"] as const;
export type Stem = (typeof stems)[number];

export type Architecture =
  | {
      readonly name: "mobilenetV2";
      readonly width: number;
      readonly inputSize: readonly [height: number, width: number];
      readonly classes: number;
      readonly head: Head;
      /** `cifar` keeps the resolution in the stem and in `block_1`, for images of about 32 pixels; default `imagenet`. */
      readonly stem?: Stem;
    }
  | {
      readonly name: "smallCnn";
      readonly inputSize: readonly [height: number, width: number];
      readonly classes: number;
      readonly channels: readonly number[];
      /** Default `gap-dense`. */
      readonly head?: Head;
      /** `cifar` keeps the resolution in the stem; default `imagenet`. */
      readonly stem?: Stem;
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

const document: DocumentName = { name: "model.json", remedy: "train the model again or correct the file" };

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
  const stem = field.member("stem");
  const chosen = stem.isAbsent ? {} : { stem: stem.oneOf(...stems) };
  const head = field.member("head");
  if (name === "smallCnn") {
    const channels = field
      .member("channels")
      .items()
      .map((item) => item.integer(1));
    return { name, inputSize, classes, channels, ...(head.isAbsent ? {} : { head: head.oneOf(...heads) }), ...chosen };
  }
  const width = field.member("width").number();
  if (!(width > 0)) throw field.member("width").fail("above 0");
  return { name, width, inputSize, classes, head: head.oneOf(...heads), ...chosen };
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
  const root = new Field(value, "manifest", document);
  const architecture = readArchitecture(root.member("architecture"));
  const classNames = root.member("classNames").texts();
  if (classNames.length !== architecture.classes) {
    throw brokenDocument(
      document,
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
  return readPreprocessing(new Field(parseJson(text, "preprocessing"), "preprocessing", document));
}
