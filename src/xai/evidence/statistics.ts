import { NonFiniteError, ShapeError } from "../../engine/errors.ts";

/**
 * Ranks from 1; equal values share the mean of their places (the usual treatment of ties).
 * @throws NonFiniteError for a value that is no number
 */
export function ranks(values: ArrayLike<number>): Float64Array {
  checkFinite(values);
  const order = Uint32Array.from({ length: values.length }, (_, index) => index).sort(
    (a, b) => values[a] - values[b] || a - b,
  );
  const result = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end]] === values[order[start]]) end++;
    for (let place = start; place < end; place++) result[order[place]] = (start + 1 + end) / 2;
    start = end;
  }
  return result;
}

/**
 * Pearson's correlation in [−1, 1]; null where one side is constant and there is nothing to correlate.
 * @throws ShapeError for lengths that differ, or fewer than two values
 */
export function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number | null {
  if (a.length !== b.length || a.length < 2)
    throw new ShapeError(`expected two lists of one length, at least 2, found ${a.length} and ${b.length} values`);
  const [meanA, meanB] = [mean(a), mean(b)];
  let [both, left, right] = [0, 0, 0];
  for (let index = 0; index < a.length; index++) {
    both += (a[index] - meanA) * (b[index] - meanB);
    left += (a[index] - meanA) ** 2;
    right += (b[index] - meanB) ** 2;
  }
  return left > 0 && right > 0 ? Math.min(1, Math.max(-1, both / Math.sqrt(left * right))) : null;
}

/** Spearman's rank correlation (1904): Pearson's of the ranks; null where one side is constant. Errors as `pearson`. */
export const spearman = (a: ArrayLike<number>, b: ArrayLike<number>): number | null => pearson(ranks(a), ranks(b));

/**
 * Area under the receiver operating characteristic: the chance that a positive scores above a negative, ties counting half
 * (Mann and Whitney 1947).
 * @throws ShapeError when one side is empty
 */
export function rocAuc(positives: ArrayLike<number>, negatives: ArrayLike<number>): number {
  if (positives.length === 0 || negatives.length === 0)
    throw new ShapeError(`expected scores on both sides, found ${positives.length} and ${negatives.length}`);
  const ranked = ranks([...Array.from(positives), ...Array.from(negatives)]);
  let total = 0;
  for (let index = 0; index < positives.length; index++) total += ranked[index];
  return (total - (positives.length * (positives.length + 1)) / 2) / (positives.length * negatives.length);
}

/** Area under a curve over [0, 1] by trapezoids. `places` rise from 0 to 1; throws ShapeError for other lengths. */
export function areaUnderCurve(places: ArrayLike<number>, values: ArrayLike<number>): number {
  if (places.length !== values.length || values.length < 2)
    throw new ShapeError(`expected one value for each of two places or more, found ${values.length}, ${places.length}`);
  let area = 0;
  for (let index = 1; index < values.length; index++)
    area += ((places[index] - places[index - 1]) * (values[index] + values[index - 1])) / 2;
  return area;
}

/** Places in falling order of their value, equal ones in the order of their index. @throws NonFiniteError */
export function fallingOrder(values: ArrayLike<number>): Uint32Array {
  checkFinite(values);
  return Uint32Array.from({ length: values.length }, (_, index) => index).sort(
    (a, b) => values[b] - values[a] || a - b,
  );
}

/** 1 at the `share` of places with the largest values (at least one), 0 elsewhere. */
export function topShare(values: ArrayLike<number>, share: number): Uint8Array {
  const count = Math.min(values.length, Math.max(1, Math.round(share * values.length)));
  const result = new Uint8Array(values.length);
  for (const place of fallingOrder(values).subarray(0, count)) result[place] = 1;
  return result;
}

/** Intersection over union of two sets of places (anything but 0 is inside); null where both are empty. */
export function intersectionOverUnion(a: ArrayLike<number>, b: ArrayLike<number>): number | null {
  let [both, either] = [0, 0];
  for (let index = 0; index < a.length; index++) {
    if (a[index] && b[index]) both++;
    if (a[index] || b[index]) either++;
  }
  return either > 0 ? both / either : null;
}

export function mean(values: ArrayLike<number>): number {
  let total = 0;
  for (let index = 0; index < values.length; index++) total += values[index];
  return total / values.length;
}

/** Mean of those that are numbers; null where there is none. */
export function meanOfKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value): value is number => value !== null);
  return known.length > 0 ? mean(known) : null;
}

function checkFinite(values: ArrayLike<number>): void {
  for (let index = 0; index < values.length; index++)
    if (!Number.isFinite(values[index]))
      throw new NonFiniteError(`expected finite values, found ${values[index]} at index ${index}; check the map`);
}
