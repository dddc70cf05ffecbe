/**
 * CIFAR-10's binary version (Krizhevsky, "Learning multiple layers of features from tiny images", 2009): records of one label
 * byte and 3 × 32 × 32 bytes, red, green, blue plane. Read as a stream from the archive, or from the unpacked folder.
 */
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { FileError } from "../engine/errors.ts";
import { readArchive } from "./archive.node.ts";
import type { Image } from "./images.ts";
import type { DatasetItem, ImageDataset } from "./loaders.ts";

const ARCHIVES = ["cifar-10-binary.tar.gz", "cifar-10-binary.tar"];
const FOLDER = "cifar-10-batches-bin";
const NAMES_FILE = "batches.meta.txt";
const SIDE = 32;
const PLANE = SIDE * SIDE;
const RECORD = 1 + 3 * PLANE;
const CLASSES = 10;
/** The published files have 10,000 records each. */
const MAX_RECORDS = 1_000_000;
const MAX_NAMES_BYTES = 4096;

interface RecordFile {
  /** Without folder and ending, e.g. `data_batch_1`. */
  readonly name: string;
  chunks(): AsyncIterable<Uint8Array>;
}

const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** The files of the data set in the order in which they lie. */
async function* recordFiles(source: { readonly path: string; readonly isFolder: boolean }): AsyncGenerator<RecordFile> {
  const isOurs = (name: string): boolean => name === NAMES_FILE || /^(data_batch_\d+|test_batch)\.bin$/.test(name);
  if (source.isFolder) {
    for (const name of (await readdir(source.path)).filter(isOurs).sort())
      yield { name, chunks: () => createReadStream(join(source.path, name)) };
    return;
  }
  for await (const entry of readArchive(source.path)) {
    const name = baseName(entry.name);
    if (entry.kind === "file" && isOurs(name)) yield { name, chunks: () => entry.chunks() };
  }
}

/** Whole records; each is valid until the next one is asked for. */
async function* recordsOf(file: RecordFile): AsyncGenerator<Uint8Array> {
  const record = new Uint8Array(RECORD);
  let filled = 0;
  let count = 0;
  for await (const chunk of file.chunks()) {
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + RECORD - filled);
      record.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled < RECORD) break;
      if (++count > MAX_RECORDS)
        throw new FileError(
          `${file.name}: expected at most ${MAX_RECORDS} records, found more; download the archive again`,
        );
      yield record;
      filled = 0;
    }
  }
  if (filled > 0)
    throw new FileError(
      `${file.name}: expected records of ${RECORD} bytes, found ${filled} more bytes at the end; download the archive again`,
    );
}

async function readNames(file: RecordFile): Promise<string[]> {
  let text = "";
  for await (const chunk of file.chunks()) {
    text += Buffer.from(chunk).toString("latin1");
    if (text.length > MAX_NAMES_BYTES)
      throw new FileError(
        `${NAMES_FILE}: expected ${CLASSES} names, found more than ${MAX_NAMES_BYTES} bytes; download the archive again`,
      );
  }
  const names = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter(Boolean);
  if (names.length !== CLASSES || new Set(names).size !== CLASSES)
    throw new FileError(
      `${NAMES_FILE}: expected ${CLASSES} different names, found ${new Set(names).size}; download the archive again`,
    );
  return names;
}

/** Planes to pixels. */
function imageOf(record: Uint8Array): Image {
  const data = new Uint8Array(3 * PLANE);
  for (let pixel = 0; pixel < PLANE; pixel++)
    for (let channel = 0; channel < 3; channel++) data[3 * pixel + channel] = record[1 + channel * PLANE + pixel];
  return { width: SIDE, height: SIDE, data };
}

async function findSource(root: string): Promise<{ path: string; isFolder: boolean }> {
  const folder = join(root, FOLDER);
  if ((await stat(folder).catch(() => null))?.isDirectory()) return { path: folder, isFolder: true };
  for (const archive of ARCHIVES) {
    const path = join(root, archive);
    if ((await stat(path).catch(() => null))?.isFile()) return { path, isFolder: false };
  }
  throw new FileError(`${root}: expected ${ARCHIVES[0]} or the folder ${FOLDER}, found neither; check --root`);
}

const itemName = (file: string, index: number): string =>
  `${file.replace(/\.bin$/, "")}/${String(index).padStart(5, "0")}`;

/**
 * Opens CIFAR-10 in a folder and reads its labels. Images are named `data_batch_1/00000`; the parts are the publisher's `train`
 * and `test`.
 * @throws FileError where neither archive nor folder is there, or a file is damaged, cut, or holds a label above 9
 */
export async function openCifar10(root: string): Promise<ImageDataset> {
  const source = await findSource(root);
  let classNames: string[] | null = null;
  const labelled = new Map<string, number[]>();
  for await (const file of recordFiles(source)) {
    if (file.name === NAMES_FILE) classNames = await readNames(file);
    else labelled.set(file.name, await readLabels(file));
  }
  if (!classNames)
    throw new FileError(`${source.path}: expected ${NAMES_FILE}, found none; download the archive again`);
  const files = [...labelled.keys()].sort();
  const items: DatasetItem[] = files.flatMap((file) =>
    labelled.get(file)!.map((label, index) => ({ name: itemName(file, index), label })),
  );
  const isTest = ({ name }: DatasetItem): boolean => name.startsWith("test_batch/");
  const indices = items.map((_, index) => index);
  return {
    name: "cifar10",
    classNames,
    items,
    parts: {
      train: indices.filter((index) => !isTest(items[index])),
      test: indices.filter((index) => isTest(items[index])),
    },
    imageSize: { height: SIDE, width: SIDE },
    read: (chosen) => readRecords(source, new Map(chosen.map((index) => [items[index].name, index]))),
  };
}

async function readLabels(file: RecordFile): Promise<number[]> {
  const labels: number[] = [];
  for await (const record of recordsOf(file)) {
    if (record[0] >= CLASSES)
      throw new FileError(
        `${file.name}: expected labels below ${CLASSES}, found ${record[0]} in record ${labels.length}; download the archive again`,
      );
    labels.push(record[0]);
  }
  return labels;
}

async function* readRecords(source: { path: string; isFolder: boolean }, wanted: ReadonlyMap<string, number>) {
  let left = wanted.size;
  for await (const file of recordFiles(source)) {
    if (left === 0) return;
    if (file.name === NAMES_FILE) continue;
    let place = 0;
    for await (const record of recordsOf(file)) {
      const name = itemName(file.name, place++);
      const index = wanted.get(name);
      if (index === undefined) continue;
      yield { index, content: { name, image: imageOf(record) } };
      left--;
    }
  }
}
