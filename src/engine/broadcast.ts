import { LimitError, ShapeError } from "./errors.ts";
import { BATCH, formatShape, type Shape } from "./types.ts";

/** The shape of an element-wise result, as NumPy broadcasts: aligned at the right, size 1 repeats. */
export function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const result: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1)
      throw new ShapeError(`shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast; sizes must be equal or 1`);
    result.push(left === 1 ? right : left);
  }
  if (result.includes(BATCH, 1))
    throw new ShapeError(`the batch must stay the first dimension, found ${formatShape(result)}`);
  return result;
}

/** The axes along which `from` is repeated to become `to`, and whether they are missing from `from` altogether. */
export function repeatedAxes(from: Shape, to: Shape): number[] {
  const missing = to.length - from.length;
  return to.flatMap((size, axis) => (axis < missing || (from[axis - missing] === 1 && size !== 1) ? [axis] : []));
}

/** Concrete sizes and element strides of both operands with neighbouring axes merged where neither, or both, repeat. */
export function broadcastStrides(
  a: Shape,
  b: Shape,
  y: Shape,
  rank: number,
): { sizes: number[]; a: number[]; b: number[] } {
  const axes = y.map((size, axis) => ({
    size,
    a: (a[axis - y.length + a.length] ?? 1) !== 1,
    b: (b[axis - y.length + b.length] ?? 1) !== 1,
  }));
  const merged: { size: number; a: boolean; b: boolean }[] = [];
  for (const axis of axes.filter(({ size }) => size !== 1)) {
    const last = merged[merged.length - 1];
    if (last && last.a === axis.a && last.b === axis.b) last.size *= axis.size;
    else merged.push({ ...axis });
  }
  if (merged.length > rank)
    throw new LimitError(
      `broadcasting ${formatShape(a)} with ${formatShape(b)} alternates on more than ${rank} axes; reshape first`,
    );
  while (merged.length < rank) merged.unshift({ size: 1, a: false, b: false });
  const stridesOf = (which: "a" | "b"): number[] => {
    let stride = 1;
    return merged
      .map((axis) => axis)
      .reverse()
      .map((axis) => {
        const own = axis[which] ? stride : 0;
        if (axis[which]) stride *= axis.size;
        return own;
      })
      .reverse();
  };
  return { sizes: merged.map(({ size }) => size), a: stridesOf("a"), b: stridesOf("b") };
}
