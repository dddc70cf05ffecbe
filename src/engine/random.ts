/**
 * Counter-based random numbers: Philox-4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011). A number is a pure function of its address (seed, stream, sample, op, lane), so a batch may be cut,
 * reordered or resumed without changing a draw, and src/shaders/random.wgsl gives the same bits on the GPU.
 *
 * Words of a block: key = (seed, stream), counter = (block, blockHigh, op, sample); lane n is word n mod 4 of block
 * floor(n / 4). Seeds, streams, samples and ops are taken modulo 2^32.
 */
import { ShapeError } from "./errors.ts";

export type Words2 = [number, number];
export type Words4 = [number, number, number, number];

/** Where a random number stands. `stream` is usually the epoch; `lane` counts the draws of one (sample, op). */
export interface RandomAddress {
  seed: number;
  stream: number;
  sample: number;
  op: number;
  lane: number;
}

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;
const TWO_32 = 2 ** 32;

/** The upper 32 bits of the 64-bit product of two uint32, by halves of 16 bits because WGSL and Math.imul lack it. */
export function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const cross = aHigh * bLow;
  const middle = ((aLow * bLow) >>> 16) + (cross & 0xffff) + aLow * bHigh;
  return (aHigh * bHigh + (cross >>> 16) + (middle >>> 16)) >>> 0;
}

/** One block of Philox-4x32-10: four uint32 from a counter of four words and a key of two. */
export function philox4x32(counter: Words4, key: Words2): Words4 {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0) >>> 0;
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

function block(seed: number, stream: number, index: number, op: number, sample: number): Words4 {
  return philox4x32(
    [index >>> 0, Math.floor(index / TWO_32) >>> 0, op >>> 0, sample >>> 0],
    [seed >>> 0, stream >>> 0],
  );
}

/** The uint32 at a full address. */
export function randomBitsAt({ seed, stream, sample, op, lane }: RandomAddress): number {
  return block(seed, stream, Math.floor(lane / 4), op, sample)[lane % 4];
}

/** The number in [0, 1) at a full address; 24 bits, so float32 holds it exactly. */
export function uniformAt(address: RandomAddress): number {
  return bitsToUniform(randomBitsAt(address));
}

/** The uint32 number `counter` (an integer from 0 to 2^53 − 1) of a stream: sample 0, op 0. */
export function randomBits(seed: number, stream: number, counter: number): number {
  return block(seed, stream, Math.floor(counter / 4), 0, 0)[counter % 4];
}

/** The upper 24 bits of a uint32 as a number in [0, 1). */
export function bitsToUniform(bits: number): number {
  return (bits >>> 8) * 2 ** -24;
}

/** Uniform in [0, 1) with 24 bits, so float32 holds it exactly. */
export function uniform(seed: number, stream: number, counter: number): number {
  return bitsToUniform(randomBits(seed, stream, counter));
}

/** Box and Muller (1958): one standard normal number from two uniform ones in [0, 1). */
function boxMuller(first: number, second: number): number {
  return Math.sqrt(-2 * Math.log(1 - first)) * Math.cos(2 * Math.PI * second);
}

/** Standard normal number `counter` of a stream; it uses the uniform numbers 2·counter and 2·counter + 1. */
export function normal(seed: number, stream: number, counter: number): number {
  return boxMuller(uniform(seed, stream, 2 * counter), uniform(seed, stream, 2 * counter + 1));
}

/**
 * An unbiased permutation of 0 … length − 1 (Fisher and Yates; Durstenfeld 1964).
 * Throws ShapeError when length is not an integer from 0 to 2^32 − 1.
 */
export function permutation(length: number, seed: number, stream: number): Uint32Array {
  if (!(Number.isInteger(length) && length >= 0 && length < TWO_32)) {
    throw new ShapeError(`a permutation needs an integer length from 0 to 2^32 - 1, got ${length}; pass a count`);
  }
  const random = new CounterRandom(seed, stream);
  const order = Uint32Array.from({ length }, (_, index) => index);
  for (let last = length - 1; last > 0; last--) {
    const chosen = random.integer(last + 1);
    const kept = order[last];
    order[last] = order[chosen];
    order[chosen] = kept;
  }
  return order;
}

/** Keeps the draws of the order apart from other uses of the same seed; the epoch is added. */
const ORDER_STREAM = 0x0d3e2000;

/**
 * The order of `count` samples in an epoch (training counts from 1): a permutation by seed and epoch alone, whatever was drawn
 * before. Throws ShapeError as `permutation`.
 */
export const epochOrder = (count: number, seed: number, epoch: number): Uint32Array =>
  permutation(count, seed, ORDER_STREAM + epoch);

/** A walk along one stream: draw n of it is `randomBits(seed, stream, n)`. For a subset of samples, give `sample` and `op`. */
export class CounterRandom {
  readonly seed: number;
  readonly stream: number;
  readonly sample: number;
  readonly op: number;
  private counter = 0;
  private words: Words4 = [0, 0, 0, 0];

  constructor(seed: number, stream = 0, sample = 0, op = 0) {
    this.seed = seed;
    this.stream = stream;
    this.sample = sample;
    this.op = op;
  }

  /** How many uint32 have been drawn. */
  get drawn(): number {
    return this.counter;
  }

  /** The next uint32. */
  bits(): number {
    const word = this.counter % 4;
    if (word === 0) this.words = block(this.seed, this.stream, this.counter / 4, this.op, this.sample);
    this.counter++;
    return this.words[word];
  }

  /** Uniform in [lo, hi). */
  uniform(lo = 0, hi = 1): number {
    return lo + (hi - lo) * bitsToUniform(this.bits());
  }

  /** An integer from 0 to n − 1, unbiased: bits past the last multiple of n are drawn again. Throws ShapeError unless 1 ≤ n ≤ 2^32. */
  integer(n: number): number {
    if (!(Number.isInteger(n) && n >= 1 && n <= TWO_32)) {
      throw new ShapeError(`a random integer needs a bound from 1 to 2^32, got ${n}; pass the number of choices`);
    }
    const limit = TWO_32 - (TWO_32 % n);
    let bits = this.bits();
    while (bits >= limit) bits = this.bits();
    return bits % n;
  }

  /** A standard normal number. */
  normal(): number {
    const first = this.uniform();
    return boxMuller(first, this.uniform());
  }

  /** One element; each is as likely. Throws ShapeError when the array is empty. */
  pick<T>(items: readonly T[]): T {
    return items[this.integer(items.length)];
  }
}
