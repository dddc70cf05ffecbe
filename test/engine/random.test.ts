import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CounterRandom,
  multiplyHigh,
  normal,
  permutation,
  philox4x32,
  randomBits,
  randomBitsAt,
  uniform,
  uniformAt,
} from "../../src/engine/random.ts";

/** Largest distance between the empirical distribution and the given one (Kolmogorov–Smirnov). */
function kolmogorovSmirnov(values: number[], cumulative: (x: number) => number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.reduce((worst, x, i) => {
    const expected = cumulative(x);
    return Math.max(worst, Math.abs(expected - i / sorted.length), Math.abs(expected - (i + 1) / sorted.length));
  }, 0);
}

/** The normal distribution function by Simpson's rule, independent of the generator. */
function normalCumulative(x: number): number {
  const steps = 200;
  const density = (t: number) => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
  let sum = density(0) + density(x);
  for (let i = 1; i < steps; i++) sum += density((x * i) / steps) * (i % 2 ? 4 : 2);
  return 0.5 + (sum * x) / (3 * steps);
}

/** The 99.9 % bound of the Kolmogorov–Smirnov distance; seeds are fixed, so a pass stays a pass. */
const bound = (count: number) => 1.95 / Math.sqrt(count);

describe("philox4x32", () => {
  // The three philox4x32-10 lines of the known-answer file of Random123.
  const ones = 0xffffffff;
  it.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [ones, ones, ones, ones],
      [ones, ones],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])("gives the published answer for counter %j", (counter, key, answer) => {
    expect(philox4x32(counter as [number, number, number, number], key as [number, number])).toEqual(answer);
  });

  it("multiplies like 64-bit integers", () => {
    const word = fc.oneof(fc.integer({ min: 0, max: ones }), fc.constantFrom(0, 1, 0xffff, 0x10000, ones));
    fc.assert(fc.property(word, word, (a, b) => multiplyHigh(a, b) === Number((BigInt(a) * BigInt(b)) >> 32n)));
  });
});

describe("addresses", () => {
  it("reads lanes 4n to 4n+3 from block n, with the counter's upper word", () => {
    for (const index of [0, 5, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 3]) {
      const words = philox4x32([index >>> 0, Math.floor(index / 2 ** 32), 0, 0], [7, 9]);
      expect([0, 1, 2, 3].map((lane) => randomBits(7, 9, 4 * index + lane))).toEqual(words);
    }
  });

  it("gives other numbers when any coordinate differs", () => {
    const base = { seed: 1, stream: 2, sample: 3, op: 4, lane: 5 };
    const bits = randomBitsAt(base);
    for (const name of Object.keys(base) as (keyof typeof base)[]) {
      expect(randomBitsAt({ ...base, [name]: base[name] + 1 })).not.toBe(bits);
    }
    expect(randomBitsAt({ ...base, sample: 0, op: 0 })).toBe(randomBits(1, 2, 5));
    expect(uniformAt(base)).toBe((bits >>> 8) / 2 ** 24);
  });

  it("walks a stream in the order of its counter", () => {
    const random = new CounterRandom(11, 3);
    for (let i = 0; i < 50; i++) expect(random.bits()).toBe(randomBits(11, 3, i));
    expect(random.drawn).toBe(50);
    const inside = new CounterRandom(11, 3, 8, 2);
    for (let lane = 0; lane < 9; lane++) {
      expect(inside.bits()).toBe(randomBitsAt({ seed: 11, stream: 3, sample: 8, op: 2, lane }));
    }
  });
});

describe("distributions", () => {
  const count = 20000;

  it("uniform passes Kolmogorov–Smirnov, is below 1 and exact in float32", () => {
    const values = Array.from({ length: count }, (_, i) => uniform(5, 1, i));
    expect(kolmogorovSmirnov(values, (x) => x)).toBeLessThan(bound(count));
    expect(values.every((x) => x >= 0 && x < 1 && Math.fround(x) === x)).toBe(true);
  });

  it("neighbouring streams and seeds are uncorrelated", () => {
    const correlation = (a: (i: number) => number, b: (i: number) => number) => {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += (a(i) - 0.5) * (b(i) - 0.5);
      return (12 * sum) / count;
    };
    const base = (i: number) => uniform(5, 1, i);
    expect(Math.abs(correlation(base, (i) => uniform(5, 2, i)))).toBeLessThan(0.03);
    expect(Math.abs(correlation(base, (i) => uniform(6, 1, i)))).toBeLessThan(0.03);
    expect(Math.abs(correlation(base, (i) => uniform(5, 1, i + 1)))).toBeLessThan(0.03);
  });

  it("normal passes Kolmogorov–Smirnov", () => {
    const values = Array.from({ length: count }, (_, i) => normal(5, 1, i));
    expect(kolmogorovSmirnov(values, normalCumulative)).toBeLessThan(bound(count));
    const random = new CounterRandom(5, 1);
    expect(values.slice(0, 5)).toEqual(Array.from({ length: 5 }, () => random.normal()));
  });

  it("integers and picks are equally likely", () => {
    const random = new CounterRandom(3, 0);
    const hits = new Array(7).fill(0);
    for (let i = 0; i < 14000; i++) hits[random.integer(7)]++;
    const chiSquare = hits.reduce((sum, hit) => sum + (hit - 2000) ** 2 / 2000, 0);
    expect(chiSquare).toBeLessThan(22.5); // 99.9 % point for six degrees of freedom
    expect(new Set(Array.from({ length: 100 }, () => random.pick(["a", "b", "c"]))).size).toBe(3);
    expect(() => random.pick([])).toThrow(/bound from 1/);
  });

  it("redraws the bits past the last multiple of n", () => {
    // With n = 3 · 2^30 a modulo without rejection gives numbers below 2^30 half of the time.
    const random = new CounterRandom(4, 0);
    let low = 0;
    for (let i = 0; i < 6000; i++) if (random.integer(3 * 2 ** 30) < 2 ** 30) low++;
    expect(Math.abs(low / 6000 - 1 / 3)).toBeLessThan(0.02);
  });
});

describe("permutation", () => {
  it("holds every index once and depends on seed and stream only", () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(), fc.nat(), (length, seed, stream) => {
        const order = permutation(length, seed, stream);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length }, (_, i) => i));
        expect(permutation(length, seed, stream)).toEqual(order);
      }),
      { numRuns: 50 },
    );
    expect(permutation(100, 1, 0)).not.toEqual(permutation(100, 1, 1));
  });

  it("gives each of the 24 orders of four equally often", () => {
    const hits = new Map<string, number>();
    const count = 12000;
    for (let stream = 0; stream < count; stream++) {
      const order = permutation(4, 2, stream).join();
      hits.set(order, (hits.get(order) ?? 0) + 1);
    }
    expect(hits.size).toBe(24);
    const chiSquare = [...hits.values()].reduce((sum, hit) => sum + (hit - count / 24) ** 2 / (count / 24), 0);
    expect(chiSquare).toBeLessThan(49.7); // 99.9 % point for 23 degrees of freedom
  });

  it("refuses lengths that are no count", () => {
    for (const length of [-1, 1.5, Number.NaN, 2 ** 32])
      expect(() => permutation(length, 0, 0)).toThrow(/integer length/);
  });
});
