/** Data sets as commands use them: parts, classes in the model's order, progress, broken images by name. */
import { batchPixels, gatherPixels, type LabelledImages } from "../data/datasets.ts";
import { folderDataset, listedFiles, readSplitFile, scanClassFolders } from "../data/folders.node.ts";
import { ImageStore } from "../data/imageStore.node.ts";
import { DATASET_NAMES, openDataset } from "../data/loaders.node.ts";
import { type ImageDataset, PART_NAMES, type PartName } from "../data/loaders.ts";
import type { BrokenImage } from "../data/loadImages.node.ts";
import { MAX_PACKED_PIXELS } from "../data/packed.ts";
import type { ResizeMode } from "../data/resize.ts";
import { stratifiedSplit } from "../data/splits.ts";
import { DataError, UsageError } from "../engine/errors.ts";
import { hostSource } from "../nn/pixelSource.ts";
import type { OptionSpec } from "./options.ts";
import { type Photographs, storedSource } from "./storedSource.ts";
import type { Terminal } from "./terminal.ts";

/** Images of one data set, chosen and labelled, not yet decoded. */
export interface Part {
  readonly dataset: ImageDataset;
  readonly indices: readonly number[];
}

/** Share of each class that validates when neither `--val`, `--split` nor the data set says which images do. */
export const VALIDATION_SHARE = 0.2;

export interface TrainingParts {
  readonly classNames: readonly string[];
  readonly train: Part;
  readonly validation: Part;
  /** Images kept for a later test: those of a split file or of the publisher's test part. */
  readonly test: readonly string[];
}

/** The options by which commands name their data. */
export const dataOptions = {
  data: {
    type: "string",
    placeholder: "NAME|DIR|FILE",
    help: `${DATASET_NAMES.join(", ")}, photographs in DIR/<class>/, or a list: lines "path label", or .csv`,
  },
  root: {
    type: "path",
    exists: "folder",
    placeholder: "DIR",
    help: "the files of flowers102 or cifar10, or where a list's paths start",
  },
  cache: { type: "path", placeholder: "DIR", help: "keep decoded pictures here for the next run" },
  cacheLimit: { type: "integer", min: 1, default: 1024, placeholder: "MIB", help: "the most that --cache may hold" },
  memory: {
    type: "integer",
    min: 0,
    default: 1024,
    placeholder: "MIB",
    help: "decoded pictures that stay in memory; the others are decoded ahead of each step",
  },
} as const satisfies Record<string, OptionSpec>;

const listed = (names: readonly string[]): string =>
  names.length > 6 ? `${names.slice(0, 6).join(", ")} and ${names.length - 6} more` : names.join(", ");

/** Every image of a data set. */
export const wholePart = (dataset: ImageDataset): Part => ({
  dataset,
  indices: dataset.items.map((_, index) => index),
});

/** The images of these names. Throws DataError naming those that the data set has not. */
export function namedPart(dataset: ImageDataset, names: readonly string[]): Part {
  const places = new Map(dataset.items.map(({ name }, index) => [name, index]));
  const missing = names.filter((name) => !places.has(name));
  if (missing.length > 0)
    throw new DataError(
      `${dataset.name}: expected ${listed(missing)}, found no such images; use the data that the model was trained with`,
    );
  return { dataset, indices: names.map((name) => places.get(name)!) };
}

/**
 * The part with its labels as places in `classNames`.
 * @throws DataError unless the data set has exactly these classes, in whatever order.
 */
export function alignClasses({ dataset, indices }: Part, classNames: readonly string[], where = dataset.name): Part {
  const unknown = dataset.classNames.filter((name) => !classNames.includes(name));
  const missing = classNames.filter((name) => !dataset.classNames.includes(name));
  if (unknown.length > 0 || missing.length > 0) {
    const found = [
      missing.length > 0 ? `no ${listed(missing)}` : "",
      unknown.length > 0 ? `also ${listed(unknown)}` : "",
    ];
    throw new DataError(
      `${where}: expected the classes ${listed(classNames)}, found ${found.filter(Boolean).join(", and ")}; use data of the same classes`,
    );
  }
  const places = dataset.classNames.map((name) => classNames.indexOf(name));
  const items = dataset.items.map(({ name, label }) => ({ name, label: places[label] }));
  return { dataset: { ...dataset, classNames: [...classNames], items }, indices };
}

export interface DataChoice {
  readonly data: string;
  readonly root?: string;
  readonly split?: string;
  readonly seed: number;
}

/** The files that a split file lists, as a data set with parts. Throws FileError, DataError as `readSplitFile`. */
export async function splitDataset(split: string, folder: string): Promise<ImageDataset> {
  const { classes, ...files } = await readSplitFile(split, folder);
  const dataset = folderDataset(
    folder,
    listedFiles(
      classes,
      PART_NAMES.flatMap((name) => files[name]),
    ),
  );
  const starts = { train: 0, validation: files.train.length, test: files.train.length + files.validation.length };
  const indices = (name: PartName): number[] => files[name].map((_, index) => starts[name] + index);
  return { ...dataset, parts: { train: indices("train"), validation: indices("validation"), test: indices("test") } };
}

/** The data set that the options name, with the split file's parts where one is given. */
export function openChoice({ data, root, split, seed }: DataChoice): Promise<ImageDataset> {
  if (split === undefined) return openDataset(data, { root, seed });
  if (DATASET_NAMES.includes(data))
    throw new UsageError(`--split lists files of a folder; ${data} has parts of its own, leave --split out`);
  return splitDataset(split, data);
}

/** Images of `indices` cut into two by a share of each class, from the seed. */
export function cutPart({ dataset, indices }: Part, share: number, seed: number): readonly [kept: Part, cut: Part] {
  const labels = indices.map((index) => dataset.items[index].label);
  const split = stratifiedSplit(labels, { validation: share, test: 0, seed });
  const choose = (chosen: readonly number[]): Part => ({ dataset, indices: chosen.map((place) => indices[place]) });
  return [choose(split.train), choose(split.validation)];
}

/**
 * Which images train and which validate: by a split file, by the publisher's parts, by a second folder, or a stratified split by
 * seed. The publisher's test part is only named, never read.
 * @throws UsageError when `val` and `split` are both given; DataError, FileError for what they hold.
 */
export async function trainingParts(options: DataChoice & { readonly val?: string }): Promise<TrainingParts> {
  const { val, split, seed } = options;
  if (val !== undefined && split !== undefined)
    throw new UsageError("expected one of --val and --split, found both; leave one out");
  const dataset = await openChoice(options);
  const { classNames, parts } = dataset;
  if (classNames.length < 2)
    throw new DataError(
      `${dataset.name}: expected two class folders or more, found ${listed(classNames)}; add another class`,
    );
  if (split !== undefined && parts?.validation?.length === 0)
    throw new DataError(`${split}: expected "validation" to list photographs, found none; add some or use --val`);
  const test = (parts?.test ?? []).map((index) => dataset.items[index].name);
  const train: Part = parts?.train ? { dataset, indices: parts.train } : wholePart(dataset);
  if (val !== undefined) {
    const folders = await scanClassFolders(val);
    const validation = alignClasses(wholePart(folderDataset(val, folders)), classNames, val);
    return { classNames, train, validation, test };
  }
  if (parts?.validation && parts.validation.length > 0)
    return { classNames, train, validation: { dataset, indices: parts.validation }, test };
  const [kept, validation] = cutPart(train, VALIDATION_SHARE, seed);
  return { classNames, train: kept, validation, test };
}

export interface DecodeOptions {
  readonly inputSize: readonly [height: number, width: number];
  readonly resize: ResizeMode;
  readonly strict: boolean;
  /** The folder of decoded pictures, and its limit in MiB. */
  readonly cache?: string;
  readonly cacheLimit: number;
  /** MiB of decoded pictures that stay in memory. */
  readonly memory: number;
  /** Images that go to the GPU together, where more than 32: each may then be the smaller. */
  readonly batch?: number;
}

/** What a part turned out to hold. */
export interface OpenedPart {
  readonly images: Photographs;
  readonly broken: readonly BrokenImage[];
}

/** Decodes every image of a part once, with a progress bar, warns of those that are broken, and says what will be decoded again. */
async function openStore(
  { dataset, indices }: Part,
  { inputSize: [height, width], resize, strict, cache, cacheLimit, memory, batch = 32 }: DecodeOptions,
  terminal: Terminal,
  label: string,
): Promise<{ store: ImageStore; broken: readonly BrokenImage[] }> {
  const progress = terminal.progress(label, indices.length);
  const onProgress = (done: number) => progress.update(done);
  const kept = cache === undefined ? undefined : { folder: cache, maxBytes: cacheLimit * 2 ** 20 };
  const memoryBytes = memory * 2 ** 20;
  const maxPixels = Math.floor(MAX_PACKED_PIXELS / Math.max(1, batch / 32));
  const options = { height, width, resize, maxPixels, strict, cache: kept, memoryBytes, onProgress };
  const opened = await ImageStore.open(dataset, indices, options);
  progress.finish();
  for (const { path, reason } of opened.broken) terminal.warn(`skipped ${path}: ${reason}`);
  const { count, held, heldBytes, unpacked } = opened.store.facts;
  if (held < count)
    terminal.line(
      `${held} of ${count} photographs stay in memory (${(heldBytes / 2 ** 20).toFixed(0)} MiB, --memory ${memory}); the others are decoded ahead of each step${unpacked > 0 ? ", from a temporary folder that the archive was unpacked to" : ""}`,
    );
  return opened;
}

/**
 * The usable images of a part.
 * @throws DataError when too many are broken, or, with `strict`, FileError at the first.
 */
export async function openPart(
  part: Part,
  options: DecodeOptions,
  terminal: Terminal,
  label: string,
): Promise<OpenedPart> {
  const { store, broken } = await openStore(part, options, terminal, label);
  return { images: storedSource(store, [...store.labels.keys()]), broken };
}

/**
 * The usable images that train and those that validate. Parts of one data set are read together, so that an archive is read once
 * and the share of broken images that is tolerated is one of both, not of a small part.
 * @throws as `openPart`
 */
export async function openTrainingParts(
  { train, validation }: Pick<TrainingParts, "train" | "validation">,
  options: DecodeOptions,
  terminal: Terminal,
): Promise<{ train: Photographs; validation: Photographs; broken: readonly BrokenImage[] }> {
  if (train.dataset !== validation.dataset) {
    const first = await openPart(train, options, terminal, "reading training photographs");
    const second = await openPart(validation, options, terminal, "reading validation photographs");
    return { train: first.images, validation: second.images, broken: [...first.broken, ...second.broken] };
  }
  const { dataset } = train;
  const together: Part = { dataset, indices: [...train.indices, ...validation.indices] };
  const { store, broken } = await openStore(together, options, terminal, "reading photographs");
  const trains = new Set(train.indices);
  const places = [...store.ids.keys()];
  return {
    train: storedSource(
      store,
      places.filter((place) => trains.has(store.ids[place])),
    ),
    validation: storedSource(
      store,
      places.filter((place) => !trains.has(store.ids[place])),
    ),
    broken,
  };
}

/** Pictures in memory at the network's size: bytes where they are bytes. */
export const pixelSource = (images: LabelledImages): Photographs => {
  const { names, labels, ids, height, width, pixels } = images;
  return hostSource({
    count: labels.length,
    names,
    labels,
    ids,
    height,
    width,
    dtype: pixels instanceof Uint8Array ? "u8" : "f32",
    batch: (indices) => gatherPixels(images, indices),
    pixels: async (index: number) => batchPixels(images, [index]),
    close: async () => undefined,
  });
};
