/**
 * Oxford Flowers 102 (Nilsback and Zisserman, "Automated flower classification over a large number of classes", 2008), as its
 * publisher gives it: `102flowers.tgz`, `imagelabels.mat` and `setid.mat` in one folder. The archive is read as a stream;
 * where it is unpacked already (`jpg/`), the photographs are read from there.
 */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { DataError, FileError } from "../engine/errors.ts";
import { readArchive } from "./archive.node.ts";
import { flowerNames } from "./flowers102Names.ts";
import type { ImageDataset, PartName } from "./loaders.ts";
import { MAX_MAT_BYTES, type MatValues, parseMat } from "./matFile.node.ts";

const ARCHIVE = "102flowers.tgz";
const FOLDER = "jpg";

/** The arrays of `setid.mat`. The publisher's training part is small and the test part large, not the reverse. */
const PART_ARRAYS: Readonly<Record<PartName, string>> = { train: "trnid", validation: "valid", test: "tstid" };

/** Label and image numbers of the publisher's files count from 1. */
const MAX_CLASSES = 1000;

/** Images and labels of the whole data set, by which it is told apart from a selection with other classes. */
const OFFICIAL = { images: 8189, classes: 102 };

export interface Flowers102Labels {
  /** The class of image i + 1, from 1. */
  readonly labels: readonly number[];
  /** Image numbers from 1, ascending. */
  readonly parts: Readonly<Record<PartName, readonly number[]>>;
}

async function readMat(root: string, name: string): Promise<ReadonlyMap<string, { values: MatValues }>> {
  const path = join(root, name);
  const info = await stat(path).catch(() => null);
  if (!info?.isFile())
    throw new FileError(`${path}: expected the file of labels or parts of Flowers 102, found none; check --root`);
  if (info.size > MAX_MAT_BYTES)
    throw new FileError(`${path}: expected at most ${MAX_MAT_BYTES} bytes, found ${info.size}; download it again`);
  return parseMat(new Uint8Array(await readFile(path)), path);
}

function wholeNumbers(path: string, name: string, values: MatValues | undefined, largest: number): number[] {
  if (!values) throw new FileError(`${path}: expected the array "${name}", found none; download the file again`);
  const numbers = Array.from(values);
  const stray = numbers.find((value) => !(Number.isInteger(value) && value >= 1 && value <= largest));
  if (stray !== undefined)
    throw new FileError(
      `${path}: expected whole numbers from 1 to ${largest} in "${name}", found ${stray}; download the file again`,
    );
  return numbers;
}

/**
 * Reads `imagelabels.mat` and `setid.mat` of a folder.
 * @throws FileError naming the file when it is missing or damaged, a label or number is out of range, or an image is in two parts
 */
export async function readFlowers102Labels(root: string): Promise<Flowers102Labels> {
  const labelsPath = join(root, "imagelabels.mat");
  const partsPath = join(root, "setid.mat");
  const labels = wholeNumbers(
    labelsPath,
    "labels",
    (await readMat(root, "imagelabels.mat")).get("labels")?.values,
    MAX_CLASSES,
  );
  const arrays = await readMat(root, "setid.mat");
  const seen = new Set<number>();
  const part = (name: PartName): number[] => {
    const array = PART_ARRAYS[name];
    const numbers = wholeNumbers(partsPath, array, arrays.get(array)?.values, labels.length).sort((a, b) => a - b);
    for (const number of numbers) {
      if (seen.has(number))
        throw new FileError(
          `${partsPath}: expected each image once, found image ${number} twice; download the file again`,
        );
      seen.add(number);
    }
    return numbers;
  };
  return { labels, parts: { train: part("train"), validation: part("validation"), test: part("test") } };
}

/** The publisher's file names, `jpg/image_00001.jpg` first. */
const nameOf = (number: number): string => `${FOLDER}/image_${String(number).padStart(5, "0")}.jpg`;

function classNamesOf(labels: readonly number[]): string[] {
  const count = labels.reduce((most, label) => Math.max(most, label), 0);
  const isOfficial = labels.length === OFFICIAL.images && count === OFFICIAL.classes;
  return Array.from({ length: count }, (_, index) => (isOfficial ? flowerNames[index] : `class ${index + 1}`));
}

async function* readFromArchive(path: string, wanted: ReadonlyMap<string, number>) {
  let left = wanted.size;
  for await (const entry of readArchive(path)) {
    const index = entry.kind === "file" ? wanted.get(entry.name) : undefined;
    if (index === undefined) continue;
    yield { index, content: { name: entry.name, bytes: await entry.read() } };
    if (--left === 0) return;
  }
}

/**
 * Opens Flowers 102 in a folder. The class names are the publisher's where the labels are those of the whole data set, else
 * `class 1`, `class 2` and so on.
 * @throws FileError as `readFlowers102Labels`, or where neither the archive nor `jpg/` is there; DataError for fewer than two classes
 */
export async function openFlowers102(root: string): Promise<ImageDataset> {
  const { labels, parts } = await readFlowers102Labels(root);
  const classNames = classNamesOf(labels);
  if (classNames.length < 2)
    throw new DataError(`${root}: expected two classes or more, found ${classNames.length}; check imagelabels.mat`);
  const archive = join(root, ARCHIVE);
  const isUnpacked = (await stat(join(root, FOLDER)).catch(() => null))?.isDirectory() ?? false;
  if (!isUnpacked && !(await stat(archive).catch(() => null))?.isFile())
    throw new FileError(`${root}: expected ${ARCHIVE} or the folder ${FOLDER}, found neither; check --root`);
  const items = labels.map((label, index) => ({ name: nameOf(index + 1), label: label - 1 }));
  const indices = (name: PartName): number[] => parts[name].map((number) => number - 1);
  return {
    name: "flowers102",
    classNames,
    items,
    parts: { train: indices("train"), validation: indices("validation"), test: indices("test") },
    async *read(chosen) {
      if (isUnpacked) for (const index of chosen) yield { index, content: join(root, items[index].name) };
      else yield* readFromArchive(archive, new Map(chosen.map((index) => [items[index].name, index])));
    },
  };
}
