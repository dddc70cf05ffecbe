/** `petals` as a data set like the others: each flower is drawn when it is read. */
import type { DatasetItem, ImageDataset } from "./loaders.ts";
import { PART_NAMES, type PartName } from "./loaders.ts";
import { petalName, petalSpecies, renderPetal } from "./petals.ts";
import type { PetalShortcut } from "./petals-shortcut.ts";

export interface PetalsSettings {
  readonly seed: number;
  /** Edge in pixels; default 64. A network with larger images gets them drawn at its own size. */
  readonly size?: number;
  /** Flowers of each of the ten species. */
  readonly perClass?: Readonly<Record<PartName, number>>;
  /** Something beside the flower that betrays the species; none when left out. */
  readonly shortcut?: PetalShortcut;
}

const defaultPerClass = { train: 150, validation: 25, test: 40 } as const;

/** Opens `petals`. Throws DataError, when it is read, for an impossible size. */
export function openPetals({ seed, size = 64, perClass = defaultPerClass, shortcut }: PetalsSettings): ImageDataset {
  const species = petalSpecies.length;
  const places: { part: PartName; index: number }[] = PART_NAMES.flatMap((part) =>
    Array.from({ length: perClass[part] * species }, (_, index) => ({ part, index })),
  );
  const items: DatasetItem[] = places.map(({ part, index }) => ({
    name: petalName(part, index),
    label: index % species,
  }));
  const indicesOf = (part: PartName): number[] =>
    places.flatMap((place, index) => (place.part === part ? [index] : []));
  return {
    name: "petals",
    classNames: [...petalSpecies],
    items,
    parts: { train: indicesOf("train"), validation: indicesOf("validation"), test: indicesOf("test") },
    imageSize: { height: size, width: size },
    async *read(chosen, edge = size) {
      for (const index of chosen) {
        const { image } = renderPetal({
          seed,
          size: Math.max(size, edge),
          shortcut,
          species: items[index].label,
          ...places[index],
        });
        yield { index, content: { name: items[index].name, image } };
      }
    },
  };
}
