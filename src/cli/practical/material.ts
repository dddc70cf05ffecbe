/** What the practical works on: photographs from class folders, or `petals`, drawn here. */
import type { LabelledImages } from "../../data/datasets.ts";
import { type Image, toImage } from "../../data/images.ts";
import type { ImageDataset, PartName } from "../../data/loaders.ts";
import type { BrokenImage } from "../../data/loadImages.node.ts";
import { petalsDataset } from "../../data/petals.ts";
import type { PetalShortcut } from "../../data/petals-shortcut.ts";
import { stratifiedSplit } from "../../data/splits.ts";
import {
  cutPart,
  type DataChoice,
  type DecodeOptions,
  openChoice,
  openPart,
  type Part,
  pixelSource,
} from "../dataset.ts";
import type { Photographs } from "../storedSource.ts";
import type { Terminal } from "../terminal.ts";

export interface Material {
  readonly name: string;
  readonly classNames: readonly string[];
  readonly train: Photographs;
  readonly validation: Photographs;
  readonly test: Photographs;
  /** [N, H, W], 255 on the flower, for each test image; only where it is known. */
  readonly testMasks?: Uint8Array;
  /** The same for what betrays the class, where the images were drawn with such a shortcut. */
  readonly testShortcutMasks?: Uint8Array;
  readonly broken: readonly BrokenImage[];
}

/** Edge of a drawn flower in pixels, and how many of each species are drawn. */
export const petalsSize = 64;
export const petalsPerClass: PetalCounts = { train: 150, validation: 25, test: 40 };
export type PetalCounts = Readonly<Record<PartName, number>>;

export interface PetalsChoice {
  /** What betrays the species in every image; none when left out. */
  readonly shortcut?: PetalShortcut;
  /** Edge in pixels; default 64. */
  readonly size?: number;
  readonly perClass?: PetalCounts;
}

/** Shares of the photographs that validate and test when no split file says so. */
const shares = { validation: 0.15, test: 0.15 };

/** Flowers of every species, from a seed. */
export function drawPetals(
  seed: number,
  terminal: Terminal,
  { shortcut, size: edge = petalsSize, perClass = petalsPerClass }: PetalsChoice = {},
): Material {
  const species = 10;
  const total = species * (perClass.train + perClass.validation + perClass.test);
  const progress = terminal.progress("drawing petals", total);
  let drawn = 0;
  const { classNames, size, parts } = petalsDataset({
    seed,
    size: edge,
    perClass,
    shortcut,
    onImage: () => progress.update(++drawn),
  });
  progress.finish();
  const part = ({ names, labels, pixels }: (typeof parts)["train"]): Photographs => {
    const images: LabelledImages = {
      classNames: [...classNames],
      names,
      labels,
      ids: names.map((_, index) => index),
      height: size,
      width: size,
      pixels,
    };
    return pixelSource(images);
  };
  return {
    name: "petals, drawn by the program",
    classNames,
    train: part(parts.train),
    validation: part(parts.validation),
    test: part(parts.test),
    testMasks: parts.test.masks,
    testShortcutMasks: parts.test.shortcutMasks,
    broken: [],
  };
}

/**
 * Images by the parts of a split file or of the data set, or by a stratified split from the seed. Where no part is kept for the
 * test, the validation images are halved: what chose the epoch must not measure it.
 * @throws DataError, FileError naming what is wrong; a broken photograph is skipped and listed.
 */
export async function loadPhotographs(
  choice: DataChoice,
  options: DecodeOptions,
  terminal: Terminal,
): Promise<Material> {
  const dataset = await openChoice(choice);
  const parts = chooseParts(dataset, choice.seed);
  const load = (name: PartName) => openPart(parts[name], options, terminal, `reading ${name} photographs`);
  const [train, validation, test] = [await load("train"), await load("validation"), await load("test")];
  return {
    name: choice.data,
    classNames: dataset.classNames,
    train: train.images,
    validation: validation.images,
    test: test.images,
    broken: [...train.broken, ...validation.broken, ...test.broken],
  };
}

/** The images of each part: official ones, else cut from the seed; none is read yet. */
export function chooseParts(dataset: ImageDataset, seed: number): Readonly<Record<PartName, Part>> {
  const { parts } = dataset;
  const has = (name: PartName): boolean => (parts?.[name]?.length ?? 0) > 0;
  const official = (name: PartName): Part => ({ dataset, indices: parts?.[name] ?? [] });
  if (!has("train")) return splitBySeed(dataset, seed);
  if (has("validation") && has("test"))
    return { train: official("train"), validation: official("validation"), test: official("test") };
  if (has("test")) {
    const [train, validation] = cutPart(official("train"), shares.validation, seed);
    return { train, validation, test: official("test") };
  }
  const { indices } = official("validation");
  const labels = indices.map((index) => dataset.items[index].label);
  const halves = stratifiedSplit(labels, { validation: 0, test: 0.5, seed });
  const choose = (places: readonly number[]): Part => ({ dataset, indices: places.map((place) => indices[place]) });
  return { train: official("train"), validation: choose(halves.train), test: choose(halves.test) };
}

function splitBySeed(dataset: ImageDataset, seed: number): Readonly<Record<PartName, Part>> {
  const split = stratifiedSplit(
    dataset.items.map(({ label }) => label),
    { ...shares, seed },
  );
  const choose = (indices: readonly number[]): Part => ({ dataset, indices });
  return { train: choose(split.train), validation: choose(split.validation), test: choose(split.test) };
}

/** One image of a part as bytes. */
export const imageOf = async (images: Photographs, index: number): Promise<Image> =>
  toImage(await images.pixels(index), images);
