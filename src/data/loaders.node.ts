/** Opens a data set by name or by place. */
import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DataError, FileError } from "../engine/errors.ts";
import { openCifar10 } from "./cifar10.node.ts";
import { openFlowers102 } from "./flowers102.node.ts";
import { folderDataset, scanClassFolders } from "./folders.node.ts";
import { listClasses, parseList } from "./listFile.ts";
import { type ImageDataset, PART_NAMES } from "./loaders.ts";
import { openPetals } from "./loadersPetals.ts";

export interface OpenOptions {
  /** The folder of a named data set's files, or that a list's paths start from (else the list's own folder). */
  readonly root?: string;
  /** Decides the drawings of `petals`. */
  readonly seed?: number;
}

const MAX_LIST_BYTES = 64 * 2 ** 20;

const named: Readonly<Record<string, (options: OpenOptions) => Promise<ImageDataset>>> = {
  flowers102: ({ root }) => openFlowers102(rootOf("flowers102", root, "102flowers.tgz, imagelabels.mat and setid.mat")),
  cifar10: ({ root }) => openCifar10(rootOf("cifar10", root, "cifar-10-binary.tar.gz")),
  petals: async ({ seed = 1 }) => openPetals({ seed }),
};

/** The names that `openDataset` knows. A folder of such a name is opened by writing `./` before it. */
export const DATASET_NAMES: readonly string[] = Object.keys(named);

function rootOf(name: string, root: string | undefined, files: string): string {
  if (root === undefined)
    throw new DataError(`${name}: expected --root, the folder with ${files}, found none; give --root DIR`);
  return root;
}

/**
 * Opens a data set: `flowers102`, `cifar10` or `petals`, a folder of class folders, or a list file (.csv, or lines `path label`).
 * @throws DataError, FileError naming what is missing or damaged
 */
export async function openDataset(data: string, options: OpenOptions = {}): Promise<ImageDataset> {
  if (Object.hasOwn(named, data)) return named[data](options);
  const info = await stat(data).catch(() => null);
  if (!info)
    throw new FileError(
      `${data}: expected ${DATASET_NAMES.join(", ")}, a folder or a list file, found no such file; check the path`,
    );
  if (info.isDirectory()) return folderDataset(data, await scanClassFolders(data));
  return openList(data, info.size, options.root ?? dirname(data));
}

async function openList(path: string, size: number, root: string): Promise<ImageDataset> {
  if (size > MAX_LIST_BYTES)
    throw new FileError(`${path}: expected a list of at most ${MAX_LIST_BYTES} bytes, found ${size}; split it`);
  const images = parseList(await readFile(path, "utf8"), path);
  const classNames = listClasses(images);
  const places = new Map(classNames.map((name, place) => [name, place]));
  const items = images.map((image) => ({ name: image.path, label: places.get(image.label)! }));
  const withPart = images.filter(({ part }) => part).length;
  if (withPart !== 0 && withPart !== images.length)
    throw new FileError(
      `${path}: expected a split in every line or in none, found it in ${withPart} of ${images.length}; complete the list`,
    );
  const indicesOf = (name: string): number[] => images.flatMap(({ part }, index) => (part === name ? [index] : []));
  return {
    name: path,
    classNames,
    items,
    ...(withPart > 0 ? { parts: Object.fromEntries(PART_NAMES.map((name) => [name, indicesOf(name)])) } : {}),
    async *read(chosen) {
      for (const index of chosen) yield { index, content: join(root, items[index].name) };
    },
  };
}
