/** Transfer learning as commands run it: a frozen MobileNetV2, a new dense head on it, and both as one classifier. */
import { isDeterministic } from "../data/augment/parameters.ts";
import type { Policy } from "../data/augment/policy.ts";
import type { Device } from "../engine/device.ts";
import { WeightsError } from "../engine/errors.ts";
import { type Classifier, type ClassifierDescription, createClassifier } from "../nn/classifier.ts";
import { computeFeatures, featureChannels } from "../nn/features.ts";
import { denseHead, type HeadTraining, trainHead } from "../nn/headTraining.ts";
import { initialise } from "../nn/initialise.ts";
import { trainNetwork } from "../nn/networkTraining.ts";
import type { TrainingOptions, TrainingProgress } from "../nn/trainingLoop.ts";
import { withoutHead } from "./model.ts";
import { type AddressedSource, augmentedSource } from "./policy.ts";
import type { Terminal } from "./terminal.ts";

/** What trains and what validates, not yet augmented. */
export interface TrainingSources {
  readonly classNames: readonly string[];
  readonly train: AddressedSource;
  readonly validation: AddressedSource;
}

export interface HeadSettings extends Required<Pick<TrainingOptions, "epochs" | "batch" | "learningRate" | "seed">> {
  /** Augments the training images; null for none. */
  readonly policy: Policy | null;
}

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

/** The training images as the policy gives them. */
export const policySource = (
  train: AddressedSource,
  { policy, seed }: Pick<HeadSettings, "policy" | "seed">,
  inputSize: readonly [number, number],
): AddressedSource => (policy ? augmentedSource(train, policy, { seed, inputSize }) : train);

/**
 * Trains a head, with progress bars: on features that are computed once, or, where a policy draws something else in each epoch, on
 * features that every step computes from the augmented pixels in its own plan.
 * @throws WeightsError when the weights are not MobileNetV2's; what `trainHead` and `trainNetwork` throw.
 */
export function trainHeadOnBackbone(
  device: Device,
  description: ClassifierDescription,
  sources: TrainingSources,
  settings: HeadSettings,
  terminal: Terminal,
): Promise<HeadTraining> {
  const { policy } = settings;
  const train = policySource(sources.train, settings, description.architecture.inputSize);
  const isFixed = policy === null || isDeterministic(policy);
  const way = isFixed ? trainOnFeatures : trainOnPixels;
  return way(device, description, { ...sources, train }, settings, terminal);
}

/** Computes the features of all images once and trains a head on them. */
async function trainOnFeatures(
  device: Device,
  description: ClassifierDescription,
  { classNames, train, validation }: TrainingSources,
  settings: HeadSettings,
  terminal: Terminal,
): Promise<HeadTraining> {
  const backbone = createBackbone(device, description);
  const total = train.count + validation.count;
  const progress = terminal.progress("computing features", total);
  const trainFeatures = await computeFeatures(backbone, train, {
    onProgress: (done) => progress.update(done),
  });
  const validationFeatures = await computeFeatures(backbone, validation, {
    onProgress: (done) => progress.update(train.count + done),
  });
  progress.finish();
  const data = {
    channels: featureChannels(backbone),
    classes: classNames.length,
    train: { features: trainFeatures, labels: train.labels },
    validation: { features: validationFeatures, labels: validation.labels },
  };
  await backbone.dispose();
  const bar = headProgress(terminal, settings, train.count);
  const head = await trainHead(device, data, { ...settings, onProgress: bar.onProgress });
  bar.finish(head);
  return head;
}

/** Trains the head alone in a plan that holds everything from the images' bytes to the loss. */
async function trainOnPixels(
  device: Device,
  description: ClassifierDescription,
  { classNames, train, validation }: TrainingSources,
  settings: HeadSettings,
  terminal: Terminal,
): Promise<HeadTraining> {
  const { classifier, head } = await withNewHead(device, description, classNames, settings.seed);
  const bar = headProgress(terminal, settings, train.count);
  try {
    const outcome = await trainNetwork(
      classifier,
      { train, validation },
      { ...settings, trainable: (name) => head.has(name), batchNorm: "frozen", onProgress: bar.onProgress },
    );
    bar.finish(outcome);
    const trained = await classifier.tensors();
    return { ...outcome, tensors: new Map([...head.keys()].map((name) => [name, trained.get(name)!])) };
  } finally {
    await classifier.dispose();
  }
}

function headProgress(terminal: Terminal, { epochs }: HeadSettings, count: number) {
  const bar = terminal.progress("training the head", epochs * count);
  return {
    onProgress: ({ epoch, done, total, loss }: TrainingProgress) =>
      bar.update((epoch - 1) * total + done, `epoch ${epoch}/${epochs}, loss ${loss.toFixed(4)}`),
    finish: ({ best }: Pick<HeadTraining, "best">) =>
      bar.finish(`best validation accuracy ${best.valAccuracy.toFixed(4)}`),
  };
}

/**
 * The backbone with a head drawn from a seed, as one classifier, and that head.
 * @throws WeightsError when the weights are not MobileNetV2's
 */
export async function withNewHead(
  device: Device,
  description: ClassifierDescription,
  classNames: readonly string[],
  seed: number,
): Promise<{ readonly classifier: Classifier; readonly head: HeadTraining["tensors"] }> {
  const backbone = createBackbone(device, description);
  const { parameters } = denseHead(featureChannels(backbone), classNames.length);
  await backbone.dispose();
  const first = initialise(parameters, seed);
  const head = new Map([...first].map(([name, data]) => [name, { shape: [...parameters.get(name)!], data }]));
  return { classifier: withTrainedHead(device, description, { tensors: head }, classNames), head };
}

/** The frozen backbone with a head: the whole network as one classifier. */
export function withTrainedHead(
  device: Device,
  description: ClassifierDescription,
  head: Pick<HeadTraining, "tensors">,
  classNames: readonly string[],
): Classifier {
  return createClassifier(device, {
    ...description,
    architecture: { ...description.architecture, classes: classNames.length },
    classNames,
    tensors: new Map([...withoutHead(description.tensors), ...head.tensors]),
  });
}
