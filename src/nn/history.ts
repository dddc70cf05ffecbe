/** One epoch of training. Losses are in nats, accuracies in [0, 1]. */
export interface EpochRecord {
  /** From 1. */
  readonly epoch: number;
  /** Means over the epoch's images, each measured with the weights of its own step, as Keras reports them. */
  readonly loss: number;
  readonly accuracy: number;
  /** Measured on the validation images with the weights at the end of the epoch. */
  readonly valLoss: number;
  readonly valAccuracy: number;
  /** Of the epoch's last step, after schedule and plateaus. */
  readonly learningRate: number;
}

export interface BestEpoch {
  readonly epoch: number;
  readonly valAccuracy: number;
  readonly valLoss: number;
}

/** What chooses the epoch whose weights are kept, and what early stopping watches. */
export const monitors = ["valAccuracy", "valLoss"] as const;
export type Monitor = (typeof monitors)[number];

/**
 * Whether an epoch is better: higher validation accuracy, at equal accuracy lower validation loss; or, watching `valLoss`, lower
 * validation loss alone. Else the earlier stays.
 */
export function isBetter(candidate: BestEpoch, best: BestEpoch | null, monitor: Monitor = "valAccuracy"): boolean {
  if (best === null) return true;
  if (monitor === "valLoss") return candidate.valLoss < best.valLoss;
  if (candidate.valAccuracy > best.valAccuracy) return true;
  return candidate.valAccuracy === best.valAccuracy && candidate.valLoss < best.valLoss;
}

const columns = [
  "epoch",
  "loss",
  "accuracy",
  "valLoss",
  "valAccuracy",
  "learningRate",
] as const satisfies readonly (keyof EpochRecord)[];

/** A history as comma-separated values with a header line; numbers as short as they can be read back exactly. */
export function historyCsv(history: readonly EpochRecord[]): string {
  const lines = history.map((record) => columns.map((column) => String(record[column])).join(","));
  return `${[columns.join(","), ...lines].join("\n")}\n`;
}

/** The history and the kept epoch as the text of `history.json`. */
export const historyJson = (history: readonly EpochRecord[], best: BestEpoch | null): string =>
  `${JSON.stringify({ history, best }, null, 2)}\n`;
