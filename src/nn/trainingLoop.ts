import type { Device } from "../engine/device.ts";
import { DataError, NonFiniteError } from "../engine/errors.ts";
import type { ParameterStore } from "../engine/parameters.ts";
import type { RunInputs } from "../engine/plan/plan.ts";
import { epochOrder } from "../engine/random.ts";
import { type EarlyStoppingOptions, earlyStopping, type PlateauOptions, reduceOnPlateau } from "./callbacks.ts";
import { type BestEpoch, type EpochRecord, isBetter, type Monitor } from "./history.ts";
import { constantSchedule, type Optimiser, type Schedule } from "./optimisers.ts";
import { type BatchPlace, fetchAhead } from "./pixelSource.ts";
import {
  captureTensors,
  checkState,
  initialPosition,
  restoreTensors,
  type StateTensors,
  type TrainingPosition,
  type TrainingState,
} from "./trainingState.ts";
import type { StepOptions, TrainingStep } from "./trainingStep.ts";

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

export interface CheckpointOptions {
  /** Steps between checkpoints within an epoch; at the end of each epoch there is always one. Default none within. */
  readonly every?: number;
  /** Keeps a state; training goes on when it is kept, and ends with what this throws. */
  readonly save: (state: TrainingState) => Promise<void>;
}

export interface RecoveryOptions {
  /** The most steps that are done again after a loss: a copy on the host is at most this old. Default 50. */
  readonly every?: number;
  /** Another device in place of a lost one, on an adapter of its own: a device uses its adapter up. */
  readonly open: () => Promise<Device>;
}

export interface TrainingOptions extends StepOptions {
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
  /** Share of the features that each sample loses before the last layer; default 0. */
  readonly dropout?: number;
  /** Decides first values, order and dropout; the same seed gives the same bits on the same adapter. Default 0. */
  readonly seed?: number;
  /** What chooses the epoch whose weights are kept; default `valAccuracy`. */
  readonly monitor?: Monitor;
  /** Ends before the last epoch when what is monitored stops to improve. */
  readonly earlyStopping?: EarlyStoppingOptions;
  /** Lowers the learning rate when the validation loss stops to improve. */
  readonly plateau?: PlateauOptions;
  readonly checkpoint?: CheckpointOptions;
  /** Goes on from here to the very same history and weights as without the interruption. */
  readonly resume?: TrainingState;
  /** Rolls a training back and goes on when its device is lost; without it DeviceLostError ends the training. */
  readonly recovery?: RecoveryOptions;
  /** Stops before the next step, after a last checkpoint, by throwing the signal's reason. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TrainingProgress) => void;
  /** @param seconds wall time of the epoch in this process */
  readonly onEpoch?: (record: EpochRecord, seconds: number) => void;
}

export interface TrainingOutcome {
  readonly history: readonly EpochRecord[];
  /** The epoch whose weights were kept: the best on validation. */
  readonly best: BestEpoch;
}

/** What the loop trains, on one device. */
export interface TrainingJob {
  readonly labels: Int32Array;
  readonly step: TrainingStep;
  readonly store: ParameterStore;
  /** Parameters and running statistics that training changes. */
  readonly weights: readonly string[];
  /** Moments of the optimiser. */
  readonly moments: readonly string[];
  /** The network's inputs for these samples, in this order; asked for while the step before runs. */
  batch(indices: Uint32Array, place: BatchPlace): RunInputs | Promise<RunInputs>;
  /** Loss and accuracy on the validation samples with the current weights. */
  validate(): Promise<{ readonly loss: number; readonly accuracy: number }>;
  /** Frees what belongs to the training alone. */
  dispose(): void;
}

/** @throws DataError when there is nothing to train on, for a label out of range, or for options that no training can have. */
export function checkTraining(labels: Int32Array, classes: number, options: TrainingOptions): void {
  const { epochs = 10, batch = 32, learningRate = 1e-3, accumulate = 1, clipNorm = 1, l2 = 0 } = options;
  const { labelSmoothing = 0, dropout = 0, plateau, schedule } = options;
  if (labels.length === 0)
    throw new DataError("expected at least one image to train on, found none; choose other data");
  const stray = labels.find((label) => !(label >= 0 && label < classes));
  if (stray !== undefined)
    throw new DataError(`expected labels below ${classes}, found ${stray}; check the classes of the data`);
  for (const [name, value] of Object.entries({ epochs, batch, accumulate }))
    if (!(Number.isInteger(value) && value >= 1))
      throw new DataError(`expected ${name} of at least 1, found ${value}; give a whole number`);
  for (const [name, value] of Object.entries({ "a learning rate": learningRate, "a norm to clip to": clipNorm }))
    if (!(value > 0 && Number.isFinite(value)))
      throw new DataError(`expected ${name} above 0, found ${value}; give a positive number`);
  for (const [name, value] of Object.entries({ "label smoothing": labelSmoothing, dropout }))
    if (!(value >= 0 && value < 1))
      throw new DataError(`expected ${name} from 0 to below 1, found ${value}; give a share`);
  if (!(l2 >= 0 && Number.isFinite(l2)))
    throw new DataError(`expected an L2 penalty of at least 0, found ${l2}; give a small number`);
  if (plateau && schedule && schedule !== constantSchedule)
    throw new DataError("expected a schedule or plateaus to lower the learning rate, found both; leave one out");
}

/**
 * Trains for some epochs and measures after each. Loss and accuracy of an epoch are means over its samples, as Keras reports them.
 * @param open makes the job on a device; called again, on another device, when one was lost
 * @returns the outcome with the tensors of the best epoch, and the job as it is in the end, which the caller disposes
 */
export async function trainEpochs(
  open: (device: Device) => Promise<TrainingJob>,
  device: Device,
  options: TrainingOptions,
): Promise<TrainingOutcome & { readonly tensors: StateTensors; readonly job: TrainingJob }> {
  const { recovery } = options;
  let current = device;
  let job = await open(current);
  const run = new TrainingRun(options);
  let started = false;
  for (;;) {
    try {
      if (started) run.restore(job);
      else await run.start(job);
      started = true;
      return { ...(await run.finish(job)), job };
    } catch (error) {
      job.dispose();
      if (!recovery || !started || !(await current.wasLost(error))) throw error;
      current = await recovery.open();
      job = await open(current);
    }
  }
}

/** A training from where it stands to its end. */
class TrainingRun {
  #at: TrainingPosition = initialPosition;
  #best: StateTensors = new Map();
  /** What a lost device is rolled back to. */
  #snapshot: TrainingState | null = null;

  constructor(readonly options: TrainingOptions) {}

  async start(job: TrainingJob): Promise<void> {
    const { resume, recovery } = this.options;
    if (resume) {
      const { weights, moments, store, labels } = job;
      checkState(resume, store, { changing: [...weights, ...moments], weights }, labels.length);
      this.#snapshot = resume;
      this.restore(job);
    } else if (recovery) this.#snapshot = await this.#capture(job);
  }

  /** Puts the last snapshot into a job. */
  restore(job: TrainingJob): void {
    const { position, tensors, best } = this.#snapshot as TrainingState;
    this.#at = position;
    this.#best = best;
    restoreTensors(job.store, tensors);
    job.step.count = position.step;
  }

  async finish(job: TrainingJob): Promise<TrainingOutcome & { readonly tensors: StateTensors }> {
    const { epochs = 10, onEpoch } = this.options;
    while (this.#at.epoch <= epochs && !this.#at.stopped) {
      const started = performance.now();
      await this.#trainEpoch(job);
      const record = await this.#endEpoch(job);
      await this.#keep(job, true);
      onEpoch?.(record, (performance.now() - started) / 1000);
    }
    return { history: this.#at.history, best: this.#at.best as BestEpoch, tensors: this.#best };
  }

  /** The learning rate of a step, counted from 0. */
  #rateOf(step: number, samples: number): number {
    const { epochs = 10, batch = 32, accumulate = 1, learningRate = 1e-3, schedule = constantSchedule } = this.options;
    const stepsPerEpoch = Math.ceil(samples / (batch * accumulate));
    return learningRate * this.#at.plateau.factor * schedule(step, epochs * stepsPerEpoch, stepsPerEpoch);
  }

  /** The samples of the epoch that are not trained yet. */
  async #trainEpoch(job: TrainingJob): Promise<void> {
    const { epochs = 10, batch = 32, accumulate = 1, seed = 0, signal, onProgress } = this.options;
    const total = job.labels.length;
    const { epoch, position } = this.#at;
    const batches = fetchAhead(epochOrder(total, seed, epoch).subarray(position), batch, (indices, start) =>
      job.batch(indices, { epoch, first: position + start }),
    );
    let { lossSum, correct } = this.#at;
    for await (const { indices, start, inputs } of batches) {
      if (signal?.aborted && position + start === this.#at.position) await this.#stop(job, signal);
      const done = position + start + indices.length;
      const groupSize = batch * accumulate;
      const groupStart = Math.floor((position + start) / groupSize) * groupSize;
      const samples = Math.min(groupSize, total - groupStart);
      const isLast = done === groupStart + samples;
      const labels = Int32Array.from(indices, (index) => job.labels[index]);
      const rate = this.#rateOf(job.step.count, total);
      const result = await job.step.run(inputs, labels, rate, { samples, isLast });
      lossSum += result.loss * indices.length;
      correct += result.correct;
      if (isLast) {
        this.#at = { ...this.#at, position: done, step: job.step.count, lossSum, correct };
        await this.#keep(job, false);
      }
      onProgress?.({ epoch, epochs, done, total, loss: lossSum / done, accuracy: correct / done });
    }
  }

  async #endEpoch(job: TrainingJob): Promise<EpochRecord> {
    const { learningRate = 1e-3, monitor = "valAccuracy", earlyStopping: stopping, plateau } = this.options;
    const { epoch, lossSum, correct, step } = this.#at;
    const total = job.labels.length;
    const { loss: valLoss, accuracy: valAccuracy } = await job.validate();
    if (!Number.isFinite(valLoss))
      throw new NonFiniteError(
        `epoch ${epoch}: expected a finite validation loss, found ${valLoss}; check the validation images or lower the learning rate`,
      );
    const rate = this.#rateOf(step - 1, total);
    const means = { loss: lossSum / total, accuracy: correct / total };
    const record: EpochRecord = { epoch, ...means, valLoss, valAccuracy, learningRate: rate };
    let { best } = this.#at;
    if (isBetter(record, best, monitor)) {
      best = { epoch, valAccuracy, valLoss };
      this.#best = await captureTensors(job.store, job.weights);
    }
    const waited = stopping && earlyStopping(this.#at.earlyStopping, record, monitor, stopping);
    this.#at = {
      ...this.#at,
      epoch: epoch + 1,
      position: 0,
      lossSum: 0,
      correct: 0,
      history: [...this.#at.history, record],
      best,
      earlyStopping: waited?.state ?? this.#at.earlyStopping,
      stopped: waited?.stops ?? false,
      plateau: plateau ? reduceOnPlateau(this.#at.plateau, record, learningRate, plateau) : this.#at.plateau,
    };
    return record;
  }

  /** A snapshot and a checkpoint where they are due. */
  async #keep(job: TrainingJob, isEpochEnd: boolean): Promise<void> {
    const { checkpoint, recovery } = this.options;
    const isDue = (every: number | undefined): boolean =>
      isEpochEnd || (every !== undefined && every > 0 && this.#at.step % every === 0);
    const saves = checkpoint !== undefined && isDue(checkpoint.every);
    const copies = recovery !== undefined && isDue(recovery.every ?? 50);
    if (!saves && !copies) return;
    const state = await this.#capture(job);
    if (recovery) this.#snapshot = state;
    if (saves) await checkpoint.save(state);
  }

  async #stop(job: TrainingJob, signal: AbortSignal): Promise<never> {
    await this.options.checkpoint?.save(await this.#capture(job));
    throw signal.reason;
  }

  async #capture({ store, weights, moments }: TrainingJob): Promise<TrainingState> {
    const [position, best] = [this.#at, this.#best];
    return { position, tensors: await captureTensors(store, [...weights, ...moments]), best };
  }
}
