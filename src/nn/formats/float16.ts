/**
 * Conversions between binary32 and binary16 (IEEE 754-2008), on bit patterns so that NaN payloads survive.
 */

const roundHalfToEven = (value: number, dropped: number): number => {
  const half = 2 ** (dropped - 1);
  const kept = value >>> dropped;
  const rest = value & (2 ** dropped - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
};

const halfBits = (bits: number): number => {
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  const mantissa = bits & 0x7fffff;
  if (exponent === 0xff) {
    // A NaN whose payload lies in the dropped bits must not become an infinity.
    const payload = mantissa === 0 ? 0 : mantissa >>> 13 || 0x200;
    return sign | 0x7c00 | payload;
  }
  const unbiased = exponent - 127;
  // A carry out of the rounded mantissa runs into the exponent, which is the next number up: also at 65520 → ∞.
  if (unbiased > 15) return sign | 0x7c00;
  if (unbiased >= -14) return sign | (((unbiased + 15) << 10) + roundHalfToEven(mantissa, 13));
  if (unbiased < -25) return sign;
  return sign | roundHalfToEven(mantissa | 0x800000, -unbiased - 1);
};

const singleBits = (bits: number): number => {
  const sign = (bits & 0x8000) << 16;
  const exponent = (bits >>> 10) & 0x1f;
  let mantissa = bits & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (mantissa << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (mantissa << 13);
  if (mantissa === 0) return sign;
  let shift = 0;
  while ((mantissa & 0x400) === 0) {
    mantissa <<= 1;
    shift++;
  }
  return sign | ((113 - shift) << 23) | ((mantissa & 0x3ff) << 13);
};

/** Rounds to the nearest binary16, ties to even; beyond 65520 gives infinity. Returns the bit patterns. */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, halfBits);
}

/** Widens binary16 bit patterns exactly. */
export function float16ToFloat32(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = singleBits(halves[i]);
  return new Float32Array(bits.buffer);
}

/** Widens bfloat16 bit patterns exactly: they are the upper halves of binary32. */
export function bfloat16ToFloat32(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16;
  return new Float32Array(bits.buffer);
}
