import type { Device } from "../engine/device.ts";
import { DataError, NonFiniteError, WeightsError } from "../engine/errors.ts";
import type { Node, Tensor } from "../engine/graph.ts";
import { scatterClass } from "../engine/ops/gather.ts";
import { ones } from "../engine/ops/sources.ts";
import type { RunInputs } from "../engine/plan/plan.ts";
import type { Classifier } from "./classifier.ts";
import { activationRows, computeActivations } from "./features.ts";
import { cutFrozenPart } from "./frozenPrefix.ts";
import type { BatchNormRule } from "./layers.ts";
import { lossAndAccuracy } from "./metrics.ts";
import { adam, deleteMoments, momentNames, resetMoments } from "./optimisers.ts";
import type { BatchPlace, LabelledPixelSource, PixelSource } from "./pixelSource.ts";
import { Predictor } from "./prediction.ts";
import {
  checkTraining,
  type TrainingJob,
  type TrainingOptions,
  type TrainingOutcome,
  trainEpochs,
} from "./trainingLoop.ts";
import { captureTensors, restoreTensors, type StateTensors } from "./trainingState.ts";
import {
  addressInput,
  deleteAccumulators,
  dropoutAddresses,
  labelInput,
  resetAccumulators,
  type TrainableNetwork,
  TrainingStep,
} from "./trainingStep.ts";

export interface NetworkTrainingOptions extends TrainingOptions {
  /** Which parameters may change, by name; default all. */
  readonly trainable?: (name: string) => boolean;
  /**
   * Whether batch normalisation uses the batch's statistics, and moves the running ones, or stays frozen; one mode for all layers,
   * or by the layer's name. Default `training`.
   */
  readonly batchNorm?: BatchNormRule["mode"];
  /** Bytes of the host's memory that what the frozen part gives may take; default 1 GiB. */
  readonly cacheLimit?: number;
  /** Told while the frozen part runs over the training images. */
  readonly onPrepare?: (done: number, total: number) => void;
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
  options: Pick<NetworkTrainingOptions, "trainable" | "batchNorm" | "dropout"> = {},
): TrainableNetwork {
  const { trainable = () => true, batchNorm = "training", dropout = 0 } = options;
  const { classes, inputSize } = classifier;
  const { pixels, labels } = source.build(
    inputSize,
    source.mixes && classes ? oneHot(labelInput(), classes) : undefined,
  );
  const network = classifier.build(classifier.preprocess(pixels), {
    batchNorm,
    ...(dropout > 0 ? { dropout: { rate: dropout, address: addressInput() } } : {}),
  });
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
 * Trains a classifier's network in place, on pixels. Evaluation reads the same weights with frozen batch normalisation. What lies
 * before the first trainable layer needs no gradient; where its images never vary, it runs once for each of them.
 * Afterwards the classifier holds the weights of the best epoch by what is monitored. After a loss that was recovered from, it is
 * on the new device.
 * @throws DataError for labels out of range, empty parts or impossible options; WeightsError as `trainableNetwork`;
 * LimitError when the batch does not fit; NonFiniteError within the step in which a NaN or an infinity appears, naming the
 * op, with the parameters as before that step and the running statistics as before that epoch; DeviceLostError without
 * `recovery`; what `checkpoint.save` throws; the signal's reason.
 */
export async function trainNetwork(
  classifier: Classifier,
  data: NetworkData,
  options: NetworkTrainingOptions = {},
): Promise<TrainingOutcome> {
  const { train, validation } = data;
  const network = trainableNetwork(classifier, train, options);
  checkTraining(train.labels, classifier.classes as number, options);
  if (validation.count === 0)
    throw new DataError("expected at least one validation image, found none; choose another split");
  const trainer = new NetworkTrainer(classifier, data, network, options);
  await trainer.begin();
  try {
    const { job, tensors, history, best } = await trainEpochs(
      (device) => trainer.open(device),
      classifier.device,
      options,
    );
    restoreTensors(classifier.parameters, tensors);
    job.dispose();
    return { history, best };
  } catch (error) {
    if (error instanceof NonFiniteError) trainer.restoreStatistics();
    throw error;
  }
}

/** What a training of a classifier keeps while devices come and go. */
class NetworkTrainer {
  readonly #updated: readonly string[];
  readonly #changing: ReadonlySet<string>;
  /** All weights at the start, to go on from on another device. */
  #first: StateTensors = new Map();
  /** The optimiser skips a step that is not finite; running statistics move with the forward pass, so they are put back. */
  #statistics: StateTensors = new Map();
  #cut: { readonly network: TrainableNetwork; readonly rows: ReturnType<typeof activationRows> } | null = null;
  #hasCut = false;

  constructor(
    readonly classifier: Classifier,
    readonly data: NetworkData,
    readonly network: TrainableNetwork,
    readonly options: NetworkTrainingOptions,
  ) {
    this.#updated = (network.statistics ?? []).map(updatedParameter);
    this.#changing = new Set([...network.trainable.keys(), ...this.#updated]);
  }

  async begin(): Promise<void> {
    if (this.options.recovery) this.#first = await this.classifier.tensors();
    await this.#takeStatistics();
  }

  async #takeStatistics(): Promise<void> {
    this.#statistics = await captureTensors(this.classifier.parameters, this.#updated);
  }

  restoreStatistics(): void {
    restoreTensors(this.classifier.parameters, this.#statistics);
  }

  async open(device: Device): Promise<TrainingJob> {
    const { classifier, data, options, network } = this;
    if (device !== classifier.device) classifier.moveTo(device, this.#first);
    const { parameters } = classifier;
    const { batch = 32, optimiser = adam(), accumulate = 1, cacheLimit = 2 ** 30, signal } = options;
    const shapes = [...network.trainable].map(([name, { shape }]) => [name, shape] as const);
    const cached = { changing: this.#changing, limit: cacheLimit, signal };
    resetMoments(parameters, optimiser, shapes);
    if (accumulate > 1) resetAccumulators(parameters, shapes);
    let predictor: Predictor | null = null;
    let step: TrainingStep | null = null;
    const dispose = (): void => {
      step?.dispose();
      predictor?.dispose();
      deleteMoments(parameters, optimiser, network.trainable.keys());
      if (accumulate > 1) deleteAccumulators(parameters, network.trainable.keys());
    };
    try {
      const predicting = await Predictor.ofChanging(classifier, data.validation, cached);
      predictor = predicting;
      if (!this.#hasCut) this.#cut = await this.#cutTraining(cacheLimit);
      this.#hasCut = true;
      const maxBatch = Math.min(batch, data.train.count);
      const stepOptions = { ...options, optimiser, maxBatch };
      step = await TrainingStep.create(device, parameters, this.#cut?.network ?? network, stepOptions);
      return {
        labels: data.train.labels,
        step,
        store: parameters,
        weights: [...this.#changing],
        moments: [...network.trainable.keys()].flatMap((name) => momentNames(optimiser, name)),
        batch: (indices, place) => this.#inputs(indices, place),
        validate: async () => {
          await this.#takeStatistics();
          const { labels } = data.validation;
          return lossAndAccuracy(await predicting.logits(), labels, classifier.classes as number);
        },
        dispose,
      };
    } catch (error) {
      dispose();
      throw error;
    }
  }

  /** The trained part alone with what the frozen one gives, when images never vary and it fits into `limit` bytes. */
  async #cutTraining(limit: number) {
    const { classifier, network, options } = this;
    const { train } = this.data;
    if (train.varies || train.mixes) return null;
    const graph = { outputs: { logits: network.logits }, updates: network.statistics };
    const cut = cutFrozenPart(graph, { changing: this.#changing, fed: new Set(["address"]) });
    if (!cut || cut.bytesPerSample * train.count > limit) return null;
    const { signal, onPrepare: onProgress } = options;
    const activations = await computeActivations(classifier, train, cut.frontier, { signal, onProgress });
    const { outputs, updates: statistics } = cut.graph;
    const trained = { logits: outputs.logits, trainable: network.trainable, statistics };
    return { network: trained, rows: activationRows(activations, train.count) };
  }

  async #inputs(indices: Uint32Array, place: BatchPlace): Promise<RunInputs> {
    const { dropout = 0, seed = 0 } = this.options;
    const inputs = this.#cut ? this.#cut.rows(indices) : await this.data.train.inputs(indices, place);
    return dropout > 0 ? { ...inputs, address: dropoutAddresses(indices, seed, place.epoch) } : inputs;
  }
}

const updatedParameter = (node: Node): string => node.inputs[0].node.attributes.name;
