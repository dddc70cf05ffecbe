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
  /** Wall time; the only field that differs between two equal runs. */
  readonly seconds: number;
}

export interface BestEpoch {
  readonly epoch: number;
  readonly valAccuracy: number;
  readonly valLoss: number;
}

/** Whether an epoch is better: higher validation accuracy, at equal accuracy lower validation loss; else the earlier stays. */
export function isBetter(candidate: BestEpoch, best: BestEpoch | null): boolean {
  if (best === null || candidate.valAccuracy > best.valAccuracy) return true;
  return candidate.valAccuracy === best.valAccuracy && candidate.valLoss < best.valLoss;
}

const columns = [
  "epoch",
  "loss",
  "accuracy",
  "valLoss",
  "valAccuracy",
  "seconds",
] as const satisfies readonly (keyof EpochRecord)[];

/** A history as comma-separated values with a header line; numbers as short as they can be read back exactly. */
export function historyCsv(history: readonly EpochRecord[]): string {
  const lines = history.map((record) => columns.map((column) => String(record[column])).join(","));
  return `${[columns.join(","), ...lines].join("\n")}\n`;
}
