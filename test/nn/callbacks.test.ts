import { describe, expect, it } from "vitest";
import { earlyStopping, initialPlateau, initialWaiting, reduceOnPlateau } from "../../src/nn/callbacks.ts";
import type { EpochRecord } from "../../src/nn/history.ts";
import { stepSchedule, warmUpSchedule } from "../../src/nn/optimisers.ts";
import { trainableFrom } from "../../src/nn/trainableLayers.ts";

const record = (valLoss: number, valAccuracy = 0): EpochRecord => ({
  epoch: 1,
  loss: 0,
  accuracy: 0,
  valLoss,
  valAccuracy,
  learningRate: 1,
});

describe("reduceOnPlateau", () => {
  const factors = (losses: readonly number[], options: Parameters<typeof reduceOnPlateau>[3]): number[] => {
    let state = initialPlateau;
    return losses.map((loss) => {
      state = reduceOnPlateau(state, record(loss), 1, options);
      return state.factor;
    });
  };

  it("waits, reduces, cools down and ends at the least rate, as Keras does", () => {
    // Worked by hand from the rules of Keras' ReduceLROnPlateau.
    expect(factors([1, 1, 1, 1, 1, 1], { patience: 2, factor: 0.5 })).toEqual([1, 1, 0.5, 0.5, 0.25, 0.25]);
    expect(factors([1, 1, 1, 1, 1, 1], { patience: 1, factor: 0.5, cooldown: 2 })).toEqual([
      1, 0.5, 0.5, 0.25, 0.25, 0.125,
    ]);
    expect(factors([1, 1, 1, 1], { patience: 1, factor: 0.1, minLearningRate: 0.05 })).toEqual([1, 0.1, 0.05, 0.05]);
  });

  it("counts only an improvement by more than the least change", () => {
    expect(factors([1, 0.95, 0.9], { patience: 2, factor: 0.5, minDelta: 0.2 })).toEqual([1, 1, 0.5]);
    expect(factors([1, 0.75, 0.5], { patience: 2, factor: 0.5, minDelta: 0.2 })).toEqual([1, 1, 1]);
  });
});

describe("earlyStopping", () => {
  it("stops after `patience` epochs without improvement of what is watched", () => {
    let state = initialWaiting;
    const stops = [0.5, 0.6, 0.6, 0.55, 0.7].map((accuracy) => {
      const result = earlyStopping(state, record(0, accuracy), "valAccuracy", { patience: 2 });
      state = result.state;
      return result.stops;
    });
    expect(stops).toEqual([false, false, false, true, false]);
    const higherLoss = { best: 1, wait: 0 };
    expect(earlyStopping(higherLoss, record(2, 1), "valLoss", { patience: 1 }).stops).toBe(true);
    expect(earlyStopping(higherLoss, record(0.5, 0), "valLoss", { patience: 1 }).stops).toBe(false);
  });
});

describe("schedules", () => {
  it("step down, and warm up", () => {
    const step = stepSchedule(2, 0.1);
    expect([0, 7, 8, 15, 16].map((at) => step(at, 100, 4))).toEqual([1, 1, 0.1, 0.1, 0.1 ** 2]);
    const warm = warmUpSchedule(1, (at, steps) => 10 + at / steps);
    expect([0, 1, 3, 4, 8].map((at) => warm(at, 12, 4))).toEqual([0.25, 0.5, 1, 10, 10.5]);
  });
});

describe("trainableFrom", () => {
  const layers = [
    "Conv1",
    "bn_Conv1",
    "block_1_expand",
    "block_1_expand_BN",
    "block_14_project",
    "block_14_project_BN",
  ];
  const names = [...layers, "predictions"].flatMap((layer) =>
    /bn|BN/.test(layer)
      ? ["gamma", "beta", "moving_mean", "moving_variance"].map((name) => `${layer}/${name}`)
      : layer === "predictions"
        ? [`${layer}/kernel`, `${layer}/bias`]
        : [`${layer}/kernel`],
  );

  it("takes a layer and all after it; frozen normalisation keeps γ and β, as in Keras", () => {
    const chosen = (from: string, mode: "frozen" | "training") =>
      names.filter(trainableFrom(names, from, mode).trainable);
    expect(chosen("head", "training")).toEqual(["predictions/kernel", "predictions/bias"]);
    expect(chosen("block_14", "frozen")).toEqual(["block_14_project/kernel", "predictions/kernel", "predictions/bias"]);
    expect(chosen("block_1", "frozen")[0]).toBe("block_1_expand/kernel");
    expect(chosen("all", "training")).toEqual(names);
    const { batchNorm } = trainableFrom(names, "block_14", "training");
    const mode = batchNorm as (layer: string) => string;
    expect([mode("block_14_project_BN"), mode("bn_Conv1")]).toEqual(["training", "frozen"]);
  });

  it("offers names when it knows none", () => {
    expect(() => trainableFrom(names, "block_99", "frozen")).toThrow(/found "block_99"; choose one such as .*block_14/);
  });
});
