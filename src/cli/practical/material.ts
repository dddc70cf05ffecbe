/** What the practical works on: photographs from class folders, or `petals`, drawn here. */
import { type LabelledImages, selectImages } from "../../data/datasets.ts";
import { type BrokenImage, listedFiles, readSplitFile, scanClassFolders } from "../../data/folders.node.ts";
import { petalsDataset } from "../../data/petals.ts";
import { stratifiedSplit } from "../../data/splits.ts";
import { type DecodeOptions, loadPart } from "../dataset.ts";
import type { Terminal } from "../terminal.ts";

export interface Material {
  readonly name: string;
  readonly classNames: readonly string[];
  readonly train: LabelledImages;
  readonly validation: LabelledImages;
  readonly test: LabelledImages;
  /** [N, H, W], 255 on the flower, for each test image; only where it is known. */
  readonly testMasks?: Uint8Array;
  readonly broken: readonly BrokenImage[];
}

/** Edge of a drawn flower in pixels, and how many of each species are drawn. */
const petalsSize = 64;
export const petalsPerClass = { train: 150, validation: 25, test: 40 } as const;

/** Shares of the photographs that validate and test when no split file says so. */
const shares = { validation: 0.15, test: 0.15 };

export function drawPetals(seed: number, terminal: Terminal): Material {
  const species = 10;
  const total = species * (petalsPerClass.train + petalsPerClass.validation + petalsPerClass.test);
  const progress = terminal.progress("drawing petals", total);
  let drawn = 0;
  const { classNames, size, parts } = petalsDataset({
    seed,
    size: petalsSize,
    perClass: petalsPerClass,
    onImage: () => progress.update(++drawn),
  });
  progress.finish();
  const part = ({ names, labels, pixels }: (typeof parts)["train"]): LabelledImages => ({
    classNames,
    names,
    labels,
    height: size,
    width: size,
    pixels,
  });
  return {
    name: "petals, drawn by the program",
    classNames,
    train: part(parts.train),
    validation: part(parts.validation),
    test: part(parts.test),
    testMasks: parts.test.masks,
    broken: [],
  };
}

/**
 * Photographs of a folder by a split file, or by a stratified split from the seed. Without test files in the split, the
 * validation photographs are halved: what chose the epoch must not measure it.
 * @throws DataError, FileError naming what is wrong; a broken photograph is skipped and listed.
 */
export async function loadPhotographs(
  { data, split, seed }: { readonly data: string; readonly split?: string; readonly seed: number },
  options: DecodeOptions,
  terminal: Terminal,
): Promise<Material> {
  const { classNames, paths } =
    split === undefined ? await splitBySeed(data, seed) : await splitByFile(data, split, seed);
  const load = (part: "train" | "validation" | "test") =>
    loadPart(
      { folder: data, folders: listedFiles(classNames, paths[part]) },
      options,
      terminal,
      `reading ${part} photographs`,
    );
  const [train, validation, test] = [await load("train"), await load("validation"), await load("test")];
  return {
    name: data,
    classNames,
    train: train.images,
    validation: validation.images,
    test: test.images,
    broken: [...train.broken, ...validation.broken, ...test.broken],
  };
}

interface Parts {
  readonly classNames: string[];
  readonly paths: Record<"train" | "validation" | "test", string[]>;
}

async function splitBySeed(data: string, seed: number): Promise<Parts> {
  const { classNames, files } = await scanClassFolders(data);
  const indices = stratifiedSplit(
    files.map(({ label }) => label),
    { ...shares, seed },
  );
  const pathsOf = (chosen: readonly number[]) => chosen.map((index) => files[index].path);
  return {
    classNames,
    paths: { train: pathsOf(indices.train), validation: pathsOf(indices.validation), test: pathsOf(indices.test) },
  };
}

async function splitByFile(data: string, file: string, seed: number): Promise<Parts> {
  const { classes, train, validation, test } = await readSplitFile(file, data);
  if (test.length > 0) return { classNames: classes, paths: { train, validation, test } };
  const labels = listedFiles(classes, validation).files.map(({ label }) => label);
  const halves = stratifiedSplit(labels, { validation: 0, test: 0.5, seed });
  const pathsOf = (chosen: readonly number[]) => chosen.map((index) => validation[index]);
  return { classNames: classes, paths: { train, validation: pathsOf(halves.train), test: pathsOf(halves.test) } };
}

/** One image of a part as bytes. */
export function imageOf(
  images: LabelledImages,
  index: number,
): { height: number; width: number; data: Uint8Array<ArrayBuffer> } {
  const { height, width, pixels } = selectImages(images, [index]);
  return { height, width, data: Uint8Array.from(pixels, Math.round) };
}
