/** Where a classifier is wrong: calibration, pairs of classes that it mixes up, its surest mistakes. */
import { DataError } from "../engine/errors.ts";
import { argmaxOfRow, checkLogits } from "./metrics.ts";

/** Probabilities [N, classes] of logits, in float64, shifted by each row's maximum. Throws as `evaluateLogits`. */
export function probabilitiesOf(logits: ArrayLike<number>, classes: number): Float64Array {
  const result = new Float64Array(logits.length);
  for (let start = 0; start < logits.length; start += classes) {
    const largest = logits[start + argmaxOfRow(logits, start / classes, classes)];
    let total = 0;
    for (let column = 0; column < classes; column++)
      total += result[start + column] = Math.exp(logits[start + column] - largest);
    for (let column = 0; column < classes; column++) result[start + column] /= total;
  }
  return result;
}

/** Which images are answered rightly, 1 or 0 each; arguments and errors as `evaluateLogits`. */
export function correctAnswers(logits: ArrayLike<number>, labels: ArrayLike<number>, classes: number): Uint8Array {
  checkLogits(logits, labels, classes);
  return Uint8Array.from(labels, (label, row) => Number(argmaxOfRow(logits, row, classes) === label));
}

export interface ReliabilityBin {
  /** Confidences above `low` up to `high`; the first bin has 0 too. */
  readonly low: number;
  readonly high: number;
  readonly count: number;
  /** Means over the bin's images; null in an empty bin. */
  readonly confidence: number | null;
  readonly accuracy: number | null;
}

export interface Calibration {
  readonly count: number;
  /** Expected calibration error: Σ count/N · |accuracy − confidence|, in [0, 1]. */
  readonly ece: number;
  /** The largest gap of a bin. */
  readonly maximum: number;
  /** Mean confidence − accuracy: positive where the model is too sure of itself. */
  readonly overconfidence: number;
  readonly bins: readonly ReliabilityBin[];
}

/**
 * Reliability bins of equal width over the confidence, the largest probability, and the expected calibration error (Naeini,
 * Cooper and Hauskrecht 2015; Guo et al. 2017).
 * @param logits [N, classes], row-major
 * @throws as `evaluateLogits`; DataError for less than one bin
 */
export function calibrationOf(
  logits: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
  binCount = 15,
): Calibration {
  if (!(Number.isInteger(binCount) && binCount >= 1))
    throw new DataError(`expected one bin or more, found ${binCount}; give a whole number`);
  const correct = correctAnswers(logits, labels, classes);
  const probabilities = probabilitiesOf(logits, classes);
  const confidences = Float64Array.from(labels, (_, row) =>
    Math.max(...probabilities.subarray(row * classes, (row + 1) * classes)),
  );
  const rows = Array.from({ length: binCount }, () => ({ count: 0, confidence: 0, correct: 0 }));
  confidences.forEach((confidence, row) => {
    const bin = rows[Math.max(0, Math.ceil(confidence * binCount) - 1)];
    bin.count++;
    bin.confidence += confidence;
    bin.correct += correct[row];
  });
  const bins = rows.map(({ count, confidence, correct: right }, index) => ({
    low: index / binCount,
    high: (index + 1) / binCount,
    count,
    confidence: count > 0 ? confidence / count : null,
    accuracy: count > 0 ? right / count : null,
  }));
  const gaps = rows.map(({ count, confidence, correct: right }) => (count > 0 ? Math.abs(right - confidence) : 0));
  const total = labels.length;
  const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);
  return {
    count: total,
    ece: sum(gaps) / total,
    maximum: Math.max(...gaps.map((gap, index) => gap / Math.max(1, rows[index].count))),
    overconfidence: (sum(confidences) - sum(correct)) / total,
    bins,
  };
}

export interface ConfusedPair {
  /** Class indices. */
  readonly actual: number;
  readonly predicted: number;
  readonly count: number;
  /** Of the images of the true class, in [0, 1]. */
  readonly share: number;
}

/** The pairs (true class, answer) that are mixed up most, most frequent first, equal ones by share and then by class. */
export function confusedPairs(confusion: readonly (readonly number[])[], limit = 10): ConfusedPair[] {
  return confusion
    .flatMap((row, actual) => {
      const support = row.reduce((a, b) => a + b, 0);
      return row.flatMap((count, predicted) =>
        predicted !== actual && count > 0 ? [{ actual, predicted, count, share: count / support }] : [],
      );
    })
    .sort((a, b) => b.count - a.count || b.share - a.share || a.actual - b.actual || a.predicted - b.predicted)
    .slice(0, limit);
}

export interface ConfidentMistake {
  /** Place of the image in the test set. */
  readonly index: number;
  readonly actual: number;
  readonly predicted: number;
  /** Of the answer, and of the true class. */
  readonly confidence: number;
  readonly actualProbability: number;
}

/** The wrong answers, surest first; arguments and errors as `evaluateLogits`. */
export function confidentMistakes(
  logits: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
  limit = 20,
): ConfidentMistake[] {
  checkLogits(logits, labels, classes);
  const probabilities = probabilitiesOf(logits, classes);
  return Array.from(labels, (actual, index) => {
    const predicted = argmaxOfRow(logits, index, classes);
    const [confidence, actualProbability] = [predicted, actual].map((label) => probabilities[index * classes + label]);
    return { index, actual, predicted, confidence, actualProbability };
  })
    .filter(({ actual, predicted }) => actual !== predicted)
    .sort((a, b) => b.confidence - a.confidence || a.index - b.index)
    .slice(0, limit);
}
