import type { PartName } from "../../data/loaders.ts";
import { petalSpecies, petalsDataset } from "../../data/petals.ts";
import type { ResizeMode } from "../../data/resize.ts";
import { DataError } from "../../engine/errors.ts";
import type { Classifier } from "../../nn/classifier.ts";
import { argmaxOfRow } from "../../nn/metrics.ts";
import type { Mask } from "../../xai/evidence/location.ts";
import { alignClasses, type DataChoice, openChoice, openPart, type Part, pixelSource, wholePart } from "../dataset.ts";
import type { Photographs } from "../storedSource.ts";
import type { Terminal } from "../terminal.ts";

/** An image to judge maps on. */
export interface BenchImage {
  readonly name: string;
  /** [H, W, 3] of 0 to 255. */
  readonly pixels: Float32Array;
  /** The class that is explained: the predicted one. */
  readonly predicted: number;
  /** The true class where the data set has the model's classes, else the predicted one. */
  readonly label: number;
  /** Of the object, where it is known. */
  readonly mask?: Mask;
}

/** Drawn flowers with the blossoms' masks [N, H, W]. */
type Petals = Photographs & { readonly masks?: Uint8Array };

/**
 * The first test images of `petals`, at a model's size.
 * @throws DataError for a size that is not square
 */
export function drawTestPetals(seed: number, [height, width]: readonly [number, number], count: number): Petals {
  if (height !== width) throw new DataError(`petals are square, the model takes ${height} × ${width}; give --data`);
  const perClass = { train: 0, validation: 0, test: Math.ceil(count / petalSpecies.length) };
  const { classNames, parts } = petalsDataset({ seed, size: height, perClass });
  const { masks, ...images } = parts.test;
  const ids = images.names.map((_, index) => index);
  return { ...pixelSource({ classNames, ids, height, width, ...images }), masks };
}

/** The first `count` flowers, one species after the other, with their masks. */
export async function petalImages(classifier: Classifier, test: Petals, count: number): Promise<BenchImage[]> {
  const { height, width, masks } = test;
  const indices = Array.from({ length: Math.min(count, test.labels.length) }, (_, index) => index);
  const pixels = await Promise.all(indices.map((index) => test.pixels(index)));
  const predicted = await predictedClasses(classifier, pixels);
  return indices.map((index) => ({
    name: test.names[index],
    pixels: pixels[index],
    predicted: predicted[index],
    label: test.labels[index],
    ...(masks
      ? { mask: { values: masks.subarray(index * height * width, (index + 1) * height * width), height, width } }
      : {}),
  }));
}

/** Images of a data set, spread evenly over its test part, or validation part, or all of it. */
export async function dataImages(
  classifier: Classifier,
  choice: DataChoice,
  count: number,
  terminal: Terminal,
): Promise<BenchImage[]> {
  const dataset = await openChoice(choice);
  const kept = (["test", "validation"] as PartName[]).map((name) => dataset.parts?.[name]).find((part) => part?.length);
  const whole: Part = kept ? { dataset, indices: kept } : wholePart(dataset);
  const names = classifier.classNames;
  const comparable =
    names !== null && names.length === dataset.classNames.length && names.every((n) => dataset.classNames.includes(n));
  const part = comparable ? alignClasses(whole, names) : whole;
  const step = part.indices.length / Math.min(count, part.indices.length);
  const indices = Array.from(
    { length: Math.min(count, part.indices.length) },
    (_, k) => part.indices[Math.floor(k * step)],
  );
  const resize = classifier.preprocessing.resize as ResizeMode;
  const options = { inputSize: classifier.inputSize, resize, strict: false, cacheLimit: 1024, memory: 1024 };
  const { images } = await openPart({ ...part, indices }, options, terminal, "reading photographs");
  const pixels = await Promise.all(images.names.map((_, index) => images.pixels(index)));
  await images.close();
  const predicted = await predictedClasses(classifier, pixels);
  return images.names.map((name, index) => ({
    name,
    pixels: pixels[index],
    predicted: predicted[index],
    label: comparable ? images.labels[index] : predicted[index],
  }));
}

/** The likeliest class of each image. */
export async function predictedClasses(classifier: Classifier, images: readonly Float32Array[]): Promise<number[]> {
  const predicted: number[] = [];
  for (const pixels of images) {
    const { logits, classes } = await classifier.predict(pixels);
    predicted.push(argmaxOfRow(logits, 0, classes));
  }
  return predicted;
}
