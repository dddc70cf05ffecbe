import { compile } from "../engine/compile.ts";
import type { Device } from "../engine/device.ts";
import { DataError, ShapeError } from "../engine/errors.ts";
import type { Tensor } from "../engine/graph.ts";
import { input } from "../engine/ops/sources.ts";
import { ParameterStore } from "../engine/parameters.ts";
import { BATCH, type Shape } from "../engine/types.ts";
import type { WeightTensor } from "./formats/weightSet.ts";
import { initialise } from "./initialise.ts";
import { kerasBatchNorm, LayerBuilder } from "./layers.ts";
import { lossAndAccuracy } from "./metrics.ts";
import { adam, resetMoments } from "./optimisers.ts";
import { checkTraining, type TrainingOptions, type TrainingOutcome, trainEpochs } from "./trainingLoop.ts";
import { type TrainableNetwork, TrainingStep } from "./trainingStep.ts";

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

/** A dense softmax head on features: input `features` [N, channels], logits [N, classes], parameters `predictions/*`. */
export function denseHead(
  channels: number,
  classes: number,
): TrainableNetwork & { readonly parameters: ReadonlyMap<string, Shape> } {
  const layers = new LayerBuilder(kerasBatchNorm);
  const logits = layers.dense(input("features", [BATCH, channels]), HEAD, classes);
  return { logits, trainable: layers.trainable, parameters: layers.parameters };
}

function checkFeatures({ features, labels }: LabelledFeatures, channels: number): void {
  if (features.length !== labels.length * channels)
    throw new ShapeError(
      `expected ${labels.length} × ${channels} features, found ${features.length} values; give one row for each label`,
    );
}

/** The rows of these indices, copied. */
function gatherRows(features: Float32Array, channels: number, indices: ArrayLike<number>): Float32Array {
  const rows = new Float32Array(indices.length * channels);
  for (let row = 0; row < indices.length; row++)
    rows.set(features.subarray(indices[row] * channels, (indices[row] + 1) * channels), row * channels);
  return rows;
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
  const { batch = 32, seed = 0, optimiser = adam() } = options;
  const parameters = new ParameterStore(device);
  const head = denseHead(channels, classes);
  for (const [name, values] of initialise(head.parameters, seed))
    parameters.set(name, values, head.parameters.get(name) as Shape);
  resetMoments(parameters, optimiser, head.parameters);
  const evaluation = { logits: head.logits as Tensor };
  const maxBatch = Math.min(batch, train.labels.length);
  const tensors = new Map<string, WeightTensor>();
  const step = await TrainingStep.create(device, parameters, head, { optimiser, maxBatch });
  const evaluator = await compile(device, { outputs: evaluation }, { parameters, maxBatch: EVALUATION_BATCH });
  try {
    const outcome = await trainEpochs(
      {
        labels: train.labels,
        step,
        batch: (indices) => ({ features: gatherRows(train.features, channels, indices) }),
        async validate() {
          const { logits } = await evaluator.run({ features: validation.features });
          return lossAndAccuracy(logits, validation.labels, classes);
        },
        async keep() {
          for (const [name, shape] of head.parameters)
            tensors.set(name, { shape: [...shape], data: (await parameters.get(name)) as Float32Array });
        },
      },
      options,
    );
    return { ...outcome, tensors };
  } finally {
    step.dispose();
    evaluator.dispose();
    parameters.dispose();
  }
}
