import type { Policy } from "../../data/augment/policy.ts";
import type { Device } from "../../engine/device.ts";
import { type Classifier, type ClassifierDescription, createClassifier, weightShapesOf } from "../../nn/classifier.ts";
import { initialise } from "../../nn/initialise.ts";
import { trainNetwork } from "../../nn/networkTraining.ts";
import { cosineSchedule } from "../../nn/optimisers.ts";
import { smallCnnChannels } from "../../nn/smallCnn.ts";
import type { TrainingOutcome, TrainingProgress } from "../../nn/trainingLoop.ts";
import { policySource, trainHeadOnBackbone, withTrainedHead } from "../headOnBackbone.ts";
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
    optimiser: "Adam, cosine schedule",
    epochs,
    batch,
    learningRate,
    policy: summarisePolicy(settings.policy),
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
