/** Transfer learning as commands run it: features of a frozen MobileNetV2, a new dense head on them, and both as one classifier. */
import type { LabelledImages } from "../data/datasets.ts";
import type { Device } from "../engine/device.ts";
import { WeightsError } from "../engine/errors.ts";
import { type Classifier, type ClassifierDescription, createClassifier } from "../nn/classifier.ts";
import { computeFeatures, featureChannels } from "../nn/features.ts";
import { type HeadTraining, trainHead } from "../nn/headTraining.ts";
import type { TrainingOptions } from "../nn/trainingLoop.ts";
import { pixelSource } from "./dataset.ts";
import { withoutHead } from "./model.ts";
import type { Terminal } from "./terminal.ts";

export interface Photographs {
  readonly train: LabelledImages;
  readonly validation: LabelledImages;
}

export type HeadSettings = Required<Pick<TrainingOptions, "epochs" | "batch" | "learningRate" | "seed">>;

/** The weights as a backbone: the head that the file may have is left out. */
export function createBackbone(
  device: Device,
  { architecture, preprocessing, tensors }: ClassifierDescription,
): Classifier {
  if (architecture.name !== "mobilenetV2")
    throw new WeightsError(`expected weights of MobileNetV2, found ${architecture.name}; choose another file`);
  return createClassifier(device, {
    architecture: { ...architecture, classes: null },
    preprocessing,
    classNames: null,
    tensors: withoutHead(tensors),
  });
}

/**
 * Computes the features of all photographs once and trains a head on them, with progress bars.
 * @throws WeightsError when the weights are not MobileNetV2's; what `trainHead` throws.
 */
export async function trainHeadOnBackbone(
  device: Device,
  description: ClassifierDescription,
  { train, validation }: Photographs,
  settings: HeadSettings,
  terminal: Terminal,
): Promise<HeadTraining> {
  const backbone = createBackbone(device, description);
  const total = train.labels.length + validation.labels.length;
  const progress = terminal.progress("computing features", total);
  const trainFeatures = await computeFeatures(backbone, pixelSource(train), {
    onProgress: (done) => progress.update(done),
  });
  const validationFeatures = await computeFeatures(backbone, pixelSource(validation), {
    onProgress: (done) => progress.update(train.labels.length + done),
  });
  progress.finish();
  const data = {
    channels: featureChannels(backbone),
    classes: train.classNames.length,
    train: { features: trainFeatures, labels: train.labels },
    validation: { features: validationFeatures, labels: validation.labels },
  };
  await backbone.dispose();
  const { epochs } = settings;
  const bar = terminal.progress("training the head", epochs * train.labels.length);
  const head = await trainHead(device, data, {
    ...settings,
    onProgress: ({ epoch, done, total: count, loss }) =>
      bar.update((epoch - 1) * count + done, `epoch ${epoch}/${epochs}, loss ${loss.toFixed(4)}`),
  });
  bar.finish(`best validation accuracy ${head.best.valAccuracy.toFixed(4)}`);
  return head;
}

/** The frozen backbone with the trained head: the whole network as one classifier. */
export function withTrainedHead(
  device: Device,
  description: ClassifierDescription,
  head: HeadTraining,
  classNames: readonly string[],
): Classifier {
  return createClassifier(device, {
    ...description,
    architecture: { ...description.architecture, classes: classNames.length },
    classNames,
    tensors: new Map([...withoutHead(description.tensors), ...head.tensors]),
  });
}
