import { DataError } from "../engine/errors.ts";
import type { RunInputs } from "../engine/plan/plan.ts";
import { epochOrder } from "../engine/random.ts";
import { type BestEpoch, type EpochRecord, isBetter } from "./history.ts";
import { constantSchedule, type Optimiser, type Schedule } from "./optimisers.ts";
import { type BatchPlace, fetchAhead } from "./pixelSource.ts";
import type { TrainingStep } from "./trainingStep.ts";

export interface TrainingProgress {
  readonly epoch: number;
  readonly epochs: number;
  /** Images of this epoch that were trained on, of `total`. */
  readonly done: number;
  readonly total: number;
  /** Running means of this epoch. */
  readonly loss: number;
  readonly accuracy: number;
}

export interface TrainingOptions {
  /** Default 10. */
  readonly epochs?: number;
  /** Samples a step; the last step of an epoch takes what is left. Default 32. */
  readonly batch?: number;
  /** Default 1e-3. */
  readonly learningRate?: number;
  /** Factor on the learning rate at each step; default constant. */
  readonly schedule?: Schedule;
  /** Default Adam. */
  readonly optimiser?: Optimiser;
  /** Decides first values and order; the same seed gives the same bits on the same adapter. Default 0. */
  readonly seed?: number;
  /** Stops before the next step by throwing the signal's reason. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TrainingProgress) => void;
  readonly onEpoch?: (record: EpochRecord) => void;
}

export interface TrainingOutcome {
  readonly history: readonly EpochRecord[];
  /** The epoch whose weights were kept: the best on validation. */
  readonly best: BestEpoch;
}

/** What the loop trains. */
export interface TrainingJob {
  readonly labels: Int32Array;
  readonly step: TrainingStep;
  /** The network's inputs for these samples, in this order; asked for while the step before runs. */
  batch(indices: Uint32Array, place: BatchPlace): RunInputs | Promise<RunInputs>;
  /** Loss and accuracy on the validation samples with the current weights. */
  validate(): Promise<{ readonly loss: number; readonly accuracy: number }>;
  /** Keeps the current weights as the best. */
  keep(): Promise<void>;
}

/** @throws DataError when there is nothing to train on, for a label out of range, or for options that no training can have. */
export function checkTraining(
  labels: Int32Array,
  classes: number,
  { epochs = 10, batch = 32, learningRate = 1e-3 }: TrainingOptions,
): void {
  if (labels.length === 0)
    throw new DataError("expected at least one image to train on, found none; choose other data");
  const stray = labels.find((label) => !(label >= 0 && label < classes));
  if (stray !== undefined)
    throw new DataError(`expected labels below ${classes}, found ${stray}; check the classes of the data`);
  for (const [name, value] of Object.entries({ epochs, batch }))
    if (!(Number.isInteger(value) && value >= 1))
      throw new DataError(`expected ${name} of at least 1, found ${value}; give a whole number`);
  if (!(learningRate > 0 && Number.isFinite(learningRate)))
    throw new DataError(`expected a learning rate above 0, found ${learningRate}; give a positive number`);
}

/**
 * Trains for some epochs, measures after each, and calls `keep` whenever the weights are the best so far.
 * Loss and accuracy of an epoch are means over its samples, as Keras reports them.
 */
export async function trainEpochs(job: TrainingJob, options: TrainingOptions): Promise<TrainingOutcome> {
  const history: EpochRecord[] = [];
  let best: BestEpoch | null = null;
  for (let epoch = 1; epoch <= (options.epochs ?? 10); epoch++) {
    const started = performance.now();
    const { loss, accuracy } = await trainEpoch(job, epoch, options);
    const validation = await job.validate();
    const seconds = (performance.now() - started) / 1000;
    const measured = { valLoss: validation.loss, valAccuracy: validation.accuracy };
    const record: EpochRecord = { epoch, loss, accuracy, ...measured, seconds };
    if (isBetter(record, best)) {
      best = { epoch, valAccuracy: record.valAccuracy, valLoss: record.valLoss };
      await job.keep();
    }
    history.push(record);
    options.onEpoch?.(record);
  }
  return { history, best: best as BestEpoch };
}

async function trainEpoch(
  job: TrainingJob,
  epoch: number,
  options: TrainingOptions,
): Promise<{ loss: number; accuracy: number }> {
  const { epochs = 10, batch = 32, learningRate = 1e-3, schedule = constantSchedule, seed = 0, signal } = options;
  const total = job.labels.length;
  const steps = epochs * Math.ceil(total / batch);
  const batches = fetchAhead(epochOrder(total, seed, epoch), batch, (indices, first) =>
    job.batch(indices, { epoch, first }),
  );
  let lossSum = 0;
  let correct = 0;
  for await (const { indices, start, inputs } of batches) {
    signal?.throwIfAborted();
    const labels = Int32Array.from(indices, (index) => job.labels[index]);
    const rate = learningRate * schedule(job.step.count, steps);
    const result = await job.step.run(inputs, labels, rate);
    lossSum += result.loss * indices.length;
    correct += result.correct;
    const done = start + indices.length;
    options.onProgress?.({ epoch, epochs, done, total, loss: lossSum / done, accuracy: correct / done });
  }
  return { loss: lossSum / total, accuracy: correct / total };
}
