/** Measures models on corrupted images: every family at every severity, all models on the very same bytes. */
import { Corrupter } from "../../data/corruptions/corrupter.ts";
import { Corruption, corruptionFamily } from "../../data/corruptions/corruption.ts";
import { jpegRoundTrip } from "../../data/corruptions/jpeg.node.ts";
import { gatherPixels, type LabelledImages } from "../../data/datasets.ts";
import type { Device } from "../../engine/device.ts";
import { DataError, UsageError } from "../../engine/errors.ts";
import type { Classifier, Pixels } from "../../nn/classifier.ts";
import { type CorruptionErrors, corruptionErrors, mceInterval } from "../../nn/corruptionError.ts";
import { correctAnswers } from "../../nn/errorAnalysis.ts";
import type { RobustnessResult } from "../../report/robustness.ts";

export interface NamedClassifier {
  readonly name: string;
  readonly classifier: Classifier;
}

export interface RobustnessOptions {
  readonly corruptions: readonly string[];
  /** Ascending, of 1 to 5. */
  readonly severities: readonly number[];
  /** Decides what is drawn for each image. */
  readonly seed: number;
  readonly onProgress?: (done: number, total: number, corruption: string) => void;
  /** Gives what was kept under a name, or else what `measure` gives, and keeps that; by default nothing is kept. */
  readonly keep?: (name: string, measure: () => Promise<Answers>) => Promise<Answers>;
}

/** Plain data: 1 for each image that a model answered rightly, else 0; by severity, model and image. */
export type Answers = readonly (readonly (readonly number[])[])[];

/** Images that are corrupted and classified together. */
const batchSize = 32;

type Classify = (pixels: Pixels, labels: Int32Array) => Promise<Uint8Array[]>;

/** Which images each model answers rightly. */
const answersOf =
  (models: readonly NamedClassifier[]): Classify =>
  async (pixels, labels) => {
    const answers: Uint8Array[] = [];
    for (const { classifier } of models) {
      const { logits, classes } = await classifier.predict(pixels);
      answers.push(correctAnswers(logits, labels, classes));
    }
    return answers;
  };

/** The images in batches through `change` and all models; one list of answers a model. */
async function measure(
  images: LabelledImages,
  models: readonly NamedClassifier[],
  change: (pixels: Pixels, ids: readonly number[]) => Promise<Pixels>,
  onBatch: (count: number) => void,
): Promise<Uint8Array[]> {
  const total = images.labels.length;
  const answer = answersOf(models);
  const results = models.map(() => new Uint8Array(total));
  for (let start = 0; start < total; start += batchSize) {
    const indices = Array.from({ length: Math.min(batchSize, total - start) }, (_, place) => start + place);
    const pixels = await change(
      gatherPixels(images, indices),
      indices.map((index) => images.ids[index]),
    );
    const labels = Int32Array.from(indices, (index) => images.labels[index]);
    (await answer(pixels, labels)).forEach((right, model) => {
      results[model].set(right, start);
    });
    onBatch(indices.length);
  }
  return results;
}

function checkModels(models: readonly NamedClassifier[], images: LabelledImages): void {
  if (images.labels.length === 0) throw new DataError("expected at least one image to corrupt, found none");
  for (const { name, classifier } of models) {
    const [height, width] = classifier.inputSize;
    if (height !== images.height || width !== images.width)
      throw new UsageError(
        `${name} reads ${height}×${width} pixels, the images have ${images.height}×${images.width}; compare models of one input size`,
      );
  }
}

/**
 * Which images each model answers wrongly, clean and corrupted.
 * @throws UsageError for models of different input sizes; DataError for unknown corruptions or without images
 */
export async function measureErrors(
  device: Device,
  models: readonly NamedClassifier[],
  images: LabelledImages,
  { corruptions, severities, seed, onProgress, keep = (_, measure) => measure() }: RobustnessOptions,
): Promise<CorruptionErrors[]> {
  checkModels(models, images);
  const count = images.labels.length;
  const total = count * (1 + corruptions.length * severities.length);
  let done = 0;
  const size = { height: images.height, width: images.width };
  const answersTo = async (name: string, change: (pixels: Pixels, ids: readonly number[]) => Promise<Pixels>) => {
    const advance = (batch: number): void => {
      done += batch;
      onProgress?.(done, total, name);
    };
    return (await measure(images, models, change, advance)).map((right) => [...right]);
  };
  const corrupted = async (name: string, severity: number) => {
    const corruption = new Corruption({ name, severity, ...size });
    using corrupter = await Corrupter.create(device, corruption, { jpeg: jpegRoundTrip });
    return await answersTo(`${name} ${severity}`, (pixels, ids) =>
      corrupter.run(
        pixels,
        ids.map((id) => ({ seed, id })),
      ),
    );
  };
  const [clean] = await keep("clean", async () => [await answersTo("clean", async (pixels) => pixels)]);
  const errors = models.map((_, model): CorruptionErrors => ({ clean: wrongOf(clean[model]), families: {} }));
  for (const [place, name] of corruptions.entries()) {
    // What is kept made no progress.
    done = count * (1 + place * severities.length);
    const bySeverity = await keep(name, async () => {
      const answers: number[][][] = [];
      for (const severity of severities) answers.push(await corrupted(name, severity));
      return answers;
    });
    errors.forEach(({ families }, model) => {
      families[name] = bySeverity.map((answers) => wrongOf(answers[model]));
    });
  }
  return errors;
}

/** Accuracies on clean and corrupted images, and the corruption errors relative to the first model. Throws as `measureErrors`. */
export async function measureRobustness(
  device: Device,
  models: readonly NamedClassifier[],
  images: LabelledImages,
  options: RobustnessOptions,
): Promise<RobustnessResult> {
  const errors = await measureErrors(device, models, images, options);
  return summariseRobustness(
    models.map(({ name }) => name),
    errors,
    options,
  );
}

const wrongOf = (right: readonly number[]): Uint8Array => Uint8Array.from(right, (value) => 1 - value);

/** The figures of models from their errors; an error may be a mean over trainings. The first is the baseline. */
export function summariseRobustness(
  names: readonly string[],
  errors: readonly CorruptionErrors[],
  { severities, seed }: Pick<RobustnessOptions, "severities" | "seed">,
): RobustnessResult {
  const [baseline] = errors;
  return {
    count: baseline.clean.length,
    severities,
    seed,
    models: names.map((name, model) => {
      const { mce, relativeMce, meanError, cleanError, families } = corruptionErrors(errors[model], baseline);
      return {
        name,
        cleanAccuracy: 1 - cleanError,
        meanAccuracy: 1 - meanError,
        mce,
        mceInterval: model === 0 ? null : mceInterval(errors[model], baseline),
        relativeMce,
        families: families.map((family) => ({
          ...family,
          group: corruptionFamily(family.name).group,
          accuracies: family.errors.map((error) => 1 - error),
        })),
      };
    }),
  };
}
