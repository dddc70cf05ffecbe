import type { Policy } from "../../data/augment/policy.ts";
import type { Device } from "../../engine/device.ts";
import { type Classifier, type ClassifierDescription, createClassifier, weightShapesOf } from "../../nn/classifier.ts";
import type { Stem } from "../../nn/formats/manifest.ts";
import { initialise } from "../../nn/initialise.ts";
import type { BatchNormMode } from "../../nn/layers.ts";
import { trainNetwork } from "../../nn/networkTraining.ts";
import { cosineSchedule } from "../../nn/optimisers.ts";
import { smallCnnChannels } from "../../nn/smallCnn.ts";
import { trainableFrom } from "../../nn/trainableLayers.ts";
import type { TrainingOutcome, TrainingProgress } from "../../nn/trainingLoop.ts";
import { policySource, trainHeadOnBackbone, withNewHead, withTrainedHead } from "../headOnBackbone.ts";
import { summarisePolicy } from "../policy.ts";
import type { Terminal } from "../terminal.ts";
import type { Material } from "./material.ts";

export interface TrainingSettings {
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly seed: number;
  /** Augments the training images; null for none. */
  readonly policy: Policy | null;
  /** Of `smallCnn`: `cifar` keeps the resolution at the start, and so a finer map to explain; default `imagenet`. */
  readonly stem?: Stem;
}

/** What training reads: never the test images. */
export type TrainingMaterial = Pick<Material, "classNames" | "train" | "validation">;

export interface TrainedClassifier {
  readonly classifier: Classifier;
  readonly outcome: TrainingOutcome;
  /** What was done, for the report and the model's file. */
  readonly recipe: Readonly<Record<string, string | number>>;
}

const progressOf = (terminal: Terminal, label: string, epochs: number, total: number) => {
  const bar = terminal.progress(label, epochs * total);
  const onProgress = ({ epoch, done, loss, accuracy }: TrainingProgress): void =>
    bar.update(
      (epoch - 1) * total + done,
      `epoch ${epoch}/${epochs}, loss ${loss.toFixed(3)}, accuracy ${accuracy.toFixed(3)}`,
    );
  return { onProgress, finish: (best: number) => bar.finish(`best validation accuracy ${best.toFixed(3)}`) };
};

/** Trains `smallCnn` from scratch on the material's pixels: Adam with a cosine schedule, all layers. */
export async function trainSmallCnn(
  device: Device,
  material: TrainingMaterial,
  settings: TrainingSettings,
  terminal: Terminal,
): Promise<TrainedClassifier> {
  const { classNames, train, validation } = material;
  const architecture = {
    name: "smallCnn",
    inputSize: [train.height, train.width],
    classes: classNames.length,
    channels: smallCnnChannels,
    ...(settings.stem ? { stem: settings.stem } : {}),
  } as const;
  const shapes = weightShapesOf(architecture);
  const values = initialise(shapes, settings.seed);
  const tensors = new Map(
    [...shapes].map(([name, shape]) => [name, { shape: [...shape], data: values.get(name) as Float32Array }]),
  );
  const preprocessing = { name: "x/127.5 - 1", scale: 1 / 127.5, offset: -1, resize: "tf" } as const;
  const classifier = createClassifier(device, { architecture, preprocessing, classNames, tensors });
  const { onProgress, finish } = progressOf(terminal, "training smallCnn", settings.epochs, train.count);
  const data = {
    train: policySource(train, settings, architecture.inputSize),
    validation,
  };
  const outcome = await trainNetwork(classifier, data, { ...settings, schedule: cosineSchedule, onProgress });
  finish(outcome.best.valAccuracy);
  const { epochs, batch, learningRate } = settings;
  const recipe = {
    network: "smallCnn from scratch",
    channels: smallCnnChannels.join(" "),
    ...(settings.stem ? { stem: settings.stem } : {}),
    optimiser: "Adam, cosine schedule",
    epochs,
    batch,
    learningRate,
    policy: summarisePolicy(settings.policy),
  };
  return { classifier, outcome, recipe };
}

export interface FineTuningSettings extends TrainingSettings {
  /** `block_14` and the like, or `all`: see `trainableFrom`. */
  readonly part: string;
  readonly batchNorm: BatchNormMode;
}

/**
 * Trains a backbone from a layer on, under a head that is drawn from the seed: Adam with a cosine schedule.
 * @throws WeightsError when the weights are not MobileNetV2's or no layer has the part's name
 */
export async function fineTuneBackbone(
  device: Device,
  description: ClassifierDescription,
  { classNames, train, validation }: TrainingMaterial,
  settings: FineTuningSettings,
  terminal: Terminal,
): Promise<TrainedClassifier> {
  const { epochs, batch, learningRate, seed, policy, part, batchNorm } = settings;
  const { classifier } = await withNewHead(device, description, classNames, seed);
  const { onProgress, finish } = progressOf(terminal, `training from ${part} on`, epochs, train.count);
  const outcome = await trainNetwork(
    classifier,
    { train: policySource(train, settings, classifier.inputSize), validation },
    {
      ...{ epochs, batch, learningRate, seed, schedule: cosineSchedule, onProgress },
      ...trainableFrom(classifier.weightShapes.keys(), part, batchNorm),
    },
  );
  finish(outcome.best.valAccuracy);
  const recipe = {
    network: part === "all" ? "MobileNetV2, all of it trained" : `MobileNetV2, trained from ${part} on`,
    batchNorm,
    optimiser: "Adam, cosine schedule",
    epochs,
    batch,
    learningRate,
    policy: summarisePolicy(policy),
  };
  return { classifier, outcome, recipe };
}

/** Trains a dense head on the features of a frozen backbone: Adam, constant rate. */
export async function trainFrozenBackbone(
  device: Device,
  description: ClassifierDescription,
  material: TrainingMaterial,
  settings: TrainingSettings,
  terminal: Terminal,
): Promise<TrainedClassifier> {
  const head = await trainHeadOnBackbone(device, description, material, settings, terminal);
  const classifier = withTrainedHead(device, description, head, material.classNames);
  const { epochs, batch, learningRate } = settings;
  const recipe = {
    network: "MobileNetV2 frozen, dense head trained",
    optimiser: "Adam",
    epochs,
    batch,
    learningRate,
    policy: summarisePolicy(settings.policy),
  };
  return { classifier, outcome: head, recipe };
}
