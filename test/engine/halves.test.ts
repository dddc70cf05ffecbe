import { describe, expect, it } from "vitest";
import { halfValue, halvesIn, halvesOf } from "../../src/engine/halves.ts";
import { CounterRandom } from "../../src/engine/random.ts";

/** The nearest half by search over all of them: an oracle that shares nothing with the rounding of bits. */
const normalHalves = Array.from({ length: 0x7c00 }, (_, bits) => bits).filter((bits) => bits === 0 || bits >= 0x400);
function nearest(value: number): number {
  const size = Math.abs(value);
  let [low, high] = [0, normalHalves.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (halfValue(normalHalves[middle]) <= size) low = middle;
    else high = middle;
  }
  const [below, above] = [size - halfValue(normalHalves[low]), halfValue(normalHalves[high]) - size];
  const isLow = below < above || (below === above && normalHalves[low] % 2 === 0);
  return Math.sign(value) * halfValue(normalHalves[isLow ? low : high]);
}

const valuesOf = (weights: Float32Array, columns: number): Float64Array => {
  const { words, scales } = halvesOf(weights, columns);
  return halvesIn(words).map((half, at) => half * scales[at % columns]);
};

describe("float16 weights", () => {
  it("keep every normal half, of either sign", () => {
    const all = normalHalves.filter((bits) => bits < 0x4000).map(halfValue);
    const weights = Float32Array.from([...all, ...all.map((value) => -value)]);
    expect(valuesOf(weights, 2)).toEqual(Float64Array.from(weights));
  });

  it("round to the nearest, ties to even", () => {
    const random = new CounterRandom(5);
    const ties = normalHalves
      .filter((bits) => bits >= 0x400 && bits < 0x3fff)
      .map((bits) => (halfValue(bits) + halfValue(bits + 1)) / 2);
    const drawn = Array.from({ length: 4000 }, () => (random.uniform() - 0.5) * 2 ** random.uniform(-12, 2));
    // The first of each column is the largest, 1.5, so that the scale is one.
    const weights = Float32Array.from([1.5, 1.5, ...ties, ...drawn, ...(ties.length % 2 === 0 ? [] : [1])]);
    const got = valuesOf(weights, 2);
    weights.forEach((weight, at) => {
      if (!(Math.abs(weight) < 2 ** -14) && !Object.is(got[at], nearest(weight)))
        expect.fail(`${weight} became ${got[at]}, the nearest half is ${nearest(weight)}`);
    });
  });

  it("move by 2⁻¹¹ of themselves or 2⁻¹⁵ of their column's largest, whatever the size of the column", () => {
    const random = new CounterRandom(9);
    const columns = 64;
    const weights = Float32Array.from(
      { length: 200 * columns },
      (_, at) => (random.uniform() - 0.5) * 2 ** (3.5 * (at % columns) - 110),
    );
    const got = valuesOf(weights, columns);
    const largest = Float64Array.from({ length: columns }, (_, n) =>
      weights.reduce((most, weight, at) => (at % columns === n ? Math.max(most, Math.abs(weight)) : most), 0),
    );
    weights.forEach((weight, at) => {
      const bound = Math.max(Math.abs(weight) / 2 ** 11, largest[at % columns] / 2 ** 15);
      if (!(Math.abs(got[at] - weight) <= bound)) expect.fail(`${weight} became ${got[at]}, more than ${bound} off`);
    });
  });

  it("keep zeros, NaN and infinities, and leave their columns' other weights alone", () => {
    const { NaN: none, POSITIVE_INFINITY: infinity } = Number;
    const weights = Float32Array.of(0, none, 3, infinity, 0, -infinity, 1, 1.5, 0, 3, -0, -3);
    expect(valuesOf(weights, 4)).toEqual(Float64Array.from(weights));
  });
});
