import { describe, expect, it } from "vitest";
import { DataError, NonFiniteError, ShapeError } from "../../src/engine/errors.ts";
import { epochOrder } from "../../src/engine/random.ts";
import { historyCsv, isBetter } from "../../src/nn/history.ts";
import { evaluateLogits, lossAndAccuracy, topAccuracy, topOfRow } from "../../src/nn/metrics.ts";
import { adam, constantSchedule, cosineSchedule, sgd } from "../../src/nn/optimisers.ts";

describe("metrics", () => {
  const classNames = ["a", "b", "c"];
  // Predicted: a, b, b, a. True: a, b, a, b. Nothing of c.
  const logits = [2, 1, 0, 0, 3, 0, 1, 2, 0, 5, 4, 0];
  const labels = [0, 1, 0, 1];

  it("counts confusion, precision, recall and support", () => {
    const { accuracy, confusion, perClass, count } = evaluateLogits(logits, labels, classNames);
    expect(count).toBe(4);
    expect(accuracy).toBe(0.5);
    expect(confusion).toEqual([
      [1, 1, 0],
      [1, 1, 0],
      [0, 0, 0],
    ]);
    expect(perClass).toEqual([
      { name: "a", precision: 0.5, recall: 0.5, f1: 0.5, support: 2 },
      { name: "b", precision: 0.5, recall: 0.5, f1: 0.5, support: 2 },
      { name: "c", precision: null, recall: null, f1: null, support: 0 },
    ]);
  });

  it("gives the mean cross-entropy, also for logits whose exponentials overflow", () => {
    const entropy = (row: number[], label: number) =>
      Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0)) - row[label];
    const rows = [0, 1, 2, 3].map((row) => logits.slice(3 * row, 3 * row + 3));
    const mean = rows.reduce((sum, row, index) => sum + entropy(row, labels[index]), 0) / 4;
    expect(lossAndAccuracy(logits, labels, 3).loss).toBeCloseTo(mean, 14);
    expect(lossAndAccuracy([2000, 1000], [1], 2).loss).toBe(1000);
  });

  it("ranks classes, the first of equal ones first", () => {
    expect(topOfRow([9, 9, 1, 3, 3, 7], 1, 3, 2)).toEqual([
      { index: 2, value: 7 },
      { index: 0, value: 3 },
    ]);
    expect(topAccuracy(logits, labels, 3, 1)).toBe(0.5);
    expect(topAccuracy(logits, labels, 3, 2)).toBe(1);
  });

  it("refuses what cannot be compared", () => {
    expect(() => evaluateLogits([Number.NaN, 0, 0], [0], classNames)).toThrow(NonFiniteError);
    expect(() => evaluateLogits([1, 0], [0], classNames)).toThrow(ShapeError);
    expect(() => evaluateLogits([], [], classNames)).toThrow(DataError);
    expect(() => evaluateLogits([1, 0, 0], [3], classNames)).toThrow(DataError);
  });
});

describe("history", () => {
  it("prefers accuracy, then loss, then the earlier epoch", () => {
    const first = { epoch: 1, valAccuracy: 0.8, valLoss: 0.5 };
    expect(isBetter(first, null)).toBe(true);
    expect(isBetter({ epoch: 2, valAccuracy: 0.9, valLoss: 0.9 }, first)).toBe(true);
    expect(isBetter({ epoch: 2, valAccuracy: 0.8, valLoss: 0.4 }, first)).toBe(true);
    expect(isBetter({ epoch: 2, valAccuracy: 0.8, valLoss: 0.5 }, first)).toBe(false);
    expect(isBetter({ epoch: 2, valAccuracy: Number.NaN, valLoss: 0 }, first)).toBe(false);
  });

  it("is written as comma-separated values that read back exactly", () => {
    const record = { epoch: 1, loss: 1 / 3, accuracy: 0.5, valLoss: 0.1, valAccuracy: 1, learningRate: 1e-3 };
    const [header, row, end] = historyCsv([record]).split("\n");
    const values = row.split(",").map(Number);
    expect(Object.fromEntries(header.split(",").map((name, index) => [name, values[index]]))).toEqual(record);
    expect(end).toBe("");
  });
});

describe("schedules and rates", () => {
  it("follow their formulas", () => {
    expect(constantSchedule()).toBe(1);
    expect(cosineSchedule(0, 10)).toBe(1);
    expect(cosineSchedule(5, 10)).toBeCloseTo(0.5, 14);
    expect(cosineSchedule(10, 10)).toBeCloseTo(0, 14);
    // At step 1 Keras' Adam moves by lr · √0.001 / 0.1 of m / √v.
    expect(adam().rate(1e-3, 1)).toBeCloseTo((1e-3 * Math.sqrt(0.001)) / 0.1, 14);
    expect(adam().rate(1e-3, 1e6)).toBeCloseTo(1e-3, 14);
    expect(sgd({ momentum: 0.9 }).rate(0.01, 5)).toBe(0.01);
  });
});

describe("the order of an epoch", () => {
  it("is a permutation that depends on seed and epoch alone", () => {
    const order = epochOrder(101, 3, 2);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 101 }, (_, index) => index));
    expect(epochOrder(101, 3, 2)).toEqual(order);
    expect(epochOrder(101, 3, 1)).not.toEqual(order);
    expect(epochOrder(101, 4, 2)).not.toEqual(order);
  });
});
