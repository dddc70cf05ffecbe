import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ShapeError } from "../../../src/engine/errors.ts";
import { mapDrift } from "../../../src/xai/evidence/drift.ts";
import { imputeLinearly } from "../../../src/xai/evidence/imputation.ts";
import { locationEvidence, pointingGame } from "../../../src/xai/evidence/location.ts";
import { type MethodSummary, rankMethods } from "../../../src/xai/evidence/ranking.ts";
import { evenMass, shortcutFinding } from "../../../src/xai/evidence/shortcut.ts";
import {
  areaUnderCurve,
  intersectionOverUnion,
  pearson,
  ranks,
  rocAuc,
  spearman,
  topShare,
} from "../../../src/xai/evidence/statistics.ts";

describe("statistics", () => {
  const small = fc.integer({ min: -3, max: 3 });

  it("ranks ties by the mean of their places, whatever the order", () => {
    expect([...ranks([30, 10, 20, 10])]).toEqual([4, 1.5, 3, 1.5]);
    fc.assert(
      fc.property(fc.array(small, { minLength: 1 }), (values) => {
        // The rank by definition: how many are smaller, and half of the others that are equal.
        const want = values.map(
          (v) => values.filter((w) => w < v).length + (values.filter((w) => w === v).length + 1) / 2,
        );
        expect([...ranks(values)]).toEqual(want);
      }),
    );
  });

  it("gives Spearman's 1 − 6Σd²/(n(n² − 1)) without ties, ±1 for monotone maps, null for a constant", () => {
    const [a, b] = [
      [86, 97, 99, 100, 101, 103, 106, 110, 112, 113],
      [2, 20, 28, 27, 50, 29, 7, 17, 6, 12],
    ];
    expect(spearman(a, b)).toBeCloseTo(-29 / 165, 12);
    expect(spearman([1, 2, 3], [1, 10, 1000])).toBe(1);
    expect(spearman([1, 2, 3], [3, 2, -9])).toBe(-1);
    expect(spearman([1, 2, 3], [5, 5, 5])).toBeNull();
    expect(pearson([1, 2, 3, 4], [2, 4, 5, 4])).toBeCloseTo(0.7181848464596079, 12);
    expect(() => spearman([1, Number.NaN], [1, 2])).toThrow("finite");
  });

  it("counts the pairs for the area under the ROC", () => {
    fc.assert(
      fc.property(fc.array(small, { minLength: 1 }), fc.array(small, { minLength: 1 }), (positives, negatives) => {
        let won = 0;
        for (const p of positives) for (const n of negatives) won += p > n ? 1 : p === n ? 0.5 : 0;
        expect(rocAuc(positives, negatives)).toBeCloseTo(won / (positives.length * negatives.length), 12);
      }),
    );
  });

  it("measures areas, tops and overlaps", () => {
    expect(areaUnderCurve([0, 0.25, 1], [0, 1, 1])).toBeCloseTo(0.875, 12);
    expect([...topShare([1, 5, 5, 2, 0], 0.4)]).toEqual([0, 1, 1, 0, 0]);
    expect(intersectionOverUnion([1, 1, 0, 0], [0, 1, 1, 0])).toBeCloseTo(1 / 3, 12);
    expect(intersectionOverUnion([0, 0], [0, 0])).toBeNull();
  });
});

describe("location", () => {
  const mask = { values: [0, 0, 0, 255, 255, 0, 255, 255, 0], height: 3, width: 3 };
  const map = (values: number[]) => ({ values: Float32Array.from(values), height: 3, width: 3 });

  it("scores a hand-made map", () => {
    const {
      pointingHit,
      relevanceMass,
      intersectionOverUnion: overlap,
      maskArea,
    } = locationEvidence(map([-9, 0, 1, 5, 1, 0, 2, 0, 1]), mask);
    // Positive mass 10, of which 8 inside; the four largest are 5, 2 and the first two of the ones (places 2 and 4).
    expect({ pointingHit, relevanceMass, overlap, maskArea }).toEqual({
      pointingHit: true,
      relevanceMass: expect.closeTo(0.8, 6),
      overlap: 3 / 5,
      maskArea: 4 / 9,
    });
    expect(locationEvidence(map([9, 0, 0, 5, 0, 0, 0, 0, 0]), mask)).toMatchObject({
      pointingHit: false,
      peakInside: false,
    });
    // At 64 pixels the tolerance of the paper is 4.29 pixels.
    const corner = { values: Float32Array.from({ length: 4096 }, (_, at) => Number(at === 0)), height: 64, width: 64 };
    const from = (x: number) => ({ values: corner.values.map((_, at) => Number(at % 64 >= x)), height: 64, width: 64 });
    expect(locationEvidence(corner, from(4))).toMatchObject({ pointingHit: true, peakInside: false });
    expect(locationEvidence(corner, from(5))).toMatchObject({ pointingHit: false, peakInside: false });
    expect(locationEvidence(corner, from(5)).peakDistance).toBeCloseTo(5 / 64, 12);
    // 15 pixels of 500 are 1.92 of 64.
    const narrow = [0, 1, 2, 4].map((x) => pointingGame([locationEvidence(corner, from(x))]).narrow);
    expect(narrow).toEqual([1, 1, 0, 0]);
  });

  it("points at the centre of the largest cell, and of equal cells at the middle one", () => {
    // Enlarged to 8 × 8 the first cell of four is a plateau from the corner on; its centre is at (2, 2), not at (0, 0).
    const at = (y: number, x: number) => ({
      values: Float32Array.from({ length: 64 }, (_, place) => Number(place === 8 * y + x)),
      height: 8,
      width: 8,
    });
    const coarse = { values: Float32Array.of(1, 0, 0, 0), height: 2, width: 2 };
    expect(locationEvidence(coarse, at(2, 2)).peakInside).toBe(true);
    expect(locationEvidence(coarse, at(0, 0)).peakInside).toBe(false);
    const flat = { values: Float32Array.of(0, 3, 3, 3, 0), height: 1, width: 5 };
    const line = (x: number) => ({ values: [0, 1, 2, 3, 4].map((place) => Number(place === x)), height: 1, width: 5 });
    expect([1, 2, 3].map((x) => locationEvidence(flat, line(x)).peakInside)).toEqual([false, true, false]);
  });

  it("plays the pointing game over several maps, and counts a map that points nowhere as a miss", () => {
    const located = [[0, 0, 0, 5, 0, 0, 0, 0, 0], [9, 0, 0, 5, 0, 0, 0, 0, 0], new Array(9).fill(-1)];
    expect(pointingGame(located.map((values) => locationEvidence(map(values), mask)))).toMatchObject({
      images: 3,
      hits: 1 / 3,
      inside: 1 / 3,
      relevanceMass: expect.closeTo((1 + 5 / 14) / 2, 6),
    });
    expect(() => pointingGame([])).toThrow("found none");
  });

  it("says nothing of a map without positive relevance, and refuses an empty mask", () => {
    expect(locationEvidence(map(new Array(9).fill(-1)), mask).pointingHit).toBeNull();
    expect(() => locationEvidence(map(new Array(9).fill(1)), { ...mask, values: new Array(9).fill(0) })).toThrow(
      "covers at least one",
    );
  });
});

describe("noisy linear imputation", () => {
  const [height, width] = [5, 6];
  const image = Float32Array.from({ length: height * width * 3 }, (_, at) => (at * 37) % 256);
  const removed = Uint8Array.from({ length: height * width }, (_, at) => Number(at % 7 !== 0 && at !== 16));

  it("solves the equations that elimination solves", () => {
    const got = imputeLinearly(image, removed, [height, width], { noise: 0 });
    for (let channel = 0; channel < 3; channel++) {
      const want = eliminate(channel);
      for (let pixel = 0; pixel < removed.length; pixel++) {
        const value = removed[pixel] ? want[pixel] : image[3 * pixel + channel];
        expect(Math.abs(got[3 * pixel + channel] - value)).toBeLessThan(1e-3);
      }
    }
  });

  it("adds the same noise for the same seed, of the asked size, and only where pixels were removed", () => {
    const plain = imputeLinearly(image, removed, [height, width], { noise: 0 });
    const noisy = imputeLinearly(image, removed, [height, width], { noise: 4, seed: 3 });
    expect(imputeLinearly(image, removed, [height, width], { noise: 4, seed: 3 })).toEqual(noisy);
    const added = [...noisy].map((value, at) => value - plain[at]).filter((_, at) => removed[Math.floor(at / 3)]);
    const deviation = Math.sqrt(added.reduce((sum, v) => sum + v * v, 0) / added.length);
    expect(deviation).toBeGreaterThan(2.5);
    expect(deviation).toBeLessThan(5.5);
    expect([...noisy].every((value, at) => removed[Math.floor(at / 3)] || value === image[at])).toBe(true);
  });

  it("falls back to the mean where everything is removed", () => {
    const all = imputeLinearly(image, new Uint8Array(30).fill(1), [height, width], { noise: 0 });
    const mean = image.filter((_, at) => at % 3 === 1).reduce((sum, v) => sum + v, 0) / 30;
    expect(all[1]).toBeCloseTo(mean, 3);
  });

  /** Gauss–Jordan on the dense system of one channel. */
  function eliminate(channel: number): number[] {
    const n = height * width;
    const rows = Array.from({ length: n }, (_, pixel) => {
      const row = new Array<number>(n + 1).fill(0);
      if (!removed[pixel]) {
        row[pixel] = 1;
        row[n] = image[3 * pixel + channel];
        return row;
      }
      for (let dy = -1; dy <= 1; dy++)
        for (let dx = -1; dx <= 1; dx++) {
          const [y, x] = [Math.floor(pixel / width) + dy, (pixel % width) + dx];
          if ((dy === 0 && dx === 0) || y < 0 || x < 0 || y >= height || x >= width) continue;
          const weight = dy === 0 || dx === 0 ? 1 / 6 : 1 / 12;
          row[pixel] += weight;
          row[y * width + x] -= weight;
        }
      return row;
    });
    for (let step = 0; step < n; step++) {
      const pivot = rows.findIndex((row, at) => at >= step && Math.abs(row[step]) > 1e-12);
      [rows[step], rows[pivot]] = [rows[pivot], rows[step]];
      for (let at = 0; at < n; at++) {
        const factor = at === step ? 0 : rows[at][step] / rows[step][step];
        if (factor !== 0) for (let c = step; c <= n; c++) rows[at][c] -= factor * rows[step][c];
      }
    }
    return rows.map((row, at) => row[n] / row[at]);
  }
});

describe("drift", () => {
  const bump = (centreX: number) =>
    Float32Array.from({ length: 400 }, (_, at) =>
      Math.exp(-(((at % 20) - centreX) ** 2 + (Math.floor(at / 20) - 9) ** 2) / 8),
    );
  const map = (values: Float32Array) => ({ values, height: 20, width: 20 });

  it("is nothing for the same map, and measures a shift", () => {
    expect(mapDrift(map(bump(8)), map(bump(8)))).toEqual({ rankCorrelation: 1, topIou: 1, centreShift: 0 });
    const { rankCorrelation, topIou, centreShift } = mapDrift(map(bump(6)), map(bump(10)));
    expect(centreShift).toBeCloseTo(4 / Math.hypot(20, 20), 2);
    expect(rankCorrelation).toBeLessThan(0.95);
    expect(topIou).toBeLessThan(0.9);
  });

  it("leaves out what is not visible", () => {
    const changed = bump(8).map((value, at) => (at % 20 > 15 ? 5 : value));
    const visible = changed.map((_, at) => Number(at % 20 <= 15));
    expect(mapDrift(map(bump(8)), map(changed), visible).rankCorrelation).toBe(1);
    expect(mapDrift(map(bump(8)), map(changed)).rankCorrelation).toBeLessThan(0.9);
  });
});

describe("words and ranks", () => {
  it("names a cheat in words, and clears an honest network", () => {
    const cheat = shortcutFinding({
      shortcut: "corner mark",
      suspect: [0.8, 0.9, 0.7],
      honest: [0.01, 0.02, null],
      area: 0.03,
      accuracy: { withShortcut: 0.99, without: 0.4 },
    });
    expect(cheat).toMatchObject({ auc: 1, exposed: true, accuracy: { withShortcut: 0.99, without: 0.4 } });
    expect(cheat.words).toContain("This network cheats: 80 % of its relevance lies on the corner mark");
    expect(cheat.words).toContain("without it 40 %");
    const honest = shortcutFinding({ shortcut: "corner mark", suspect: [0.1, 0.3], honest: [0.2, 0.2], area: 0.03 });
    expect(honest).toMatchObject({ auc: 0.5, exposed: false });
  });

  it("holds the mass on a shortcut against its area in each picture", () => {
    // A map that is twice as strong on the shortcut as beside it, whatever its area; and one that is half as strong.
    const areas = [0.1, 0.5, 0.9];
    const massOf = (strength: number) => areas.map((area) => (strength * area) / (strength * area + 1 - area));
    const finding = shortcutFinding({ shortcut: "background", suspect: massOf(2), honest: massOf(0.5), area: areas });
    expect(finding.auc).toBe(1);
    expect(finding.massAuc).toBeCloseTo(6 / 9, 12);
    expect(finding.words).toContain("Per area, as if it covered half of each picture, that is 67 % against 33 %");
    expect([evenMass(0, 0), evenMass(1, 1), evenMass(1, 0.01), evenMass(0, 0.99)]).toEqual([0.5, 0.5, 1, 0]);
    expect(() => shortcutFinding({ shortcut: "x", suspect: [0.1], honest: [0.1], area: areas })).toThrow(ShapeError);
  });

  it("puts a method that fails the sanity check last, however well it points", () => {
    const base = { images: 1, insertionAuc: 0, deletionAuc: 0, centreMargin: 0, sensitivity: 0.1, relativeGap: null };
    const rest = { forwards: 1, gradients: 0, seconds: 1 };
    const summary = (method: string, quality: number, sane: boolean): MethodSummary => ({
      ...{ ...base, ...rest, method, sane },
      insertionGain: quality,
      deletionGain: quality,
      road: quality,
      remaining: sane ? 0.1 : 1,
      pointing: quality,
      relevanceMass: quality,
      intersectionOverUnion: null,
    });
    const ranked = rankMethods([summary("edges", 0.9, false), summary("good", 0.5, true), summary("poor", 0.1, true)]);
    expect(ranked.map(({ method, place }) => [method, place])).toEqual([
      ["good", 1],
      ["poor", 2],
      ["edges", 3],
    ]);
  });
});
