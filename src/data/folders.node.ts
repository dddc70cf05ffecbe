/** Data sets of photographs in class folders: `DIR/<class>/<photograph>`. */
import type { Dirent } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { DataError, FileError } from "../engine/errors.ts";
import type { ImageDataset } from "./loaders.ts";
import { type LoadedDataset, type LoadOptions, loadImages } from "./loadImages.node.ts";
import { type FileSplit, labelsOf, parseSplit } from "./splits.ts";

/** A photograph: path relative to the data folder with `/`, and the index of its class. */
export interface ClassFile {
  path: string;
  label: number;
}

export interface ClassFolders {
  classNames: string[];
  files: ClassFile[];
}

const EXTENSIONS = new Set([".jpg", ".jpeg", ".png", ".webp"]);

/** Plain code-unit order: the same on every machine, unlike a locale's. */
const inOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

async function listFolder(folder: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => !entry.name.startsWith(".")).sort((a, b) => inOrder(a.name, b.name));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const found =
      code === "ENOENT" ? "there is none" : code === "ENOTDIR" ? "it is a file" : `it is unreadable (${code})`;
    throw new DataError(`${folder}: expected a folder of class folders, but ${found}; check the path`, { cause });
  }
}

/**
 * The classes (folders, by name) and photographs (.jpg, .jpeg, .png, .webp) of a data folder; hidden files are skipped.
 * @throws DataError when the folder is missing, has no class folders, or has a class without photographs
 */
export async function scanClassFolders(folder: string): Promise<ClassFolders> {
  const isFolder = (entry: Dirent) => entry.isDirectory() || entry.isSymbolicLink();
  const classNames = (await listFolder(folder)).filter(isFolder).map((entry) => entry.name);
  if (classNames.length === 0) {
    throw new DataError(`${folder}: expected one folder a class, found none; put photographs in DIR/<class>/`);
  }
  const files: ClassFile[] = [];
  const empty: string[] = [];
  for (const [label, className] of classNames.entries()) {
    const entries = await listFolder(join(folder, className));
    const photographs = entries.filter(
      (entry) => !entry.isDirectory() && EXTENSIONS.has(extname(entry.name).toLowerCase()),
    );
    if (photographs.length === 0) empty.push(className);
    for (const { name } of photographs) files.push({ path: `${className}/${name}`, label });
  }
  if (empty.length > 0) {
    throw new DataError(
      `${folder}: no photographs in ${listNames(empty)}; add .jpg, .png or .webp files or remove the folders`,
    );
  }
  return { classNames, files };
}

/**
 * Reads a split file (see `parseSplit`) and checks that its photographs are there.
 * @throws FileError when the file is missing or malformed; DataError naming listed photographs that are not in `folder`
 */
export async function readSplitFile(path: string, folder: string): Promise<FileSplit> {
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new FileError(`${path}: expected a split file, but it cannot be read (${cause.code}); check the path`, {
      cause,
    });
  });
  const split = parseSplit(text, path);
  const present = new Set<string>();
  for (const className of split.classes) {
    for (const entry of await listFolder(join(folder, className))) present.add(`${className}/${entry.name}`);
  }
  const missing = [...split.train, ...split.validation, ...split.test].filter((file) => !present.has(file));
  if (missing.length > 0) {
    throw new DataError(
      `${path}: ${missing.length} of its files are not in ${folder}: ${listNames(missing)}; check --data`,
    );
  }
  return split;
}

function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(", ");
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

export type { BrokenImage, LoadedDataset, LoadOptions } from "./loadImages.node.ts";

/** Photographs in class folders as a data set without parts. */
export function folderDataset(folder: string, { classNames, files }: ClassFolders): ImageDataset {
  return {
    name: folder,
    classNames,
    items: files.map(({ path, label }) => ({ name: path, label })),
    async *read(indices) {
      for (const index of indices) yield { index, content: join(folder, files[index].path) };
    },
  };
}

/**
 * Decodes all photographs of a data folder. Broken ones are skipped and returned by name.
 * Pixels are bytes where the resize gives whole numbers (`aspect`), floats otherwise.
 * @throws DataError when more than 5 % are broken; with `strict`, FileError at the first
 */
export async function loadDataset(folder: string, options: LoadOptions): Promise<LoadedDataset> {
  return loadFiles(folder, await scanClassFolders(folder), options);
}

/** The listed files with their labels, for `loadFiles`. */
export function listedFiles(classNames: string[], paths: readonly string[]): ClassFolders {
  const labels = labelsOf(paths, classNames);
  return { classNames, files: paths.map((path, index) => ({ path, label: labels[index] })) };
}

/** Like `loadDataset`, for files chosen by the caller, e.g. one part of a split. */
export function loadFiles(folder: string, folders: ClassFolders, options: LoadOptions): Promise<LoadedDataset> {
  const dataset = folderDataset(folder, folders);
  return loadImages(
    dataset,
    dataset.items.map((_, index) => index),
    options,
  );
}
