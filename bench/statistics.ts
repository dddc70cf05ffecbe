/** Milliseconds of a workload: the middle of the rounds, and the value that 95 % of them stay below. */
export interface Timing {
  readonly median: number;
  readonly p95: number;
}

/** By nearest rank; NaN without values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export const timingOf = (values: readonly number[]): Timing => ({
  median: rounded(median(values)),
  p95: rounded(quantile(values, 0.95)),
});

/** Three digits after the point: a microsecond of a millisecond. */
export const rounded = (value: number): number => Math.round(value * 1000) / 1000;

/** The largest |got − want| in units of the largest |want|; NaN when anything is not finite or the lengths differ. */
export function relativeDifference(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Number.NaN;
  let difference = 0;
  let largest = 0;
  for (let index = 0; index < want.length; index++) {
    const distance = Math.abs(got[index] - want[index]);
    if (!Number.isFinite(distance)) return Number.NaN;
    difference = Math.max(difference, distance);
    largest = Math.max(largest, Math.abs(want[index]));
  }
  return difference / largest;
}

/** The share of values of 0 to 255 that lie at most 1 apart; NaN when the lengths differ. What is not finite equals nothing. */
export function shareOfEqualPixels(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Number.NaN;
  let equal = 0;
  for (let index = 0; index < want.length; index++) if (Math.abs(got[index] - want[index]) <= 1) equal++;
  return equal / want.length;
}

/** The cosine of the angle between two vectors; NaN when anything is not finite or the lengths differ. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.NaN;
  let product = 0;
  let normA = 0;
  let normB = 0;
  for (let index = 0; index < a.length; index++) {
    product += a[index] * b[index];
    normA += a[index] ** 2;
    normB += b[index] ** 2;
  }
  return product / Math.sqrt(normA * normB);
}
