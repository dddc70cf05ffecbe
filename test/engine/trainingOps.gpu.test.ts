import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { gradients } from "../../src/engine/autodiff.ts";
import { relativeL2 } from "../../src/engine/checkOp.ts";
import { compile } from "../../src/engine/compile.ts";
import type { Node, Tensor } from "../../src/engine/graph.ts";
import { batchNormTraining } from "../../src/engine/ops/batchNormTraining.ts";
import { normalise } from "../../src/engine/ops/cast.ts";
import { argMax, maxReduce } from "../../src/engine/ops/extremes.ts";
import { gatherClass, scatterClass } from "../../src/engine/ops/gather.ts";
import { softCrossEntropy, sparseCrossEntropy } from "../../src/engine/ops/losses.ts";
import { nonFiniteCount } from "../../src/engine/ops/nonFinite.ts";
import { maxPool2d } from "../../src/engine/ops/pool.ts";
import { references } from "../../src/engine/ops/registry.ts";
import { resizeBilinear } from "../../src/engine/ops/resize.ts";
import { logSoftmax, softmax } from "../../src/engine/ops/softmax.ts";
import { input, parameter } from "../../src/engine/ops/sources.ts";
import { adamUpdate, sgdUpdate } from "../../src/engine/ops/updates.ts";
import { ParameterStore } from "../../src/engine/parameters.ts";
import type { RunInputs, RunOutputs } from "../../src/engine/plan/plan.ts";
import { uniform } from "../../src/engine/random.ts";
import { runReference } from "../../src/engine/reference.ts";
import { BATCH } from "../../src/engine/types.ts";
import { parseSafetensors, toFloat32 } from "../../src/nn/formats/safetensors.ts";
import { testDevice } from "../device.ts";
import { hasShared, shared } from "../shared.ts";

async function evaluate(outputs: Record<string, Tensor>, inputs: RunInputs, maxBatch = 1): Promise<RunOutputs> {
  const plan = await compile(await testDevice(), { outputs }, { maxBatch, poison: true });
  try {
    return await plan.run(inputs);
  } finally {
    plan.dispose();
    plan.parameters.dispose();
  }
}

const noise = (seed: number, length: number, spread = 4): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length }, (_, index) => spread * (uniform(seed, 0, index) - 0.5));

describe("cross-entropy", () => {
  const [samples, classes] = [7, 5];
  const logits = input("logits", [BATCH, classes]);
  const labels = input("labels", [BATCH], "i32");
  const targets = input("targets", [BATCH, classes]);
  const feeds = {
    logits: noise(1, samples * classes),
    labels: Int32Array.from({ length: samples }, (_, index) => (3 * index) % classes),
    targets: noise(2, samples * classes).map((value) => Math.abs(value)),
  };

  it("and its gradient agree with float64, for labels and for soft targets", async () => {
    const sparse = sparseCrossEntropy(logits, labels);
    const soft = softCrossEntropy(logits, targets);
    const outputs = {
      sparse,
      soft,
      sparseGradient: gradients(sparse, [logits])[0],
      softGradient: gradients(soft, [logits])[0],
    };
    const got = await evaluate(outputs, feeds, samples);
    const want = runReference({ outputs }, feeds, { references, batch: samples }).outputs;
    for (const name of Object.keys(outputs)) expect(relativeL2(got[name], want[name]), name).toBeLessThanOrEqual(1e-5);
    const row = Array.from(feeds.logits.subarray(0, classes), Math.exp);
    const byHand = -Math.log(row[feeds.labels[0]] / row.reduce((left, right) => left + right));
    expect(got.sparse[0]).toBeCloseTo(byHand, 5);
  });

  it("of a label that does not exist is NaN, and so is its gradient, for that sample alone", async () => {
    const sparse = sparseCrossEntropy(logits, labels);
    const wrong = Int32Array.from(feeds.labels);
    wrong[2] = classes;
    wrong[4] = -1;
    const run = (given: Int32Array<ArrayBuffer>): Promise<RunOutputs> =>
      evaluate({ sparse, gradient: gradients(sparse, [logits])[0] }, { logits: feeds.logits, labels: given }, samples);
    const [got, usual] = [await run(wrong), await run(feeds.labels)];
    for (let sample = 0; sample < samples; sample++) {
      const broken = sample === 2 || sample === 4;
      expect(got.sparse[sample]).toBe(broken ? Number.NaN : usual.sparse[sample]);
      for (let c = sample * classes; c < (sample + 1) * classes; c++)
        expect(got.gradient[c]).toBe(broken ? Number.NaN : usual.gradient[c]);
    }
  });

  it("of a sure prediction keeps its digits, and so does its gradient", async () => {
    const sure = Float32Array.of(0, 12, -3, 1, 0);
    const given = { logits: sure, labels: Int32Array.of(1) };
    const loss = sparseCrossEntropy(logits, labels);
    const [fromLoss] = gradients(loss, [logits]);
    const [fromScore] = gradients(gatherClass(softmax(logits), labels), [logits]);
    const outputs = { loss, fromLoss, fromScore };
    const got = await evaluate(outputs, given);
    const want = runReference({ outputs }, given, { references }).outputs;
    for (const name of Object.keys(outputs)) expect(relativeL2(got[name], want[name]), name).toBeLessThanOrEqual(1e-5);
  });
});

describe("softmax", () => {
  it("gives a sample the same bits alone and in a batch", async () => {
    for (const columns of [5, 102, 1000]) {
      const x = input("x", [BATCH, columns]);
      const outputs = { softmax: softmax(x), logSoftmax: logSoftmax(x) };
      const data = noise(3, 70 * columns, 12);
      const together = await evaluate(outputs, { x: data }, 70);
      const alone = await evaluate(outputs, { x: data.slice(68 * columns, 69 * columns) });
      for (const name of ["softmax", "logSoftmax"])
        expect(together[name].slice(68 * columns, 69 * columns), name).toEqual(alone[name]);
    }
  });

  it("makes a row with one NaN or +∞ NaN, and no other row", async () => {
    const columns = 40;
    const data = noise(4, 4 * columns);
    data[columns + 33] = Number.NaN;
    data[3 * columns] = Number.POSITIVE_INFINITY;
    data[1] = Number.NEGATIVE_INFINITY;
    const x = input("x", [4, columns]);
    const got = await evaluate({ softmax: softmax(x), logSoftmax: logSoftmax(x) }, { x: data });
    for (const name of ["softmax", "logSoftmax"])
      got[name].forEach((value, at) => {
        const row = Math.floor(at / columns);
        expect(Number.isNaN(value), `${name} ${at}`).toBe(row === 1 || row === 3);
      });
    expect(got.softmax[1]).toBe(0);
    expect(got.logSoftmax[1]).toBe(Number.NEGATIVE_INFINITY);
  });
});

describe("gather and extremes", () => {
  it("scatterClass is the transpose of gatherClass", async () => {
    const index = input("index", [BATCH], "i32");
    const got = await evaluate(
      { gathered: gatherClass(input("x", [BATCH, 3]), index), scattered: scatterClass(input("dy", [BATCH]), index, 3) },
      { x: Float32Array.of(1, 2, 3, 4, 5, 6), index: Int32Array.of(2, 0), dy: Float32Array.of(7, 8) },
      2,
    );
    expect([...got.gathered]).toEqual([3, 4]);
    expect([...got.scattered]).toEqual([0, 0, 7, 8, 0, 0]);
  });

  it("a single NaN is the maximum, in a line and in a window", async () => {
    const x = input("x", [1, 4, 4, 1]);
    const data = Float32Array.from({ length: 16 }, (_, index) => index);
    data[1] = Number.NaN;
    const outputs = {
      peak: maxReduce(x, [1, 2]),
      at: argMax(x, [1, 2]),
      pooled: maxPool2d(x, { size: [2, 2], strides: [2, 2] }),
    };
    const got = await evaluate(outputs, { x: data });
    expect(got.peak[0]).toBe(Number.NaN);
    expect(got.at[0]).toBe(1);
    expect([...got.pooled]).toEqual([Number.NaN, 7, 13, 15]);
  });
});

it("normalise turns pixels into the numbers of a network, whatever the length", async () => {
  const x = input("x", [BATCH, 3, 1, 1], "u8");
  const pixels = Uint8Array.of(0, 127, 255, 1, 2, 3, 200, 100, 50);
  const got = await evaluate({ y: normalise(x, 1 / 127.5, -1) }, { x: pixels }, 3);
  const want = Array.from(pixels, (value) => value / 127.5 - 1);
  expect(relativeL2(got.y, want)).toBeLessThanOrEqual(1e-6);
});

describe("optimiser updates", () => {
  const optimisers: Record<string, (skip: Tensor, gradient: Tensor) => Node> = {
    adam: (skip, gradient) =>
      adamUpdate(parameter("p", [5]), parameter("m", [5]), parameter("v", [5]), gradient, input("rate", []), skip),
    sgd: (skip, gradient) =>
      sgdUpdate(parameter("p", [5]), parameter("m", [5]), gradient, input("rate", []), skip, { momentum: 0.9 }),
  };
  for (const [name, update] of Object.entries(optimisers))
    it(`${name} moves the weights, and leaves all as it is when a gradient is not finite`, async () => {
      const device = await testDevice();
      const store = new ParameterStore(device);
      const names = name === "adam" ? ["p", "m", "v"] : ["p", "m"];
      names.forEach((key, index) => {
        store.set(key, noise(5 + index, 5).map(Math.abs), [5]);
      });
      const before = await Promise.all(names.map((key) => store.get(key)));
      const gradient = input("g", [5]);
      const plan = await compile(
        device,
        { outputs: {}, updates: [update(nonFiniteCount(gradient), gradient)] },
        { parameters: store },
      );
      const step = async (g: Float32Array<ArrayBuffer>): Promise<ArrayLike<number>[]> => {
        await plan.run({ g, rate: Float32Array.of(0.1) });
        return Promise.all(names.map((key) => store.get(key)));
      };
      expect(await step(Float32Array.of(1, Number.NaN, 2, 3, 4))).toEqual(before);
      expect(await step(Float32Array.of(1, 2, Number.NEGATIVE_INFINITY, 3, 4))).toEqual(before);
      expect(await step(Float32Array.of(1, 2, 3, 4, 5))).not.toEqual(before);
      plan.dispose();
      store.dispose();
    });
});

describe("batch normalisation in training", () => {
  it("finds the variance of a channel far from zero", async () => {
    const rows = 4 * 15 * 15;
    const data = noise(9, rows * 2, 2).map((value, index) => value + (index % 2 === 0 ? 300 : 0));
    const x = input("x", [BATCH, 15, 15, 2]);
    const [y, mean, variance] = batchNormTraining(x, input("gamma", [2]), input("beta", [2]));
    const feeds = { x: data, gamma: Float32Array.of(1, 2), beta: Float32Array.of(0, -1) };
    const outputs = { y, mean, variance };
    const got = await evaluate(outputs, feeds, 4);
    const want = runReference({ outputs }, feeds, { references, batch: 4 }).outputs;
    for (const [channel, deviation] of Array.from(want.variance, Math.sqrt).entries())
      expect(Math.abs(got.mean[channel] - want.mean[channel]) / deviation).toBeLessThanOrEqual(1e-4);
    expect(relativeL2(got.variance, want.variance)).toBeLessThanOrEqual(1e-5);
  });
});

describe.skipIf(!hasShared)("against TensorFlow's float64", () => {
  const read = (name: string) => {
    const file = parseSafetensors(readFileSync(shared(`reference/${name}.safetensors`)));
    return (key: string): { data: Float32Array<ArrayBuffer>; shape: readonly number[] } => {
      const stored = file.tensors.get(key);
      if (!stored) throw new Error(`${key} is not in ${name}`);
      return { data: new Float32Array(toFloat32(stored)), shape: stored.shape };
    };
  };
  const builders: Record<string, (...inputs: Tensor[]) => Tensor> = {
    "batchnorm_train/4x6x5x9": (x, gamma, beta) => batchNormTraining(x, gamma, beta)[0],
    "softmax/5x1000": (x) => softmax(x),
    "log_softmax/5x37": (x) => logSoftmax(x),
  };
  for (const [name, build] of Object.entries(builders))
    it(`${name} and its gradients`, async () => {
      const tensor = read("ops");
      const count = build.length;
      const given = Array.from({ length: count }, (_, index) => tensor(`${name}/in${index}`));
      const xs = given.map(({ shape }, index) => input(`x${index}`, shape));
      const y = build(...xs);
      const slopes = gradients(y, xs, input("dy", y.shape));
      const outputs = { y, ...Object.fromEntries(slopes.map((slope, index) => [`d${index}`, slope])) };
      const feeds = Object.fromEntries(given.map(({ data }, index) => [`x${index}`, data]));
      const got = await evaluate(outputs, { ...feeds, dy: tensor(`${name}/cotangent`).data });
      expect(relativeL2(got.y, tensor(`${name}/out`).data)).toBeLessThanOrEqual(1e-5);
      slopes.forEach((_, index) => {
        expect(relativeL2(got[`d${index}`], tensor(`${name}/grad${index}`).data), `${index}`).toBeLessThanOrEqual(1e-5);
      });
    });

  it("resizes as tf.image.resize does", async () => {
    const tensor = read("augment");
    const { data, shape } = tensor("resize/input");
    const x = input("x", [1, ...shape]);
    const outputs = {
      "224x224": resizeBilinear(x, { height: 224, width: 224 }),
      "96x160": resizeBilinear(x, { height: 96, width: 160 }),
    };
    const got = await evaluate(outputs, { x: data });
    for (const name of Object.keys(outputs))
      expect(relativeL2(got[name], tensor(`resize/bilinear_${name}`).data), name).toBeLessThanOrEqual(1e-5);
  });
});
