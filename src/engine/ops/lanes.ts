/**
 * How many invocations share one row of a reduction: a power of two up to a workgroup of 64, about 16 elements each.
 * It follows from the row's length alone, so a result does not depend on the batch or the adapter.
 */
export function lanesFor(length: number): number {
  let lanes = 1;
  while (lanes < 64 && 16 * lanes < length) lanes *= 2;
  return lanes;
}

/**
 * Into how many partial sums a reduction over `perSample` elements of each sample is cut: about its square root, so that many
 * invocations share the work. The batch does not count, so the order of a sum over one sample is always the same.
 */
export function splitsFor(perSample: number): number {
  return perSample <= 128 ? 1 : Math.min(512, Math.ceil(Math.sqrt(perSample)));
}
