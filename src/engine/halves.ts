/** Float16 numbers (IEEE 754 binary16), two to an i32 word as `unpack2x16float` of WGSL reads them: the first in the low bits. */

/** A matrix [K, N] of two bytes a weight: the number at [k, n] is half [k, n] · scales[n]. */
export interface HalfMatrix {
  /** [K, N / 2] words. */
  readonly words: Int32Array;
  /** [N] powers of two. */
  readonly scales: Float32Array;
}

/** The exponent bits of a float32 in the range of numbers. */
const exponentOf = (bits: number): number => (bits >>> 23) & 0xff;
const nonFinite = 0xff;
const bias = 127;

/**
 * Rounds weights [K, columns] to halves. A power of two per column brings its largest finite weight to 1 … 2, so that no column is too
 * large or small for float16: a weight w of a column whose largest is m moves by at most max(|w| / 2¹¹, |m| / 2¹⁵). Halves are zero,
 * normal or not finite, never subnormal, which adapters may flush. NaN and infinities stay. `columns` must be even.
 */
export function halvesOf(weights: Float32Array, columns: number): HalfMatrix {
  const bits = new Uint32Array(weights.buffer, weights.byteOffset, weights.length);
  const exponents = new Uint8Array(columns);
  bits.forEach((word, at) => {
    const exponent = exponentOf(word);
    if (exponent !== nonFinite) exponents[at % columns] = Math.max(exponents[at % columns], exponent);
  });
  const scales = Float32Array.from(exponents, (exponent) => (exponent === 0 ? 1 : 2 ** (exponent - bias)));
  const words = new Int32Array(weights.length / 2);
  bits.forEach((word, at) => {
    words[at >> 1] |= halfBits(word, exponents[at % columns]) << (16 * (at & 1));
  });
  return { words, scales };
}

/** The half nearest to the float with these bits divided by 2^(exponent − 127); ties go to the even one. */
function halfBits(word: number, exponent: number): number {
  const sign = (word >>> 16) & 0x8000;
  const own = exponentOf(word);
  if (own === nonFinite) return sign | ((word & 0x7fffff) === 0 ? 0x7c00 : 0x7e00);
  const half = own - exponent + 15;
  // The smallest normal half is 2⁻¹⁴; what is below it becomes that, or from 2⁻¹⁵ down zero.
  if (own === 0 || half < 0) return sign;
  if (half === 0) return sign | 0x0400;
  const magnitude = half * 2 ** 23 + (word & 0x7fffff);
  return sign | ((magnitude + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

/** The number of a half's 16 bits. */
export function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = (bits & 0x3ff) / 1024;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15));
}

/** The halves of words in order, as numbers. */
export const halvesIn = (words: ArrayLike<number>): Float64Array =>
  Float64Array.from({ length: 2 * words.length }, (_, at) => halfValue((words[at >> 1] >>> (16 * (at & 1))) & 0xffff));
