import { compile } from "../engine/compile.ts";
import type { Device } from "../engine/device.ts";
import { DataError, ShapeError } from "../engine/errors.ts";
import { dropout } from "../engine/ops/dropout.ts";
import { input } from "../engine/ops/sources.ts";
import { ParameterStore } from "../engine/parameters.ts";
import { BATCH, type Shape } from "../engine/types.ts";
import { gatherRows } from "./features.ts";
import type { WeightTensor } from "./formats/weightSet.ts";
import { initialise } from "./initialise.ts";
import { kerasBatchNorm, LayerBuilder } from "./layers.ts";
import { lossAndAccuracy } from "./metrics.ts";
import { adam, momentNames, resetMoments } from "./optimisers.ts";
import {
  checkTraining,
  type TrainingJob,
  type TrainingOptions,
  type TrainingOutcome,
  trainEpochs,
} from "./trainingLoop.ts";
import {
  addressInput,
  dropoutAddresses,
  resetAccumulators,
  type TrainableNetwork,
  TrainingStep,
} from "./trainingStep.ts";

/** Features with the class of each row. */
export interface LabelledFeatures {
  /** [N, channels], row-major. */
  readonly features: Float32Array;
  readonly labels: Int32Array;
}

export interface HeadData {
  readonly channels: number;
  readonly classes: number;
  readonly train: LabelledFeatures;
  readonly validation: LabelledFeatures;
}

export interface HeadTraining extends TrainingOutcome {
  /** `predictions/kernel` [channels, classes] and `predictions/bias` [classes] of the best epoch. */
  readonly tensors: ReadonlyMap<string, WeightTensor>;
}

/** Name of the head's layer, as in Keras' MobileNetV2. */
const HEAD = "predictions";

/** Rows of one evaluation that go to the GPU together. */
const EVALUATION_BATCH = 512;

/**
 * A dense softmax head on features: input `features` [N, channels], logits [N, classes], parameters `predictions/*`. With dropout
 * it also reads `address` (`addressInput`).
 */
export function denseHead(
  channels: number,
  classes: number,
  rate = 0,
): TrainableNetwork & { readonly parameters: ReadonlyMap<string, Shape> } {
  const layers = new LayerBuilder(kerasBatchNorm);
  const features = input("features", [BATCH, channels]);
  const logits = layers.dense(rate > 0 ? dropout(features, addressInput(), rate) : features, HEAD, classes);
  return { logits, trainable: layers.trainable, parameters: layers.parameters };
}

function checkFeatures({ features, labels }: LabelledFeatures, channels: number): void {
  if (features.length !== labels.length * channels)
    throw new ShapeError(
      `expected ${labels.length} × ${channels} features, found ${features.length} values; give one row for each label`,
    );
}

/**
 * Trains a dense softmax head on features of a frozen backbone: Adam, Glorot uniform first values, another order in each
 * epoch, the best epoch by validation accuracy kept.
 * @throws DataError for labels out of range, empty parts or impossible options; ShapeError when features and labels disagree;
 * NonFiniteError within the step in which a NaN or an infinity appears, naming the op; the signal's reason.
 */
export async function trainHead(device: Device, data: HeadData, options: TrainingOptions = {}): Promise<HeadTraining> {
  const { channels, classes, train, validation } = data;
  checkFeatures(train, channels);
  checkFeatures(validation, channels);
  checkTraining(train.labels, classes, options);
  if (validation.labels.length === 0)
    throw new DataError("expected at least one validation image, found none; choose another split");
  const { seed = 0 } = options;
  const head = denseHead(channels, classes, options.dropout);
  const first = initialise(head.parameters, seed);
  const open = (current: Device): Promise<TrainingJob> => openJob(current, data, { head, first, options });
  const { job, tensors, history, best } = await trainEpochs(open, device, options);
  job.dispose();
  return { history, best, tensors };
}

interface HeadJob {
  readonly head: TrainableNetwork & { readonly parameters: ReadonlyMap<string, Shape> };
  readonly first: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
  readonly options: TrainingOptions;
}

async function openJob(
  device: Device,
  { channels, classes, train, validation }: HeadData,
  { head, first, options }: HeadJob,
): Promise<TrainingJob> {
  const { batch = 32, seed = 0, optimiser = adam(), dropout = 0 } = options;
  const store = new ParameterStore(device);
  const names = [...head.parameters.keys()];
  for (const [name, values] of first) store.set(name, values, head.parameters.get(name) as Shape);
  resetMoments(store, optimiser, head.parameters);
  if ((options.accumulate ?? 1) > 1) resetAccumulators(store, head.parameters);
  const maxBatch = Math.min(batch, train.labels.length);
  const step = await TrainingStep.create(device, store, head, { ...options, optimiser, maxBatch });
  const logits = denseHead(channels, classes).logits;
  const evaluator = await compile(device, { outputs: { logits } }, { parameters: store, maxBatch: EVALUATION_BATCH });
  return {
    labels: train.labels,
    step,
    store,
    weights: names,
    moments: names.flatMap((name) => momentNames(optimiser, name)),
    batch: (indices, { epoch }) => ({
      features: gatherRows(train.features, channels, indices),
      ...(dropout > 0 ? { address: dropoutAddresses(indices, seed, epoch) } : {}),
    }),
    async validate() {
      const { logits: scores } = await evaluator.run({ features: validation.features });
      return lossAndAccuracy(scores as Float32Array, validation.labels, classes);
    },
    dispose() {
      step.dispose();
      evaluator.dispose();
      store.dispose();
    },
  };
}
