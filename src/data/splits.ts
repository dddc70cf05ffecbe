import { DataError, FileError } from "../engine/errors.ts";
import { permutation } from "../engine/random.ts";

/** Indices of the examples of each part, ascending; no index is in two parts. */
export interface Split {
  train: number[];
  validation: number[];
  test: number[];
}

export interface SplitOptions {
  /** Share of each class for validation, 0 to 1. */
  validation: number;
  /** Share of each class for the test, 0 to 1. */
  test: number;
  seed: number;
}

/** Keeps the draws of splits apart from other uses of the same seed; the class is added. */
const SPLIT_STREAM = 0x5b117000;

/**
 * Shuffles each class with the seed and cuts it into train, validation and test. Counts are rounded; a part that was asked
 * for gets one example of each class where the class has enough, train first, then validation, then test.
 * @throws DataError when a share is negative or not a number, or when the shares leave nothing to train on.
 */
export function stratifiedSplit(labels: ArrayLike<number>, { validation, test, seed }: SplitOptions): Split {
  if (!(validation >= 0 && test >= 0 && validation + test < 1)) {
    throw new DataError(
      `validation and test shares must be 0 or more and sum to less than 1, got ${validation} and ${test}; choose smaller shares`,
    );
  }
  const split: Split = { train: [], validation: [], test: [] };
  for (const [label, members] of indicesByLabel(labels)) {
    const order = Array.from(permutation(members.length, seed, SPLIT_STREAM + label), (place) => members[place]);
    const counts = partCounts(members.length, validation, test);
    split.test.push(...order.slice(0, counts.test));
    split.validation.push(...order.slice(counts.test, counts.test + counts.validation));
    split.train.push(...order.slice(counts.test + counts.validation));
  }
  for (const part of [split.train, split.validation, split.test]) part.sort((a, b) => a - b);
  return split;
}

function indicesByLabel(labels: ArrayLike<number>): Map<number, number[]> {
  const groups = new Map<number, number[]>();
  for (let index = 0; index < labels.length; index++) {
    const group = groups.get(labels[index]);
    if (group) group.push(index);
    else groups.set(labels[index], [index]);
  }
  return groups;
}

/** How many of `count` go to validation and test; the rest trains. */
function partCounts(count: number, validation: number, test: number): { validation: number; test: number } {
  const atLeastOne = (share: number) => (share > 0 ? Math.max(Math.round(share * count), 1) : 0);
  const validationCount = Math.min(atLeastOne(validation), Math.max(count - 1, 0));
  const testCount = Math.min(atLeastOne(test), Math.max(count - 1 - validationCount, 0));
  return { validation: validationCount, test: testCount };
}

/** A split that names files, relative to the data folder, e.g. `daisy/100080576.jpg`. */
export interface FileSplit {
  classes: string[];
  train: string[];
  validation: string[];
  test: string[];
}

/**
 * Reads a split file: JSON `{"classes": [...], "train": ["class/file", ...], "validation": [...], "test": [...]}`, where
 * `validation` and `test` may be absent.
 * @param name shown in errors
 * @throws FileError when the text is not of that layout, names a file twice, a class it does not list, or a path that
 * leaves the data folder.
 */
export function parseSplit(text: string, name: string): FileSplit {
  const broken = (reason: string) =>
    new FileError(`${name}: ${reason}; expected {"classes": [...], "train": ["class/file", ...], "validation": [...]}`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw broken("is not JSON");
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw broken("is not a JSON object");
  const record = json as Record<string, unknown>;
  const list = (key: string, required: boolean): string[] => {
    const value = record[key];
    if (value === undefined && !required) return [];
    if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
      throw broken(`"${key}" is not a list of strings`);
    }
    return value;
  };
  const split = {
    classes: list("classes", true),
    train: list("train", true),
    validation: list("validation", false),
    test: list("test", false),
  };
  checkFiles(split, broken);
  return split;
}

function checkFiles(split: FileSplit, broken: (reason: string) => FileError): void {
  const classes = new Set(split.classes);
  if (classes.size !== split.classes.length) throw broken("names a class twice");
  if (classes.size < 2) throw broken(`needs two classes or more, has ${classes.size}`);
  if (split.train.length === 0) throw broken(`"train" is empty`);
  const seen = new Set<string>();
  for (const path of [...split.train, ...split.validation, ...split.test]) {
    const parts = path.split("/");
    if (parts.length !== 2 || parts.some((part) => part === "" || part === "." || part === "..")) {
      throw broken(`"${path}" is not of the form class/file`);
    }
    if (!classes.has(parts[0])) throw broken(`"${path}" is of a class that "classes" does not list`);
    if (seen.has(path)) throw broken(`"${path}" is listed twice`);
    seen.add(path);
  }
}

/** The label of each listed file: the place of its folder in `classes`. */
export function labelsOf(files: readonly string[], classes: readonly string[]): Int32Array {
  const places = new Map(classes.map((name, place) => [name, place]));
  return Int32Array.from(files, (path) => places.get(path.slice(0, path.indexOf("/")))!);
}
