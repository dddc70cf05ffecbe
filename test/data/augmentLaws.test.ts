import { describe, expect, it } from "vitest";
import type { Mode, Operation, Parameters } from "../../src/data/augment/layer.ts";
import { randAugmentPool } from "../../src/data/augment/operations.ts";
import { drawParameters } from "../../src/data/augment/parameters.ts";
import { PolicyBuilder } from "../../src/data/augment/policy.ts";

const draws = 20_000;
const smallest = 0.001;

/** Kolmogorov's asymptotic probability of a distance this large, with Stephens' correction for n (1970). */
function kolmogorovSmirnov(values: readonly number[], law: (x: number) => number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  let distance = 0;
  sorted.forEach((x, index) => {
    const p = law(x);
    distance = Math.max(distance, (index + 1) / n - p, p - index / n);
  });
  const t = (Math.sqrt(n) + 0.12 + 0.11 / Math.sqrt(n)) * distance;
  let probability = 0;
  for (let k = 1; k <= 100; k++) probability += 2 * (k % 2 === 1 ? 1 : -1) * Math.exp(-2 * k * k * t * t);
  return t < 0.2 ? 1 : Math.min(Math.max(probability, 0), 1);
}

function drawMany(type: string, settings: object, mode: Mode = "documented"): Parameters[] {
  const policy = new PolicyBuilder(type).add(type, settings as Record<string, unknown>).build();
  return Array.from({ length: draws }, (_, id) => drawParameters(policy, { seed: 2024, epoch: 3, id }, mode)[0]);
}

const uniformLaw = (low: number, high: number) => (x: number) => Math.min(Math.max((x - low) / (high - low), 0), 1);
const logUniformLaw = (low: number, high: number) => (x: number) =>
  uniformLaw(Math.log(low), Math.log(high))(Math.log(x));
const numbers = (drawn: readonly Parameters[], name: string): number[] => drawn.map((each) => each[name] as number);

/** Layer, settings, parameter, law, and the modes that it holds in (all when left out). */
const laws: [string, object, string, (x: number) => number, Mode[]?][] = [
  ["rotation", { factor: 0.125 }, "angle", uniformLaw(-Math.PI / 4, Math.PI / 4)],
  ["zoom", { height: [-0.2, 0.4], width: [-0.1, 0.3] }, "height", uniformLaw(0.8, 1.4)],
  ["zoom", { height: [-0.2, 0.4], width: [-0.1, 0.3] }, "width", uniformLaw(0.9, 1.3)],
  ["translation", { height: 0.2, width: 0.3 }, "down", uniformLaw(-0.2, 0.2)],
  ["translation", { height: 0.2, width: 0.3 }, "right", uniformLaw(-0.3, 0.3)],
  ["shear", { x: 0.2, y: 0.1 }, "x", uniformLaw(-0.2, 0.2)],
  ["shear", { x: 0.2, y: 0.1 }, "y", uniformLaw(-0.1, 0.1)],
  ["crop", {}, "top", uniformLaw(0, 1)],
  ["randomResizedCrop", {}, "area", uniformLaw(0.25, 1)],
  ["randomResizedCrop", {}, "ratio", logUniformLaw(0.75, 4 / 3)],
  ["brightness", { factor: 0.2 }, "delta", uniformLaw(-51, 51)],
  ["contrast", { factor: 0.2 }, "factor", uniformLaw(0.8, 1.2), ["documented", "keras2"]],
  ["contrast", { factor: 0.2 }, "factor", uniformLaw(1, 1.2), ["keras3"]],
  ["saturation", { factor: 0.3 }, "factor", uniformLaw(0.7, 1.3), ["documented", "keras2"]],
  // Keras' factor f is uniform from 0.7 / 1.7 to 1.3 / 2.3.
  ["saturation", { factor: 0.3 }, "factor", (s) => uniformLaw(0.7 / 1.7, 1.3 / 2.3)(s / (1 + s)), ["keras3"]],
  ["hue", { factor: 0.05 }, "turns", uniformLaw(-0.05, 0.05)],
  ["solarise", { threshold: [96, 224] }, "threshold", uniformLaw(96, 224)],
  ["sharpen", { amount: [-1, 2] }, "amount", uniformLaw(-1, 2)],
  ["blur", { sigma: [0.3, 2], probability: 1 }, "sigma", uniformLaw(0.3, 2)],
  ["noise", { sigma: [1, 20], probability: 1 }, "sigma", uniformLaw(1, 20)],
  ["erasing", { scale: [0.02, 0.25], probability: 1 }, "area", uniformLaw(0.02, 0.25)],
  ["erasing", {}, "ratio", logUniformLaw(0.4, 2.5)],
  ["erasing", { scale: [0, 0], probability: 0 }, "top", uniformLaw(0, 1), ["keras3"]],
  ["mixUp", { alpha: 1 }, "lambda", uniformLaw(0, 1)],
  // Beta(1/2, 1/2) is the arcsine law; Beta(2, 2) has a polynomial.
  ["mixUp", { alpha: 0.5 }, "lambda", (x) => (2 / Math.PI) * Math.asin(Math.sqrt(x))],
  ["cutMix", { alpha: 2 }, "lambda", (x) => x * x * (3 - 2 * x)],
  ["cutMix", {}, "x", uniformLaw(0, 1)],
  ["augMix", { alpha: 1 }, "own", uniformLaw(0, 1)],
];

describe("20,000 draws follow their law (Kolmogorov and Smirnov)", () => {
  for (const [type, settings, name, law, modes = ["documented"] as Mode[]] of laws)
    for (const mode of modes)
      it(`${type} ${name}, ${mode}, ${JSON.stringify(settings)}`, () => {
        const probability = kolmogorovSmirnov(numbers(drawMany(type, settings, mode), name), law);
        console.info(`${type} ${name} ${mode}: p = ${probability.toFixed(3)}`);
        expect(probability).toBeGreaterThan(smallest);
      });

  it("and the test notices a law that is a little wrong", () => {
    const angles = numbers(drawMany("rotation", { factor: 0.125 }), "angle");
    expect(kolmogorovSmirnov(angles, uniformLaw(-0.82, 0.82))).toBeLessThan(smallest);
    const documented = numbers(drawMany("contrast", { factor: 0.2 }), "factor");
    expect(kolmogorovSmirnov(documented, uniformLaw(1, 1.2))).toBeLessThan(smallest);
  });
});

/** Within four standard deviations of a binomial count. */
const expectShare = (count: number, share: number): void => {
  expect(Math.abs(count - draws * share), `${count} of ${draws}`).toBeLessThan(
    4 * Math.sqrt(draws * share * (1 - share)),
  );
};

describe("coins and choices", () => {
  const flips = (mode: Mode): number[] => {
    const counts = [0, 0, 0, 0];
    for (const { horizontal, vertical } of drawMany("flip", {}, mode))
      counts[2 * (horizontal as number) + (vertical as number)]++;
    return counts;
  };

  it("flip: independent coins as documented and in Keras 2, one coin for both axes in Keras 3", () => {
    for (const mode of ["documented", "keras2"] as const) for (const count of flips(mode)) expectShare(count, 0.25);
    const [none, vertical, horizontal, both] = flips("keras3");
    expect([vertical, horizontal]).toEqual([0, 0]);
    expectShare(none, 0.5);
    expectShare(both, 0.5);
  });

  it("flip: an axis that is off stays, in Keras 3 too", () => {
    for (const mode of ["documented", "keras3"] as const) {
      const drawn = drawMany("flip", { horizontal: false }, mode);
      expect(numbers(drawn, "horizontal").every((value) => value === 0)).toBe(true);
      expectShare(numbers(drawn, "vertical").filter((value) => value === 1).length, 0.5);
    }
  });

  it("probabilities are kept", () => {
    expectShare(
      numbers(drawMany("greyscale", { probability: 0.1 }), "amount").filter((value) => value === 1).length,
      0.1,
    );
    expectShare(
      numbers(drawMany("equalise", { probability: 0.7 }), "active").filter((value) => value === 1).length,
      0.7,
    );
    expectShare(numbers(drawMany("erasing", { probability: 0.25 }), "area").filter((value) => value > 0).length, 0.25);
  });

  it("erasing in Keras 3: a probability drawn up to the setting, both sides from the square root of their own share", () => {
    const drawn = drawMany("erasing", { scale: [0.04, 0.25], probability: 0.8 }, "keras3");
    const active = drawn.filter(({ rows }) => (rows as number) > 0);
    expectShare(active.length, 0.4);
    for (const name of ["rows", "columns"]) {
      const law = (share: number) => uniformLaw(0.04, 0.25)(share * share);
      expect(kolmogorovSmirnov(numbers(active, name), law)).toBeGreaterThan(smallest);
    }
  });

  it("zoom without a width keeps the aspect", () => {
    for (const { height, width } of drawMany("zoom", { height: 0.2 })) expect(width).toBe(height);
  });

  it("posterise takes each number of bits as often", () => {
    const bits = numbers(drawMany("posterise", { bits: [3, 6] }), "bits");
    for (const value of [3, 4, 5, 6]) expectShare(bits.filter((each) => each === value).length, 0.25);
  });

  it("RandAugment takes each operation as often, at its strength", () => {
    const operations = drawMany("randAugment", { operations: 1, magnitude: 10 }).map(
      (each) => (each.operations as readonly Operation[])[0],
    );
    for (const name of randAugmentPool)
      expectShare(operations.filter((each) => each.name === name).length, 1 / randAugmentPool.length);
    const angles = new Set(operations.filter(({ name }) => name === "rotate").map(({ amount }) => amount.toFixed(6)));
    expect(angles).toEqual(new Set([(Math.PI / 6).toFixed(6), (-Math.PI / 6).toFixed(6)]));
  });

  it("AugMix weighs its chains to 1, and the first as a Dirichlet(1, 1, 1) does", () => {
    const weights = drawMany("augMix", {}).map((each) => each.weights as readonly number[]);
    for (const each of weights) expect(each.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
    const probability = kolmogorovSmirnov(
      weights.map(([first]) => first),
      (x) => 1 - (1 - x) ** 2,
    );
    expect(probability).toBeGreaterThan(smallest);
  });
});
