import { DataError, NonFiniteError, ShapeError } from "../engine/errors.ts";

/** How well one class is told apart. A precision or recall with nothing to divide by is null. */
export interface ClassScore {
  readonly name: string;
  /** Of the images predicted as this class, the share that is of it. */
  readonly precision: number | null;
  /** Of the images of this class, the share predicted as it. */
  readonly recall: number | null;
  /** The harmonic mean of both, 2·right / (predicted + support); null where neither is defined. */
  readonly f1: number | null;
  /** Images of this class. */
  readonly support: number;
}

export interface Evaluation {
  readonly count: number;
  /** Share of images whose largest logit is that of their class, in [0, 1]. */
  readonly accuracy: number;
  /** Mean cross-entropy of the images, in nats. */
  readonly loss: number;
  readonly perClass: readonly ClassScore[];
  /** Rows are true classes, columns predicted ones. */
  readonly confusion: readonly (readonly number[])[];
}

/** Index of the largest value of row `row` of a matrix with `columns` columns; the first of equal ones. */
export function argmaxOfRow(values: ArrayLike<number>, row: number, columns: number): number {
  const start = row * columns;
  let best = 0;
  for (let column = 1; column < columns; column++) if (values[start + column] > values[start + best]) best = column;
  return best;
}

/** The `k` largest values of a row, largest first, equal ones in the order of their index. */
export function topOfRow(
  values: ArrayLike<number>,
  row: number,
  columns: number,
  k: number,
): { readonly index: number; readonly value: number }[] {
  return Array.from({ length: columns }, (_, index) => ({ index, value: values[row * columns + index] }))
    .sort((a, b) => b.value - a.value || a.index - b.index)
    .slice(0, k);
}

/** −log softmax(row)[label] in float64, shifted by the row's maximum so that nothing overflows. */
function crossEntropyOfRow(logits: ArrayLike<number>, row: number, columns: number, label: number): number {
  const start = row * columns;
  const largest = logits[start + argmaxOfRow(logits, row, columns)];
  let total = 0;
  for (let column = 0; column < columns; column++) total += Math.exp(logits[start + column] - largest);
  return Math.log(total) - (logits[start + label] - largest);
}

/** Throws as `evaluateLogits`. */
export function checkLogits(logits: ArrayLike<number>, labels: ArrayLike<number>, classes: number): void {
  if (labels.length === 0)
    throw new DataError("expected at least one image to evaluate, found none; choose other data");
  if (logits.length !== labels.length * classes)
    throw new ShapeError(
      `expected ${labels.length} × ${classes} logits, found ${logits.length}; give one row for each label`,
    );
  for (let index = 0; index < logits.length; index++)
    if (!Number.isFinite(logits[index]))
      throw new NonFiniteError(
        `expected finite logits, found ${logits[index]} for image ${Math.floor(index / classes)}; check weights and input`,
      );
  for (let index = 0; index < labels.length; index++)
    if (!(Number.isInteger(labels[index]) && labels[index] >= 0 && labels[index] < classes))
      throw new DataError(`expected labels below ${classes}, found ${labels[index]}; check the classes of the data`);
}

/** Mean cross-entropy and accuracy alone, as after each epoch; arguments and errors as `evaluateLogits`. */
export function lossAndAccuracy(
  logits: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
): { readonly loss: number; readonly accuracy: number } {
  checkLogits(logits, labels, classes);
  let loss = 0;
  let correct = 0;
  for (let row = 0; row < labels.length; row++) {
    loss += crossEntropyOfRow(logits, row, classes, labels[row]);
    if (argmaxOfRow(logits, row, classes) === labels[row]) correct++;
  }
  return { loss: loss / labels.length, accuracy: correct / labels.length };
}

/**
 * Everything an evaluation reports, in float64.
 * @param logits [N, classes], row-major.
 * @param labels [N], each below the number of class names.
 * @throws DataError without images or for a label without a class; ShapeError when logits and labels disagree;
 * NonFiniteError for a logit that is no number, since no comparison with it means anything.
 */
export function evaluateLogits(
  logits: ArrayLike<number>,
  labels: ArrayLike<number>,
  classNames: readonly string[],
): Evaluation {
  const classes = classNames.length;
  const { loss, accuracy } = lossAndAccuracy(logits, labels, classes);
  const confusion = classNames.map(() => new Array<number>(classes).fill(0));
  for (let row = 0; row < labels.length; row++) confusion[labels[row]][argmaxOfRow(logits, row, classes)]++;
  const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);
  const perClass = classNames.map((name, index) => {
    const support = confusion[index].reduce((sum, count) => sum + count, 0);
    const predicted = confusion.reduce((sum, row) => sum + row[index], 0);
    const right = confusion[index][index];
    return {
      name,
      precision: share(right, predicted),
      recall: share(right, support),
      f1: share(2 * right, predicted + support),
      support,
    };
  });
  return { count: labels.length, accuracy, loss, perClass, confusion };
}

/** Share of images whose class is among the `k` largest logits; arguments and errors as `evaluateLogits`. */
export function topAccuracy(logits: ArrayLike<number>, labels: ArrayLike<number>, classes: number, k: number): number {
  checkLogits(logits, labels, classes);
  let hits = 0;
  for (let row = 0; row < labels.length; row++)
    if (topOfRow(logits, row, classes, k).some(({ index }) => index === labels[row])) hits++;
  return hits / labels.length;
}
