/** Photographs in class folders as commands use them: parts, classes in the model's order, progress, broken ones by name. */
import { batchPixels, type LabelledImages } from "../data/datasets.ts";
import {
  type BrokenImage,
  type ClassFolders,
  type LoadedDataset,
  listedFiles,
  loadFiles,
  readSplitFile,
  scanClassFolders,
} from "../data/folders.node.ts";
import type { ResizeMode } from "../data/resize.ts";
import { stratifiedSplit } from "../data/splits.ts";
import { DataError, UsageError } from "../engine/errors.ts";
import type { LabelledPixelSource } from "../nn/features.ts";
import type { Terminal } from "./terminal.ts";

/** Files of one folder, chosen and labelled, not yet decoded. */
export interface Part {
  readonly folder: string;
  readonly folders: ClassFolders;
}

/** Share of each class that validates when neither `--val` nor `--split` says which photographs do. */
export const VALIDATION_SHARE = 0.2;

export interface TrainingParts {
  readonly classNames: string[];
  readonly train: Part;
  readonly validation: Part;
  /** Files kept for a later test: those of a split file. */
  readonly test: readonly string[];
}

const listed = (names: readonly string[]): string =>
  names.length > 6 ? `${names.slice(0, 6).join(", ")} and ${names.length - 6} more` : names.join(", ");

/**
 * The files with their labels as places in `classNames`.
 * @throws DataError unless the folders are exactly these classes, in whatever order.
 */
export function alignClasses(folders: ClassFolders, classNames: readonly string[], where: string): ClassFolders {
  const unknown = folders.classNames.filter((name) => !classNames.includes(name));
  const missing = classNames.filter((name) => !folders.classNames.includes(name));
  if (unknown.length > 0 || missing.length > 0) {
    const found = [
      missing.length > 0 ? `no ${listed(missing)}` : "",
      unknown.length > 0 ? `also ${listed(unknown)}` : "",
    ];
    throw new DataError(
      `${where}: expected the class folders ${listed(classNames)}, found ${found.filter(Boolean).join(", and ")}; use data of the same classes`,
    );
  }
  const places = folders.classNames.map((name) => classNames.indexOf(name));
  const files = folders.files.map(({ path, label }) => ({ path, label: places[label] }));
  return { classNames: [...classNames], files };
}

/**
 * Which photographs train and which validate: by a split file, by a second folder, or a stratified split by seed.
 * @throws UsageError when both are given; DataError, FileError for what they hold.
 */
export async function trainingParts(options: {
  readonly data: string;
  readonly val?: string;
  readonly split?: string;
  readonly seed: number;
}): Promise<TrainingParts> {
  const { data, val, split, seed } = options;
  if (val !== undefined && split !== undefined)
    throw new UsageError("expected one of --val and --split, found both; leave one out");
  const part = (folder: string, folders: ClassFolders): Part => ({ folder, folders });
  if (split !== undefined) {
    const { classes, train, validation, test } = await readSplitFile(split, data);
    if (validation.length === 0)
      throw new DataError(`${split}: expected "validation" to list photographs, found none; add some or use --val`);
    return {
      classNames: classes,
      train: part(data, listedFiles(classes, train)),
      validation: part(data, listedFiles(classes, validation)),
      test,
    };
  }
  const all = await scanClassFolders(data);
  const { classNames } = all;
  if (classNames.length < 2)
    throw new DataError(`${data}: expected two class folders or more, found ${listed(classNames)}; add another class`);
  if (val !== undefined) {
    const validation = alignClasses(await scanClassFolders(val), classNames, val);
    return { classNames, train: part(data, all), validation: part(val, validation), test: [] };
  }
  const labels = all.files.map(({ label }) => label);
  const indices = stratifiedSplit(labels, { validation: VALIDATION_SHARE, test: 0, seed });
  const choose = (chosen: readonly number[]) =>
    part(data, { classNames, files: chosen.map((index) => all.files[index]) });
  return { classNames, train: choose(indices.train), validation: choose(indices.validation), test: [] };
}

export interface DecodeOptions {
  readonly inputSize: readonly [height: number, width: number];
  readonly resize: ResizeMode;
  readonly strict: boolean;
}

/**
 * Decodes a part with a progress bar, and warns of each photograph that had to be skipped.
 * @throws DataError when too many are broken, or, with `strict`, FileError at the first.
 */
export async function loadPart(
  { folder, folders }: Part,
  { inputSize: [height, width], resize, strict }: DecodeOptions,
  terminal: Terminal,
  label: string,
): Promise<LoadedDataset> {
  const progress = terminal.progress(label, folders.files.length);
  const onProgress = (done: number) => progress.update(done);
  const loaded = await loadFiles(folder, folders, { height, width, resize, strict, onProgress });
  progress.finish();
  for (const { path, reason } of loaded.broken) terminal.warn(`skipped ${path}: ${reason}`);
  return loaded;
}

/** Consecutive images without copying their pixels. */
function sliceImages(images: LabelledImages, from: number, to: number): LabelledImages {
  const size = images.height * images.width * 3;
  return {
    ...images,
    names: images.names.slice(from, to),
    labels: images.labels.subarray(from, to),
    pixels: images.pixels.subarray(from * size, to * size),
  };
}

/**
 * Decodes what trains and what validates. Parts of one folder are read together, so that the share of broken photographs that
 * is tolerated is one of the whole data set, not of a small part.
 * @throws as `loadPart`
 */
export async function loadTrainingParts(
  { train, validation }: TrainingParts,
  options: DecodeOptions,
  terminal: Terminal,
): Promise<{ train: LabelledImages; validation: LabelledImages; broken: BrokenImage[] }> {
  if (train.folder !== validation.folder) {
    const first = await loadPart(train, options, terminal, "reading training photographs");
    const second = await loadPart(validation, options, terminal, "reading validation photographs");
    return { train: first.images, validation: second.images, broken: [...first.broken, ...second.broken] };
  }
  const { classNames, files } = train.folders;
  const together: Part = {
    folder: train.folder,
    folders: { classNames, files: [...files, ...validation.folders.files] },
  };
  const { images, broken } = await loadPart(together, options, terminal, "reading photographs");
  const trains = new Set(files.map(({ path }) => path));
  const count = images.names.filter((name) => trains.has(name)).length;
  return {
    train: sliceImages(images, 0, count),
    validation: sliceImages(images, count, images.names.length),
    broken,
  };
}

/** Decoded photographs as networks read them. */
export const pixelSource = (images: LabelledImages): LabelledPixelSource => ({
  count: images.labels.length,
  labels: images.labels,
  batch: (indices) => batchPixels(images, indices),
});
