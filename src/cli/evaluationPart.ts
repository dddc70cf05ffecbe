/** Which images a trained model is measured on. */
import type { ImageDataset, PartName } from "../data/loaders.ts";
import { DataError, UsageError } from "../engine/errors.ts";
import type { ModelManifest } from "../nn/formats/manifest.ts";
import { alignClasses, type DataChoice, namedPart, openChoice, type Part, wholePart } from "./dataset.ts";

export interface EvaluationChoice extends Omit<DataChoice, "seed"> {
  readonly part?: PartName;
}

/** The images to measure on, labelled in the model's order of classes. */
export async function choosePart(manifest: ModelManifest, { part, ...choice }: EvaluationChoice): Promise<Part> {
  const dataset = await openChoice({ ...choice, seed: manifest.seed });
  return alignClasses(selectPart(dataset, manifest.splits, part), manifest.classNames, choice.split ?? choice.data);
}

/**
 * Without parts of its own and without `--part`, the whole data set; else the part that the data set names, or, where it names
 * none for validation, that of the model's training. The test part is only read when it is asked for.
 */
function selectPart(dataset: ImageDataset, splits: ModelManifest["splits"], part: PartName | undefined): Part {
  const { parts } = dataset;
  if (!parts && part === undefined) return wholePart(dataset);
  const name = part ?? "validation";
  const isCut = parts !== undefined && parts.validation === undefined && name !== "test";
  const indices = isCut ? undefined : parts?.[name];
  const names = splits?.[name];
  if (indices === undefined && names === undefined)
    throw new UsageError(
      "--part needs the split that the model was trained with, but it names none; give --split FILE",
    );
  const chosen = indices ? { dataset, indices } : namedPart(dataset, names as readonly string[]);
  if (chosen.indices.length === 0)
    throw new DataError(`expected photographs in the part "${name}", found none; choose another --part`);
  return chosen;
}
