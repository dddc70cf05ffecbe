import { DataError, NonFiniteError, WeightsError } from "../engine/errors.ts";
import type { Node, Tensor } from "../engine/graph.ts";
import { scatterClass } from "../engine/ops/gather.ts";
import { ones } from "../engine/ops/sources.ts";
import type { ParameterStore } from "../engine/parameters.ts";
import type { TypedArray } from "../engine/types.ts";
import type { Classifier } from "./classifier.ts";
import type { BatchNormMode } from "./layers.ts";
import { lossAndAccuracy } from "./metrics.ts";
import { adam, deleteMoments, resetMoments } from "./optimisers.ts";
import type { LabelledPixelSource, PixelSource } from "./pixelSource.ts";
import { Predictor } from "./prediction.ts";
import { checkTraining, type TrainingOptions, type TrainingOutcome, trainEpochs } from "./trainingLoop.ts";
import { labelInput, type TrainableNetwork, TrainingStep } from "./trainingStep.ts";

export interface NetworkTrainingOptions extends TrainingOptions {
  /** Which parameters may change, by name; default all. */
  readonly trainable?: (name: string) => boolean;
  /** Whether batch normalisation uses the batch's statistics, and moves the running ones, or stays frozen; default `training`. */
  readonly batchNorm?: BatchNormMode;
}

export interface NetworkData {
  readonly train: LabelledPixelSource;
  readonly validation: LabelledPixelSource;
}

/**
 * The training form of a classifier on the pixels of a source: the source's inputs, logits, soft labels where the source mixes
 * samples, and the parameters to change.
 * @throws WeightsError when the classifier has no head, or `trainable` chooses no parameter.
 */
export function trainableNetwork(
  classifier: Classifier,
  source: PixelSource,
  { trainable = () => true, batchNorm = "training" }: Pick<NetworkTrainingOptions, "trainable" | "batchNorm"> = {},
): TrainableNetwork {
  const { classes, inputSize } = classifier;
  const { pixels, labels } = source.build(
    inputSize,
    source.mixes && classes ? oneHot(labelInput(), classes) : undefined,
  );
  const network = classifier.build(classifier.preprocess(pixels), batchNorm);
  if (network.logits === null)
    throw new WeightsError("expected a classifier with a head, found none; give it `classes` and head weights first");
  const chosen = new Map<string, Tensor>([...network.trainable].filter(([name]) => trainable(name)));
  if (chosen.size === 0)
    throw new WeightsError(
      `expected at least one trainable parameter, found none of ${network.trainable.size} chosen; choose names such as ${[...network.trainable.keys()].pop()}`,
    );
  return { logits: network.logits, trainable: chosen, statistics: network.statistics, targets: labels };
}

/** labels i32 [N] → [N, classes], 1 at the label. */
const oneHot = (labels: Tensor, classes: number): Tensor =>
  scatterClass(ones({ dtype: "f32", shape: labels.shape }), labels, classes);

/**
 * Trains a classifier's network in place, on pixels. Evaluation reads the same weights with frozen batch normalisation.
 * Afterwards the classifier holds the weights of the best epoch by validation accuracy.
 * @throws DataError for labels out of range, empty parts or impossible options; WeightsError as `trainableNetwork`;
 * LimitError when the batch does not fit; NonFiniteError within the step in which a NaN or an infinity appears, naming the
 * op, with the parameters as before that step and the running statistics as before that epoch; the signal's reason.
 */
export async function trainNetwork(
  classifier: Classifier,
  { train, validation }: NetworkData,
  options: NetworkTrainingOptions = {},
): Promise<TrainingOutcome> {
  const network = trainableNetwork(classifier, train, options);
  const classes = classifier.classes as number;
  checkTraining(train.labels, classes, options);
  if (validation.count === 0)
    throw new DataError("expected at least one validation image, found none; choose another split");
  const { batch = 32, optimiser = adam() } = options;
  const { device, parameters } = classifier;
  const maxBatch = Math.min(batch, train.count);
  resetMoments(
    parameters,
    optimiser,
    [...network.trainable].map(([name, { shape }]) => [name, shape] as const),
  );
  const updated = (network.statistics ?? []).map(updatedParameter);
  const best = new Snapshot(parameters, [...network.trainable.keys(), ...updated]);
  // The optimiser skips a step that is not finite; running statistics move with the forward pass, so they are put back.
  const statistics = new Snapshot(parameters, updated);
  await statistics.take();
  const onlyHead = updated.length === 0 && [...network.trainable.keys()].every(isHead);
  let step: TrainingStep | null = null;
  let predictor: Predictor | null = null;
  try {
    const predicting = onlyHead
      ? await Predictor.ofHead(classifier, validation, options.signal)
      : await Predictor.create(classifier, validation);
    predictor = predicting;
    step = await TrainingStep.create(device, parameters, network, { optimiser, maxBatch });
    const outcome = await trainEpochs(
      {
        labels: train.labels,
        step,
        batch: (indices, place) => train.inputs(indices, place),
        async validate() {
          await statistics.take();
          return lossAndAccuracy(await predicting.logits(), validation.labels, classes);
        },
        keep: () => best.take(),
      },
      options,
    );
    best.restore();
    return outcome;
  } catch (error) {
    if (error instanceof NonFiniteError) statistics.restore();
    throw error;
  } finally {
    step?.dispose();
    predictor?.dispose();
    deleteMoments(parameters, optimiser, network.trainable.keys());
  }
}

/** Whether a parameter is of the head, which reads the features and nothing else. */
const isHead = (name: string): boolean => name.startsWith("predictions/");

const updatedParameter = (node: Node): string => node.inputs[0].node.attributes.name;

/** A copy of some parameters on the host. */
class Snapshot {
  #values = new Map<string, TypedArray>();

  constructor(
    readonly store: ParameterStore,
    readonly names: readonly string[],
  ) {}

  async take(): Promise<void> {
    const values = await Promise.all(this.names.map((name) => this.store.get(name)));
    this.#values = new Map(this.names.map((name, index) => [name, values[index]]));
  }

  restore(): void {
    for (const [name, values] of this.#values) this.store.set(name, values, this.store.shape(name));
  }
}
