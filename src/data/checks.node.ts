/** What is said of a data set before anybody trains on it: counts, sizes, broken images, duplicates, and what looks wrong. */
import type { ImageFacts } from "./decodeJob.node.ts";
import { createInspector } from "./decodePool.node.ts";
import { type ImageContent, type ImageDataset, PART_NAMES, type PartName } from "./loaders.ts";
import { type BrokenImage, MAX_BROKEN } from "./loadImages.node.ts";

/** Least, middle and most of something over all readable images. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export interface ClassCount {
  readonly name: string;
  readonly total: number;
  /** Absent without parts. */
  readonly parts?: Partial<Readonly<Record<PartName, number>>>;
}

/** Images of the same picture. */
export interface DuplicateGroup {
  /** `bytes`: the files are equal; `pixels`: only what they decode to. */
  readonly by: "bytes" | "pixels";
  readonly names: readonly string[];
  /** The part of each, null where it is in none. */
  readonly parts: readonly (PartName | null)[];
  readonly labels: readonly string[];
  /** Whether they lie in different parts: the test would measure what was trained on. */
  readonly acrossParts: boolean;
}

export interface DatasetChecks {
  readonly name: string;
  readonly images: number;
  readonly classes: readonly ClassCount[];
  /** Images of each part; null without parts. */
  readonly parts: Partial<Readonly<Record<PartName, number>>> | null;
  /** Images that are in no part, where there are parts. */
  readonly unused: number;
  readonly width: Spread | null;
  readonly height: Spread | null;
  readonly bytes: Spread | null;
  readonly broken: readonly BrokenImage[];
  /** Whether more than 5 % are broken: such a data set is not used. */
  readonly tooManyBroken: boolean;
  readonly duplicates: readonly DuplicateGroup[];
  readonly warnings: readonly string[];
}

export interface CheckOptions {
  readonly threads?: number;
  onProgress?(done: number, total: number): void;
}

function spread(values: readonly number[]): Spread | null {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { min: sorted[0], median, max: sorted[sorted.length - 1] };
}

/** The part of each image; null where it is in none. */
function partsOf({ items, parts }: ImageDataset): (PartName | null)[] {
  const found = new Array<PartName | null>(items.length).fill(null);
  for (const name of PART_NAMES) for (const index of parts?.[name] ?? []) found[index] = name;
  return found;
}

/** Decodes every image once. */
async function inspectAll(dataset: ImageDataset, { threads, onProgress }: CheckOptions) {
  const facts = new Map<number, ImageFacts>();
  const broken = new Map<number, string>();
  const asked: number[] = [];
  async function* contents(): AsyncGenerator<ImageContent> {
    for await (const { index, content } of dataset.read(dataset.items.map((_, index) => index))) {
      asked.push(index);
      yield content;
    }
  }
  const inspector = createInspector({ threads });
  try {
    let done = 0;
    for await (const result of inspector.inspect(contents())) {
      const index = asked[done++];
      if ("error" in result) broken.set(index, result.error.message);
      else facts.set(index, result.facts);
      onProgress?.(done, dataset.items.length);
    }
  } finally {
    await inspector.close();
  }
  dataset.items.forEach(({ name }, index) => {
    if (!facts.has(index) && !broken.has(index))
      broken.set(index, `${name}: expected it in ${dataset.name}, found none; download the archive again`);
  });
  return { facts, broken };
}

function findDuplicates(
  { items, classNames }: ImageDataset,
  facts: ReadonlyMap<number, ImageFacts>,
  parts: readonly (PartName | null)[],
): DuplicateGroup[] {
  const groups = new Map<string, number[]>();
  for (const [index, { pixelHash }] of facts) groups.set(pixelHash, [...(groups.get(pixelHash) ?? []), index]);
  return [...groups.values()]
    .filter((group) => group.length > 1)
    .map((group) => group.sort((a, b) => a - b))
    .sort(([a], [b]) => a - b)
    .map((group) => ({
      by: new Set(group.map((index) => facts.get(index)!.fileHash)).size === 1 ? "bytes" : "pixels",
      names: group.map((index) => items[index].name),
      parts: group.map((index) => parts[index]),
      labels: group.map((index) => classNames[items[index].label]),
      acrossParts: new Set(group.map((index) => parts[index]).filter(Boolean)).size > 1,
    }));
}

function countClasses({ items, classNames, parts }: ImageDataset, partOf: readonly (PartName | null)[]): ClassCount[] {
  const present = PART_NAMES.filter((name) => parts?.[name]);
  const counts = classNames.map((name) => ({
    name,
    total: 0,
    parts: Object.fromEntries(present.map((part) => [part, 0])),
  }));
  items.forEach(({ label }, index) => {
    counts[label].total++;
    const part = partOf[index];
    if (part) counts[label].parts[part]++;
  });
  return counts.map(({ parts: perPart, ...count }) => (parts ? { ...count, parts: perPart } : count));
}

const countOf = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

const listed = (names: readonly string[]): string =>
  names.length > 5 ? `${names.slice(0, 5).join(", ")} and ${names.length - 5} more` : names.join(", ");

/** Classes with this many times the images of another make accuracy say little. */
const IMBALANCE = 10;

function classWarnings(classes: readonly ClassCount[], hasParts: boolean): string[] {
  const warnings: string[] = [];
  const untrained = classes
    .filter(({ total, parts }) => (hasParts ? parts?.train : total) === 0)
    .map(({ name }) => name);
  if (untrained.length > 0) warnings.push(`nothing to train on in ${listed(untrained)}`);
  const sizes = classes.map(({ total, parts }) => (hasParts ? (parts?.train ?? 0) : total)).filter((size) => size > 0);
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
  if (most > IMBALANCE * least)
    warnings.push(
      `the largest class has ${most} images to train on, the smallest ${least}; accuracy will mostly measure the large ones`,
    );
  return warnings;
}

function duplicateWarnings(duplicates: readonly DuplicateGroup[]): string[] {
  const warnings: string[] = [];
  const across = duplicates.filter(({ acrossParts }) => acrossParts);
  if (across.length > 0)
    warnings.push(
      `${countOf(across.length, "picture")} in more than one part, e.g. ${across[0].names.join(" = ")}; the measured accuracy would be too high`,
    );
  const mislabelled = duplicates.filter(({ labels }) => new Set(labels).size > 1);
  if (mislabelled.length > 0)
    warnings.push(
      `${countOf(mislabelled.length, "picture")} under different classes, e.g. ${mislabelled[0].names.join(" = ")}`,
    );
  return warnings;
}

/** `train=5000`: how many images of a part somebody means to use. */
export interface Request {
  readonly part: PartName;
  readonly count: number;
}

/** What is wrong with requests: a part that the data set has not, or more images than it has, which readers give silently. */
export function requestWarnings({ parts, items }: ImageDataset, requests: readonly Request[]): string[] {
  return requests.flatMap(({ part, count }) => {
    const available = parts ? parts[part]?.length : part === "train" ? items.length : undefined;
    if (available === undefined) return [`${count} images of ${part} were asked for, but there is no such part`];
    return count > available
      ? [`${count} images of ${part} were asked for, but it has ${available}: all of them will be used`]
      : [];
  });
}

/**
 * Checks a data set: decodes every image once, on threads.
 * @throws what reading the data set throws; a broken image is listed, not thrown
 */
export async function checkDataset(dataset: ImageDataset, options: CheckOptions = {}): Promise<DatasetChecks> {
  const partOf = partsOf(dataset);
  const { facts, broken } = await inspectAll(dataset, options);
  const duplicates = findDuplicates(dataset, facts, partOf);
  const classes = countClasses(dataset, partOf);
  const all = [...facts.values()];
  const { parts, items } = dataset;
  return {
    name: dataset.name,
    images: items.length,
    classes,
    parts: parts
      ? Object.fromEntries(PART_NAMES.flatMap((name) => (parts[name] ? [[name, parts[name].length]] : [])))
      : null,
    unused: parts ? partOf.filter((part) => part === null).length : 0,
    width: spread(all.map(({ width }) => width)),
    height: spread(all.map(({ height }) => height)),
    bytes: spread(all.map(({ bytes }) => bytes)),
    broken: [...broken].sort(([a], [b]) => a - b).map(([index, reason]) => ({ path: items[index].name, reason })),
    tooManyBroken: broken.size > MAX_BROKEN * items.length,
    duplicates,
    warnings: [...classWarnings(classes, parts !== undefined), ...duplicateWarnings(duplicates)],
  };
}
