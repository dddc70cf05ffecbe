/** Where a training stands, complete: what a checkpoint holds, and what a lost device is rolled back to. */
import { DataError } from "../engine/errors.ts";
import type { ParameterStore } from "../engine/parameters.ts";
import { initialPlateau, initialWaiting, type PlateauState, type Waiting } from "./callbacks.ts";
import type { WeightTensor } from "./formats/weightSet.ts";
import type { BestEpoch, EpochRecord } from "./history.ts";

/** The numbers of a training's state; plain JSON. Every random draw follows from the seed, `epoch` and `position`. */
export interface TrainingPosition {
  /** The epoch that is trained next or just now, from 1. */
  readonly epoch: number;
  /** Samples of its order that are trained. */
  readonly position: number;
  /** Steps of the optimiser. */
  readonly step: number;
  /** Sums over the samples of this epoch so far. */
  readonly lossSum: number;
  readonly correct: number;
  readonly history: readonly EpochRecord[];
  readonly best: BestEpoch | null;
  readonly earlyStopping: Waiting;
  readonly plateau: PlateauState;
  /** True when early stopping ended the training. */
  readonly stopped: boolean;
}

export type StateTensors = ReadonlyMap<string, WeightTensor>;

export interface TrainingState {
  readonly position: TrainingPosition;
  /** Everything that training changes: parameters, running statistics, moments of the optimiser. */
  readonly tensors: StateTensors;
  /** Parameters and running statistics of the best epoch; empty before the first ended. */
  readonly best: StateTensors;
}

export const initialPosition: TrainingPosition = {
  epoch: 1,
  position: 0,
  step: 0,
  lossSum: 0,
  correct: 0,
  history: [],
  best: null,
  earlyStopping: initialWaiting,
  plateau: initialPlateau,
  stopped: false,
};

/** Copies parameters of a store to the host. */
export async function captureTensors(store: ParameterStore, names: readonly string[]): Promise<StateTensors> {
  const values = await Promise.all(names.map((name) => store.get(name)));
  return new Map(
    names.map((name, index) => [name, { shape: [...store.shape(name)], data: values[index] as Float32Array }]),
  );
}

/** Writes tensors into a store that has them already. Throws ShapeError for other shapes. */
export function restoreTensors(store: ParameterStore, tensors: StateTensors): void {
  for (const [name, { data, shape }] of tensors) store.set(name, data, shape);
}

/** @throws DataError unless the state is one of this training: the same tensors, a position within its epochs. */
export function checkState(
  { tensors, best, position }: TrainingState,
  store: ParameterStore,
  names: { readonly changing: readonly string[]; readonly weights: readonly string[] },
  samples: number,
): void {
  const fail = (expected: string, found: string): never => {
    throw new DataError(
      `the checkpoint is of another training: expected ${expected}, found ${found}; resume with the options, data and weights that it was made with`,
    );
  };
  const check = (found: StateTensors, expected: readonly string[]): void => {
    const missing = expected.find((name) => found.get(name)?.shape.join() !== store.shape(name).join());
    if (missing !== undefined)
      fail(`${missing} of ${store.shape(missing).join("×")}`, found.get(missing)?.shape.join("×") ?? "none");
    if (found.size !== expected.length) fail(`${expected.length} tensors`, `${found.size}`);
  };
  check(tensors, names.changing);
  check(best, position.best === null ? [] : names.weights);
  if (position.position > samples) fail(`at most ${samples} trained samples in an epoch`, `${position.position}`);
  if (position.history.length !== position.epoch - 1)
    fail(`a history of ${position.epoch - 1} epochs`, `${position.history.length}`);
}
