/** What may change the course of training after an epoch, in Keras' rules, as functions of plain states that a checkpoint keeps. */
import type { EpochRecord, Monitor } from "./history.ts";

export interface EarlyStoppingOptions {
  /** Epochs without improvement after which training ends. */
  readonly patience: number;
  /** The least change that counts as an improvement; default 0. */
  readonly minDelta?: number;
}

export interface PlateauOptions {
  /** What the learning rate is multiplied by; default 0.1. */
  readonly factor?: number;
  /** Epochs without improvement of the validation loss before that; default 10. */
  readonly patience?: number;
  /** The least change that counts as an improvement; default 1e-4. */
  readonly minDelta?: number;
  /** Epochs after a reduction in which nothing is counted; default 0. */
  readonly cooldown?: number;
  /** The learning rate is not reduced below; default 0. */
  readonly minLearningRate?: number;
}

/** The best value seen, `null` before the first epoch, and epochs since. */
export interface Waiting {
  readonly best: number | null;
  readonly wait: number;
}

export interface PlateauState extends Waiting {
  readonly cooldown: number;
  /** Factor on the learning rate so far. */
  readonly factor: number;
}

export const initialWaiting: Waiting = { best: null, wait: 0 };
export const initialPlateau: PlateauState = { ...initialWaiting, cooldown: 0, factor: 1 };

const improves = (value: number, best: number | null, monitor: Monitor, minDelta: number): boolean =>
  best === null || (monitor === "valLoss" ? value < best - minDelta : value > best + minDelta);

/** EarlyStopping after an epoch: the new state, and whether training ends. */
export function earlyStopping(
  state: Waiting,
  record: EpochRecord,
  monitor: Monitor,
  { patience, minDelta = 0 }: EarlyStoppingOptions,
): { readonly state: Waiting; readonly stops: boolean } {
  const value = record[monitor];
  if (improves(value, state.best, monitor, minDelta)) return { state: { best: value, wait: 0 }, stops: false };
  const wait = state.wait + 1;
  return { state: { best: state.best, wait }, stops: wait >= patience };
}

/** ReduceLROnPlateau after an epoch, on the validation loss; `learningRate` is the one that the factor multiplies. */
export function reduceOnPlateau(
  state: PlateauState,
  record: EpochRecord,
  learningRate: number,
  { factor = 0.1, patience = 10, minDelta = 1e-4, cooldown = 0, minLearningRate = 0 }: PlateauOptions,
): PlateauState {
  const left = Math.max(0, state.cooldown - 1);
  const before = state.cooldown > 0 ? 0 : state.wait;
  const value = record.valLoss;
  if (improves(value, state.best, "valLoss", minDelta)) return { ...state, best: value, wait: 0, cooldown: left };
  if (left > 0) return { ...state, wait: 0, cooldown: left };
  const wait = before + 1;
  if (wait < patience) return { ...state, wait, cooldown: 0 };
  const least = Math.min(1, minLearningRate / learningRate);
  return { ...state, wait: 0, cooldown, factor: Math.max(state.factor * factor, least) };
}
