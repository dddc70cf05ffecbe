import type { Device } from "../engine/device.ts";
import { ShapeError, WeightsError } from "../engine/errors.ts";
import type { Tensor } from "../engine/graph.ts";
import { subtract } from "../engine/ops/binary.ts";
import { sum } from "../engine/ops/reduce.ts";
import { input } from "../engine/ops/sources.ts";
import { scale, square } from "../engine/ops/unary.ts";
import { BATCH } from "../engine/types.ts";
import type { Classifier } from "./classifier.ts";
import { gatherRows } from "./features.ts";
import { type BatchNormRule, kerasBatchNorm } from "./layers.ts";
import { lossAndAccuracy } from "./metrics.ts";
import { mobileNetV2 } from "./mobilenetV2.ts";
import { adam, deleteMoments, momentNames, resetMoments } from "./optimisers.ts";
import type { LabelledPixelSource } from "./pixelSource.ts";
import { Predictor } from "./prediction.ts";
import {
  checkTraining,
  type TrainingJob,
  type TrainingOptions,
  type TrainingOutcome,
  trainEpochs,
} from "./trainingLoop.ts";
import { type TrainableNetwork, TrainingStep } from "./trainingStep.ts";

/** Images, their classes, and what the teacher saw in each. */
export interface DistillationData {
  readonly train: LabelledPixelSource;
  /** The teacher's pooled features of the training images, [N, channels], row-major. */
  readonly targets: Float32Array;
  /** Images to watch the training by; no weights are chosen by them. */
  readonly validation: LabelledPixelSource;
}

export interface DistillationOptions extends TrainingOptions {
  /** How much a difference of features counts beside the cross-entropy of the labels; default 4. */
  readonly featureWeight?: number;
  /** Called after each epoch, when the store holds that epoch's weights; the training waits for it. */
  readonly keep?: () => Promise<void>;
}

/** Running statistics must follow a training of minutes, and still average over many batches. */
const studentBatchNorm: BatchNormRule = { ...kerasBatchNorm, mode: "training", momentum: 0.97 };

/** Σ_c Var(target_c): the squared distance of the targets from their mean, which a difference is measured by. */
export function totalVariance(targets: Float32Array, channels: number): number {
  const count = targets.length / channels;
  let total = 0;
  for (let channel = 0; channel < channels; channel++) {
    let first = 0;
    let second = 0;
    for (let row = 0; row < count; row++) {
      const value = targets[row * channels + channel];
      first += value;
      second += value * value;
    }
    total += second / count - (first / count) ** 2;
  }
  return total;
}

/**
 * The student's training form: cross-entropy of the labels plus `weight` · ‖f − t‖² / variance for each image, f the pooled
 * features and t the teacher's, input `targets` [N, channels] (Romero et al. 2015, "FitNets", on the last features; the teacher
 * and the student both have 1280). A weighted difference of 1 is as far as the mean of the targets is.
 * @param pooled [N, channels]
 */
export const featurePenalty = (pooled: Tensor, weight: number, variance: number): Tensor =>
  scale(sum(square(subtract(pooled, input("targets", [BATCH, pooled.shape[1]]))), [1]), weight / variance);

/**
 * The student on raw pixels, its loss and its batch normalisation in batch mode.
 * @throws WeightsError for a student without a head; ShapeError when there is not one row of targets for each image.
 */
function studentNetwork(
  student: Classifier,
  { train, targets }: DistillationData,
  weight: number,
): TrainableNetwork & { readonly channels: number } {
  const { architecture } = student;
  if (architecture.name !== "mobilenetV2" || architecture.classes === null)
    throw new WeightsError("expected a MobileNetV2 with a head as the student, found another; give it `classes`");
  const { width, classes } = architecture;
  const x = student.preprocess(train.build(student.inputSize).pixels);
  const { logits, pooled, trainable, statistics } = mobileNetV2(x, { width, classes, batchNorm: studentBatchNorm });
  const channels = pooled.shape[1];
  if (targets.length !== train.count * channels)
    throw new ShapeError(
      `expected ${train.count} × ${channels} targets, found ${targets.length} values; give a row for each image`,
    );
  const penalty = featurePenalty(pooled, weight, totalVariance(targets, channels));
  return { logits: logits as Tensor, penalty, trainable, statistics, channels };
}

/**
 * Teaches a MobileNetV2 the features of another network and the classes of the images, all layers at once, in place: Adam, batch
 * normalisation in batch mode. Afterwards the student holds the weights of the last epoch.
 * @throws ShapeError when there is not one row of targets for each image; WeightsError for a student without a head; DataError
 * for labels out of range or impossible options; LimitError when the batch does not fit; NonFiniteError naming the op in which a
 * NaN or an infinity appears; the signal's reason.
 */
export async function distil(
  student: Classifier,
  { train, targets, validation }: DistillationData,
  options: DistillationOptions = {},
): Promise<TrainingOutcome> {
  const { batch = 32, optimiser = adam(), featureWeight = 4, keep } = options;
  const network = studentNetwork(student, { train, targets, validation }, featureWeight);
  const { channels } = network;
  const classes = student.classes as number;
  checkTraining(train.labels, classes, options);
  const { parameters } = student;
  const names = [...network.trainable.keys()];
  const shapes = [...network.trainable].map(([name, { shape }]) => [name, shape] as const);
  const maxBatch = Math.min(batch, train.count);
  const open = async (device: Device): Promise<TrainingJob> => {
    resetMoments(parameters, optimiser, shapes);
    const step = await TrainingStep.create(device, parameters, network, { ...options, optimiser, maxBatch });
    const watching = await Predictor.create(student, validation);
    return {
      labels: train.labels,
      step,
      store: parameters,
      weights: names,
      moments: names.flatMap((name) => momentNames(optimiser, name)),
      batch: async (indices, place) => ({
        ...(await train.inputs(indices, place)),
        targets: gatherRows(targets, channels, indices),
      }),
      async validate() {
        await keep?.();
        return lossAndAccuracy(await watching.logits(), validation.labels, classes);
      },
      dispose() {
        step.dispose();
        watching.dispose();
        deleteMoments(parameters, optimiser, names);
      },
    };
  };
  const { job, history, best } = await trainEpochs(open, student.device, options);
  job.dispose();
  return { history, best };
}
