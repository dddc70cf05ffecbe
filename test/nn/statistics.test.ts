import { describe, expect, it } from "vitest";
import { DataError, NonFiniteError, ShapeError } from "../../src/engine/errors.ts";
import { corruptionErrors, mceInterval } from "../../src/nn/corruptionError.ts";
import { calibrationOf, confidentMistakes, confusedPairs, correctAnswers } from "../../src/nn/errorAnalysis.ts";
import { evaluateLogits } from "../../src/nn/metrics.ts";
import { bootstrapInterval, mcNemar, pairedDifference } from "../../src/nn/significance.ts";

const times = <T>(count: number, value: T): T[] => new Array(count).fill(value);
const scores = (right: number, wrong: number): number[] => [...times(right, 1), ...times(wrong, 0)];

describe("bootstrap", () => {
  it("has about the width of the normal approximation", () => {
    const { mean, low, high } = bootstrapInterval(scores(300, 100), { seed: 3, resamples: 4000 });
    expect(mean).toBe(0.75);
    // ±1.96·√(0.75·0.25/400) = ±0.0424; a percentile of 4000 resamplings is known to about 0.001.
    expect(Math.abs(low - 0.7076)).toBeLessThan(0.006);
    expect(Math.abs(high - 0.7924)).toBeLessThan(0.006);
  });

  it("is the same for the same seed, narrower at a lower level, and a point when all answers agree", () => {
    const some = scores(30, 20);
    expect(bootstrapInterval(some, { seed: 1 })).toEqual(bootstrapInterval(some, { seed: 1 }));
    const [wide, narrow] = [0.95, 0.5].map((level) => bootstrapInterval(some, { level }));
    expect(narrow.low).toBeGreaterThan(wide.low);
    expect(narrow.high).toBeLessThan(wide.high);
    expect(bootstrapInterval(times(7, 1))).toEqual({ mean: 1, low: 1, high: 1 });
  });

  it("covers the true share about as often as it says", () => {
    // Samples of 100 whose number of right answers is that of a binomial distribution, by its quantiles.
    const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n, k - 1) * (n - k + 1)) / k);
    let covered = 0;
    for (let right = 50; right <= 95; right++) {
      const chance = choose(100, right) * 0.8 ** right * 0.2 ** (100 - right);
      const { low, high } = bootstrapInterval(scores(right, 100 - right), { resamples: 400, seed: right });
      if (low <= 0.8 && 0.8 <= high) covered += chance;
    }
    expect(covered).toBeGreaterThan(0.91);
    expect(covered).toBeLessThan(0.98);
  });

  it("pairs images: a difference that every image shares is certain", () => {
    const first = scores(50, 50);
    const better = first.map((score, index) => (index % 10 === 9 ? 1 : score));
    const paired = pairedDifference(first, better, { seed: 2 });
    expect(paired.mean).toBeCloseTo(0.05, 12);
    expect(paired.low).toBeGreaterThan(0);
    expect(pairedDifference(first, first)).toEqual({ mean: 0, low: 0, high: 0 });
  });

  it("refuses what has no meaning", () => {
    expect(() => bootstrapInterval([])).toThrow(DataError);
    expect(() => bootstrapInterval([1], { level: 1 })).toThrow(DataError);
    expect(() => pairedDifference([1], [1, 0])).toThrow(ShapeError);
  });
});

describe("McNemar", () => {
  const pair = (onlyFirst: number, onlySecond: number, both = 5) =>
    mcNemar(
      [...times(both, 1), ...times(onlyFirst, 1), ...times(onlySecond, 0)],
      [...times(both, 1), ...times(onlyFirst, 0), ...times(onlySecond, 1)],
    );

  it("is the two-sided binomial tail of the disagreements", () => {
    // (1 + 10) / 2^10 · 2
    expect(pair(1, 9)).toEqual({ onlyFirst: 1, onlySecond: 9, p: expect.closeTo(22 / 1024, 12) });
    // (1 + 6 + 15) / 2^6 · 2
    expect(pair(4, 2).p).toBeCloseTo(44 / 64, 12);
    expect(pair(0, 5).p).toBeCloseTo(2 / 32, 12);
  });

  it("is 1 where nothing or nothing unevenly disagrees, and small for many", () => {
    expect(pair(0, 0).p).toBe(1);
    expect(pair(7, 7).p).toBe(1);
    // z = 100/√3000 ≈ 1.83 → about 0.07; without logarithms 2^−3000 would be 0.
    expect(pair(1450, 1550).p).toBeGreaterThan(0.05);
    expect(pair(1450, 1550).p).toBeLessThan(0.08);
  });
});

/** Logits of two classes whose largest probability is p, for class `predicted`. */
const sure = (p: number, predicted: number): number[] => {
  const gap = Math.log(p / (1 - p));
  return predicted === 0 ? [gap, 0] : [0, gap];
};

describe("calibration", () => {
  it("is the mean gap of the bins, weighted by their images", () => {
    // Bin (0.8, 0.9]: confidences 0.85, 0.85, one right. Bin (0.6, 0.7]: 0.65, right.
    const logits = [...sure(0.85, 0), ...sure(0.85, 1), ...sure(0.65, 1)];
    const { ece, maximum, overconfidence, bins, count } = calibrationOf(logits, [0, 0, 1], 2, 10);
    expect(count).toBe(3);
    expect(bins[8]).toEqual({ low: 0.8, high: 0.9, count: 2, confidence: expect.closeTo(0.85, 10), accuracy: 0.5 });
    expect(bins[6]).toMatchObject({ count: 1, accuracy: 1 });
    expect(bins[0]).toMatchObject({ count: 0, confidence: null, accuracy: null });
    expect(ece).toBeCloseTo((2 * 0.35 + 0.35) / 3, 10);
    expect(maximum).toBeCloseTo(0.35, 10);
    expect(overconfidence).toBeCloseTo((0.85 + 0.85 + 0.65) / 3 - 2 / 3, 10);
  });

  it("is 0 for a model that is right as often as it says", () => {
    const logits = times(4, sure(0.75, 0)).flat();
    expect(calibrationOf(logits, [0, 0, 0, 1], 2).ece).toBeCloseTo(0, 10);
  });

  it("puts a certain answer into the last bin, and refuses NaN", () => {
    const { bins } = calibrationOf([2000, 0], [0], 2, 5);
    expect(bins[4]).toMatchObject({ count: 1, confidence: 1, accuracy: 1 });
    expect(() => calibrationOf([Number.NaN, 0], [0], 2)).toThrow(NonFiniteError);
    expect(() => calibrationOf([1, 0], [0], 2, 0)).toThrow(DataError);
  });
});

describe("mistakes", () => {
  const confusion = [
    [5, 3, 0],
    [1, 8, 1],
    [3, 0, 1],
  ];

  it("pairs are ranked by images, then by share of the class", () => {
    expect(confusedPairs(confusion, 3)).toEqual([
      { actual: 2, predicted: 0, count: 3, share: 0.75 },
      { actual: 0, predicted: 1, count: 3, share: 3 / 8 },
      { actual: 1, predicted: 0, count: 1, share: 0.1 },
    ]);
  });

  it("F1 is the harmonic mean of precision and recall", () => {
    const logits = [...sure(0.9, 0), ...sure(0.9, 0), ...sure(0.9, 0), ...sure(0.9, 1)];
    const { perClass } = evaluateLogits(logits, [0, 0, 1, 1], ["a", "b"]);
    expect(perClass[0]).toMatchObject({ precision: 2 / 3, recall: 1, f1: 0.8 });
    expect(perClass[1]).toMatchObject({ precision: 1, recall: 0.5, f1: expect.closeTo(2 / 3, 12) });
  });

  it("mistakes are sorted by confidence and tell what the truth got", () => {
    const logits = [...sure(0.6, 0), ...sure(0.9, 1), ...sure(0.7, 1), ...sure(0.95, 0)];
    const labels = [1, 0, 1, 0];
    const [first, second, ...rest] = confidentMistakes(logits, labels, 2);
    expect(rest).toEqual([]);
    expect(first).toMatchObject({ index: 1, actual: 0, predicted: 1 });
    expect(first.confidence).toBeCloseTo(0.9, 10);
    expect(first.actualProbability).toBeCloseTo(0.1, 10);
    expect(second.index).toBe(0);
    expect([...correctAnswers(logits, labels, 2)]).toEqual([0, 0, 1, 1]);
  });
});

/** Ten images of which the first `wrong` are answered wrongly. */
const wrong = (count: number): number[] => [...times(count, 1), ...times(10 - count, 0)];

describe("mean corruption error", () => {
  const baseline = { clean: wrong(1), families: { fog: [wrong(2), wrong(4)], noise: [wrong(3), wrong(5)] } };

  it("is relative to the baseline, family by family", () => {
    const model = { clean: wrong(2), families: { fog: [wrong(2), wrong(3)], noise: [wrong(2), wrong(4)] } };
    const { mce, relativeMce, families, meanError, cleanError } = corruptionErrors(model, baseline);
    // fog (0.2 + 0.3) / (0.2 + 0.4), noise (0.2 + 0.4) / (0.3 + 0.5)
    expect(families[0].corruptionError).toBeCloseTo(0.5 / 0.6, 12);
    expect(families[1].corruptionError).toBeCloseTo(0.75, 12);
    expect(mce).toBeCloseTo((0.5 / 0.6 + 0.75) / 2, 12);
    // fog (0 + 0.1) / (0.1 + 0.3), noise (0 + 0.2) / (0.2 + 0.4)
    expect(relativeMce).toBeCloseTo((0.1 / 0.4 + 0.2 / 0.6) / 2, 12);
    expect(meanError).toBeCloseTo((0.25 + 0.3) / 2, 12);
    expect(cleanError).toBeCloseTo(0.2, 12);
    expect(corruptionErrors(baseline, baseline)).toMatchObject({ mce: 1, relativeMce: 1 });
    const { low, high } = mceInterval(model, baseline);
    expect(low).toBeLessThan(mce as number);
    expect(high).toBeGreaterThan(mce as number);
    expect(mceInterval(baseline, baseline)).toEqual({ low: 1, high: 1 });
  });

  it("has no ratio where the baseline makes no error, and refuses other measurements", () => {
    const perfect = { clean: wrong(0), families: { fog: [wrong(0), wrong(0)], noise: [wrong(5), wrong(5)] } };
    const { families, mce } = corruptionErrors(baseline, perfect);
    expect(families[0].corruptionError).toBeNull();
    expect(mce).toBeCloseTo(0.8, 12);
    const fog = [wrong(1), wrong(1)];
    expect(() => corruptionErrors(baseline, { clean: wrong(1), families: { fog } })).toThrow(DataError);
    expect(() => corruptionErrors(baseline, { clean: wrong(1), families: { fog: [], noise: fog } })).toThrow(DataError);
  });
});
