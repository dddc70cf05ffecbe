/** What the features of a backbone are worth: heads on them against heads on random features, and on pixels. */
import { openPetals } from "../../data/loadersPetals.ts";
import { petalSpecies } from "../../data/petals.ts";
import { compile } from "../../engine/compile.ts";
import type { Device } from "../../engine/device.ts";
import { type Classifier, type ClassifierDescription, weightShapesOf } from "../../nn/classifier.ts";
import { computeFeatures } from "../../nn/features.ts";
import { type HeadTraining, type LabelledFeatures, trainHead } from "../../nn/headTraining.ts";
import { initialise } from "../../nn/initialise.ts";
import { kerasBatchNorm } from "../../nn/layers.ts";
import { argmaxOfRow } from "../../nn/metrics.ts";
import { mobileNetV2 } from "../../nn/mobilenetV2.ts";
import { openPart, type Part, splitDataset } from "../dataset.ts";
import { createBackbone } from "../headOnBackbone.ts";
import type { Photographs } from "../storedSource.ts";
import type { Terminal } from "../terminal.ts";
import { HELD_OUT_SPECIES, strictReading } from "./recipe.ts";

/** A task of classification. What is measured on is not what chose the epoch, where there are images enough. */
export interface Task {
  readonly name: string;
  readonly classes: number;
  readonly train: Photographs;
  readonly validation: Photographs;
  readonly test: Photographs;
}

/** Accuracy of each seed. */
export type Accuracies = Readonly<Record<string, readonly number[]>>;

/** Flowers of each held-out species. */
export const HELD_OUT_COUNTS = { train: 100, validation: 25, test: 60 } as const;

const EPOCHS = 20;

/** Images whose statistics a random network's batch normalisation gets. */
const CALIBRATION_BATCH = 64;

/** `petals` of the species that the backbone was not trained on, drawn from a seed. */
export async function heldOutTask(seed: number, size: number, terminal: Terminal): Promise<Task> {
  const dataset = openPetals({ seed, size, perClass: HELD_OUT_COUNTS });
  const species = HELD_OUT_SPECIES.map((name) => petalSpecies.indexOf(name));
  const load = async (part: "train" | "validation" | "test"): Promise<Photographs> => {
    const indices = (dataset.parts?.[part] ?? []).filter((index) => species.includes(dataset.items[index].label));
    const images = await loadSquare({ dataset, indices }, size, "tf", terminal, `drawing petals to ${part}`);
    return { ...images, labels: images.labels.map((label) => species.indexOf(label)) };
  };
  return {
    name: "held-out petals",
    classes: species.length,
    train: await load("train"),
    validation: await load("validation"),
    test: await load("test"),
  };
}

/** Photographs by a split file; the validation part chooses the epoch and is measured on, as the figures of Keras are. */
export async function photographsTask(folder: string, split: string, size: number, terminal: Terminal): Promise<Task> {
  const dataset = await splitDataset(split, folder);
  const load = (part: "train" | "validation"): Promise<Photographs> =>
    loadSquare(
      { dataset, indices: dataset.parts?.[part] ?? [] },
      size,
      "aspect",
      terminal,
      `reading ${part} photographs`,
    );
  const validation = await load("validation");
  return {
    name: "photographs",
    classes: dataset.classNames.length,
    train: await load("train"),
    validation,
    test: validation,
  };
}

const loadSquare = async (
  part: Part,
  size: number,
  resize: "tf" | "aspect",
  terminal: Terminal,
  label: string,
): Promise<Photographs> =>
  (await openPart(part, { ...strictReading, inputSize: [size, size], resize }, terminal, label)).images;

/** Turns images into rows of numbers that a head is trained on. */
type FeatureMap = (images: Photographs) => Promise<{ readonly channels: number; readonly features: Float32Array }>;

/** Test accuracy of a dense head on features, one for each seed of the head. */
async function headAccuracies(
  device: Device,
  task: Task,
  map: FeatureMap,
  { seeds, learningRate }: { readonly seeds: readonly number[]; readonly learningRate: number },
): Promise<number[]> {
  const rows = async (images: Photographs): Promise<LabelledFeatures & { channels: number }> => ({
    ...(await map(images)),
    labels: images.labels,
  });
  const [train, validation] = [await rows(task.train), await rows(task.validation)];
  const test = task.test === task.validation ? validation : await rows(task.test);
  const { channels } = train;
  const { classes } = task;
  const accuracies: number[] = [];
  for (const seed of seeds) {
    const head = await trainHead(
      device,
      { channels, classes, train, validation },
      { epochs: EPOCHS, learningRate, seed },
    );
    accuracies.push(accuracyOf(head, test, channels));
  }
  return accuracies;
}

/** The head applied in float64. */
function accuracyOf({ tensors }: HeadTraining, { features, labels }: LabelledFeatures, channels: number): number {
  const [kernel, bias] = ["kernel", "bias"].map((name) => tensors.get(`predictions/${name}`)?.data as Float32Array);
  const classes = bias.length;
  const logits = new Float64Array(classes);
  let correct = 0;
  labels.forEach((label, row) => {
    logits.set(bias);
    for (let channel = 0; channel < channels; channel++)
      for (let index = 0; index < classes; index++)
        logits[index] += features[row * channels + channel] * kernel[channel * classes + index];
    if (argmaxOfRow(logits, 0, classes) === label) correct++;
  });
  return correct / labels.length;
}

const featuresOf =
  (classifier: Classifier): FeatureMap =>
  async (images) => {
    const features = await computeFeatures(classifier, images);
    return { channels: features.length / images.labels.length, features };
  };

/** Pixels as −1 to 1, averaged over squares of `factor` × `factor`. */
const pixelsBy =
  (factor: number): FeatureMap =>
  async ({ pixels, labels, height, width }) => {
    const [rows, columns] = [Math.floor(height / factor), Math.floor(width / factor)];
    const channels = rows * columns * 3;
    const features = new Float32Array(labels.length * channels);
    for (let image = 0; image < labels.length; image++) {
      const values = await pixels(image);
      for (let y = 0; y < rows * factor; y++)
        for (let x = 0; x < columns * factor; x++)
          for (let c = 0; c < 3; c++)
            features[image * channels + (Math.floor(y / factor) * columns + Math.floor(x / factor)) * 3 + c] +=
              (values[(y * width + x) * 3 + c] / 127.5 - 1) / factor ** 2;
    }
    return { channels, features };
  };

/**
 * The same network with random weights. Its batch normalisation gets the statistics of a batch of the task's images: with the
 * initial ones (mean 0, variance 1) the features hardly differ between images, and any backbone would beat them.
 */
async function randomBackbone(
  device: Device,
  description: ClassifierDescription,
  images: Photographs,
  seed: number,
): Promise<Classifier> {
  const { architecture } = description;
  if (architecture.name !== "mobilenetV2") throw new TypeError("the random twin of MobileNetV2 alone is known");
  const shapes = weightShapesOf({ ...architecture, classes: null });
  const values = initialise(shapes, seed);
  const tensors = new Map(
    [...shapes].map(([name, shape]) => [name, { shape: [...shape], data: values.get(name) as Float32Array }]),
  );
  const classifier = createBackbone(device, { ...description, tensors });
  const count = Math.min(CALIBRATION_BATCH, images.count);
  const x = classifier.preprocess(images.build(classifier.inputSize).pixels);
  const batchNorm = { ...kerasBatchNorm, mode: "training", momentum: 0 } as const;
  const { statistics } = mobileNetV2(x, { width: architecture.width, batchNorm });
  const { parameters } = classifier;
  const plan = await compile(device, { outputs: {}, updates: statistics }, { parameters, maxBatch: count });
  const first = Array.from({ length: count }, (_, index) => index);
  await plan.run(await images.inputs(first, { epoch: 0, first: 0 }));
  plan.dispose();
  return classifier;
}

/** Accuracies on one task: of the backbone's features, of a random twin's, and of pixels. */
export async function compareFeatures(
  device: Device,
  description: ClassifierDescription,
  task: Task,
  seeds: readonly number[],
): Promise<Accuracies> {
  const settings = { seeds, learningRate: 1e-3 };
  const backbone = createBackbone(device, description);
  const embedded = await headAccuracies(device, task, featuresOf(backbone), settings);
  await backbone.dispose();
  const random: number[] = [];
  for (const seed of seeds) {
    const twin = await randomBackbone(device, description, task.train, seed);
    random.push(...(await headAccuracies(device, task, featuresOf(twin), { ...settings, seeds: [seed] })));
    await twin.dispose();
  }
  // Thousands of inputs need a smaller rate than 1280 features.
  const pixels = { seeds, learningRate: 1e-4 };
  return {
    backbone: embedded,
    random,
    "pixels in full": await headAccuracies(device, task, pixelsBy(1), pixels),
    "pixels at a third": await headAccuracies(device, task, pixelsBy(3), pixels),
  };
}
