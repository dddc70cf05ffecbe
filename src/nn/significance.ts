/** How sure an accuracy, or a difference of accuracies, is: bootstrap intervals and paired tests. */
import { DataError, ShapeError } from "../engine/errors.ts";
import { CounterRandom } from "../engine/random.ts";

export interface Interval {
  /** Of the images themselves. */
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  /** Share of resampled means that the interval holds; default 0.95. */
  readonly level?: number;
  /** Resamplings; default 2000. */
  readonly resamples?: number;
  readonly seed?: number;
}

/** Keeps these draws apart from other uses of a seed. */
const bootstrapStream = 0x0b007000;

/** The value below which the share `q` of ascending values lies, interpolated (Hyndman and Fan 1996, type 7). */
function quantile(ascending: Float64Array, q: number): number {
  const place = q * (ascending.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, ascending.length - 1);
  return ascending[below] + (place - below) * (ascending[above] - ascending[below]);
}

const meanOf = (values: ArrayLike<number>): number => {
  let total = 0;
  for (let index = 0; index < values.length; index++) total += values[index];
  return total / values.length;
};

/**
 * The percentile bootstrap interval of a statistic (Efron 1979): images are drawn again with replacement, as many as there are.
 * @param statistic gets the numbers of the drawn images; a result that is not finite is left out
 * @throws DataError without images, for a level outside (0, 1) or fewer than two resamplings
 */
export function resampledStatistic(
  count: number,
  statistic: (drawn: Uint32Array) => number,
  { level = 0.95, resamples = 2000, seed = 0 }: BootstrapOptions = {},
): { readonly low: number; readonly high: number } {
  if (count === 0) throw new DataError("expected at least one image to resample, found none");
  if (!(level > 0 && level < 1) || !(Number.isInteger(resamples) && resamples >= 2))
    throw new DataError(`expected a level in (0, 1) and two resamplings or more, found ${level} and ${resamples}`);
  const random = new CounterRandom(seed, bootstrapStream);
  const drawn = new Uint32Array(count);
  const results = new Float64Array(resamples);
  for (let round = 0; round < resamples; round++) {
    for (let place = 0; place < count; place++) drawn[place] = random.integer(count);
    results[round] = statistic(drawn);
  }
  const finite = results.filter(Number.isFinite).sort();
  return { low: quantile(finite, (1 - level) / 2), high: quantile(finite, (1 + level) / 2) };
}

/**
 * The bootstrap interval of a mean.
 * @param scores one number an image, such as 1 where it was answered rightly and 0 elsewhere, or the mean of that over seeds
 * @throws DataError as `resampledStatistic`
 */
export function bootstrapInterval(scores: ArrayLike<number>, options: BootstrapOptions = {}): Interval {
  const interval = resampledStatistic(
    scores.length,
    (drawn) => {
      let total = 0;
      for (const image of drawn) total += scores[image];
      return total / drawn.length;
    },
    options,
  );
  return { mean: meanOf(scores), ...interval };
}

function checkPairs(first: ArrayLike<number>, second: ArrayLike<number>): void {
  if (first.length !== second.length || first.length === 0)
    throw new ShapeError(
      `expected scores of the same images, found ${first.length} and ${second.length}; evaluate both on one test set`,
    );
}

/** The bootstrap interval of mean(second) − mean(first), images drawn in pairs. Throws as `bootstrapInterval`, ShapeError. */
export function pairedDifference(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  options: BootstrapOptions = {},
): Interval {
  checkPairs(first, second);
  return bootstrapInterval(
    Array.from(second, (score, index) => score - first[index]),
    options,
  );
}

export interface McNemar {
  /** Images that only the first, and only the second, answered rightly. */
  readonly onlyFirst: number;
  readonly onlySecond: number;
  /** Two-sided: how probable a split at least as uneven is when both are equally good. */
  readonly p: number;
}

/**
 * McNemar's test (1947) in its exact form: the images on which two models disagree are split as by a fair coin.
 * @param first, second 1 or true where an image was answered rightly
 * @throws ShapeError unless both are of the same images
 */
export function mcNemar(first: ArrayLike<number | boolean>, second: ArrayLike<number | boolean>): McNemar {
  checkPairs(first as ArrayLike<number>, second as ArrayLike<number>);
  let onlyFirst = 0;
  let onlySecond = 0;
  for (let index = 0; index < first.length; index++) {
    if (first[index] && !second[index]) onlyFirst++;
    if (second[index] && !first[index]) onlySecond++;
  }
  const total = onlyFirst + onlySecond;
  // Logarithms, because 2^−1000 is 0.
  let logTerm = -total * Math.LN2;
  let tail = 0;
  for (let k = 0; k <= Math.min(onlyFirst, onlySecond); k++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log((total - k) / (k + 1));
  }
  return { onlyFirst, onlySecond, p: Math.min(1, 2 * tail) };
}
