/** What the embedded backbone learns from: two sets of images as one, and what the teacher sees in each. */
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LabelledImages } from "../../data/datasets.ts";
import { openPetals } from "../../data/loadersPetals.ts";
import { petalSpecies } from "../../data/petals.ts";
import type { Device } from "../../engine/device.ts";
import { computeFeatures } from "../../nn/features.ts";
import { openPart, type Part, splitDataset } from "../dataset.ts";
import { createBackbone } from "../headOnBackbone.ts";
import { readClassifier } from "../model.ts";
import type { Photographs } from "../storedSource.ts";
import type { Terminal } from "../terminal.ts";
import {
  BACKBONE_PETALS_SEED,
  HELD_OUT_SPECIES,
  PETALS_PER_SPECIES,
  type SourceName,
  sourceSizes,
  strictReading,
} from "./recipe.ts";

export interface MaterialPaths {
  /** Photographs in class folders, and the JSON that says which of them train. */
  readonly photographs: string;
  readonly split: string;
}

/** One of the sets; `part` draws or reads its images at whatever size is asked for. */
export interface Source {
  readonly name: SourceName;
  readonly classNames: readonly string[];
  part(size: number): Part;
}

/** Species of `petals` that the backbone may see, as indices. */
export const seenSpecies = (): number[] =>
  petalSpecies.flatMap((name, index) => (HELD_OUT_SPECIES.includes(name) ? [] : [index]));

function petalsPart(size: number): Part {
  const perClass = { train: PETALS_PER_SPECIES, validation: 0, test: 0 };
  const dataset = openPetals({ seed: BACKBONE_PETALS_SEED, size, perClass });
  const seen = seenSpecies();
  return {
    dataset,
    indices: dataset.items.flatMap(({ label }, index) => (seen.includes(label) ? [index] : [])),
  };
}

/** Opens the sets; validation and test parts stay unread. Throws FileError, DataError for what the paths hold. */
export async function openSources({ photographs, split }: MaterialPaths): Promise<readonly Source[]> {
  const flowers = await splitDataset(split, photographs);
  const flowersPart: Part = { dataset: flowers, indices: flowers.parts?.train ?? [] };
  return [
    { name: "photographs", classNames: flowers.classNames, part: () => flowersPart },
    { name: "petals", classNames: petalSpecies, part: petalsPart },
  ];
}

/** Images of all sources behind each other; the classes of the sources stand behind each other too. */
export interface JoinedImages {
  readonly images: LabelledImages;
  /** The class names as `source/class`. */
  readonly classNames: readonly string[];
}

const load = (part: Part, name: SourceName, size: number, terminal: Terminal): Promise<Photographs> =>
  openPart(
    part,
    { ...strictReading, inputSize: [size, size], resize: sourceSizes[name].resize },
    terminal,
    `reading ${name} at ${size} px`,
  ).then(({ images }) => images);

const sha256Of = (content: string | Uint8Array): string => createHash("sha256").update(content).digest("hex");

/** All images at one size, as bytes. */
export async function loadJoined(sources: readonly Source[], size: number, terminal: Terminal): Promise<JoinedImages> {
  const loaded: Photographs[] = [];
  for (const { name, part } of sources) loaded.push(await load(part(size), name, size, terminal));
  const count = loaded.reduce((sum, { labels }) => sum + labels.length, 0);
  const pixels = new Uint8Array(count * size * size * 3);
  const labels = new Int32Array(count);
  const classNames: string[] = [];
  let start = 0;
  for (const [index, images] of loaded.entries()) {
    for (let image = 0; image < images.count; image++)
      pixels.set((await images.pixels(image)).map(Math.round), (start + image) * size * size * 3);
    await images.close();
    labels.set(
      images.labels.map((label) => label + classNames.length),
      start,
    );
    classNames.push(...sources[index].classNames.map((name) => `${sources[index].name}/${name}`));
    start += images.count;
  }
  const names = loaded.flatMap((images) => images.names);
  const ids = Array.from(labels, (_, index) => index);
  return { images: { classNames, names, labels, ids, height: size, width: size, pixels }, classNames };
}

/**
 * The teacher's pooled features of every image, [N, channels], in the order of `loadJoined`. They are kept in `cache` under a
 * name that all they depend on decides, because they cost more than an epoch of training.
 */
export async function teacherFeatures(
  device: Device,
  sources: readonly Source[],
  { teacher, cache, adapter }: { readonly teacher: string; readonly cache: string; readonly adapter: string },
  terminal: Terminal,
): Promise<Float32Array> {
  const teacherHash = sha256Of(await readFile(teacher));
  const parts: Float32Array[] = [];
  for (const source of sources) {
    const size = sourceSizes[source.name].teacher;
    const part = source.part(size);
    const names = part.indices.map((index) => part.dataset.items[index].name);
    const key = JSON.stringify([teacherHash, adapter, size, source.name, BACKBONE_PETALS_SEED, names]);
    const file = join(cache, `${source.name}-${sha256Of(key).slice(0, 16)}.f32`);
    const known = await readFile(file).catch(() => null);
    if (known) {
      parts.push(new Float32Array(known.buffer.slice(known.byteOffset, known.byteOffset + known.byteLength)));
      continue;
    }
    const images = await load(part, source.name, size, terminal);
    const classifier = createBackbone(device, await readClassifier({ weights: teacher, size }));
    const progress = terminal.progress(`teacher sees ${source.name} at ${size} px`, images.labels.length);
    const features = await computeFeatures(classifier, images, {
      onProgress: (done) => progress.update(done),
    });
    progress.finish();
    await Promise.all([classifier.dispose(), images.close()]);
    await mkdir(cache, { recursive: true });
    await writeFile(`${file}.tmp`, new Uint8Array(features.buffer));
    await rename(`${file}.tmp`, file);
    parts.push(features);
  }
  return joinFloats(parts);
}

function joinFloats(parts: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let start = 0;
  for (const part of parts) {
    joined.set(part, start);
    start += part.length;
  }
  return joined;
}
