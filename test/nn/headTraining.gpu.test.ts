import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { relativeL2 } from "../../src/engine/checkOp.ts";
import type { Device } from "../../src/engine/device.ts";
import { DataError, NonFiniteError, ShapeError } from "../../src/engine/errors.ts";
import { ParameterStore } from "../../src/engine/parameters.ts";
import { normal } from "../../src/engine/random.ts";
import { parseSafetensors, toFloat32, toInt32 } from "../../src/nn/formats/safetensors.ts";
import { denseHead, type HeadData, trainHead } from "../../src/nn/headTraining.ts";
import { adam, type Optimiser, resetMoments, sgd } from "../../src/nn/optimisers.ts";
import { TrainingStep } from "../../src/nn/trainingStep.ts";
import { testDevice } from "../device.ts";
import { hasShared, shared } from "../shared.ts";

let device: Device;
beforeAll(async () => {
  device = await testDevice();
});

describe.skipIf(!hasShared)("a head against Keras", () => {
  const lossTolerance = 1e-4;
  const weightTolerance = 1e-4;
  const cases: [string, Optimiser, number][] = [
    ["adam", adam(), 1e-3],
    ["sgd_momentum", sgd({ momentum: 0.9 }), 1e-2],
  ];

  it.each(cases)("takes the 60 steps of %s", async (name, optimiser, learningRate) => {
    const { tensors } = parseSafetensors(readFileSync(shared("reference/head_training.safetensors")));
    const losses: number[] = JSON.parse(readFileSync(shared("reference/head_training.json"), "utf8"))[`${name}/loss`];
    const float = (key: string) => toFloat32(tensors.get(key)!);
    const [features, labels, batches] = [
      float("features"),
      toInt32(tensors.get("labels")!),
      toInt32(tensors.get("batches")!),
    ];
    const head = denseHead(64, 12);
    using store = new ParameterStore(device);
    store.set("predictions/kernel", float("W0"), [64, 12]);
    store.set("predictions/bias", float("b0"), [12]);
    resetMoments(store, optimiser, head.parameters);
    const step = await TrainingStep.create(device, store, head, { optimiser, maxBatch: 32 });
    expect(losses.length).toBe(60);
    for (const [index, want] of losses.entries()) {
      const batch = batches.subarray(32 * index, 32 * index + 32);
      const rows = Float32Array.from({ length: 32 * 64 }, (_, at) => features[64 * batch[at >> 6] + (at & 63)]);
      const { loss } = await step.run(
        { features: rows },
        Int32Array.from(batch, (row) => labels[row]),
        learningRate,
      );
      expect(Math.abs(loss - want) / want, `step ${index + 1}`).toBeLessThanOrEqual(lossTolerance);
    }
    step.dispose();
    for (const [parameter, key] of [
      ["kernel", "W"],
      ["bias", "b"],
    ])
      expect(relativeL2(await store.get(`predictions/${parameter}`), float(`${name}/${key}`)), key).toBeLessThanOrEqual(
        weightTolerance,
      );
  });
});

/** Features of Gaussian clouds around one centre a class. */
function clouds(count: number, { channels = 24, classes = 5, seed = 1, spread = 0.6 } = {}) {
  const centre = (label: number, channel: number) => normal(9, label, channel);
  const labels = Int32Array.from({ length: count }, (_, index) => index % classes);
  const features = Float32Array.from({ length: count * channels }, (_, at) => {
    const label = labels[Math.floor(at / channels)];
    return centre(label, at % channels) + spread * normal(seed, 1, at);
  });
  return { features, labels };
}

const data = (): HeadData => ({
  channels: 24,
  classes: 5,
  train: clouds(131, { seed: 1 }),
  validation: clouds(60, { seed: 2 }),
});

describe("trainHead", () => {
  it("learns, keeps the best epoch, and reports each", async () => {
    const told: number[] = [];
    const progress: number[] = [];
    const { history, best, tensors } = await trainHead(device, data(), {
      epochs: 6,
      learningRate: 1e-2,
      onEpoch: ({ epoch }) => told.push(epoch),
      onProgress: ({ epoch, done, total }) => progress.push(epoch * 1000 + done / total),
    });
    expect(told).toEqual([1, 2, 3, 4, 5, 6]);
    expect(progress.length).toBe(6 * 5);
    expect(progress[4]).toBe(1001);
    expect(history.map(({ epoch }) => epoch)).toEqual(told);
    expect(history[5].loss).toBeLessThan(history[0].loss / 2);
    expect(best.valAccuracy).toBe(Math.max(...history.map(({ valAccuracy }) => valAccuracy)));
    expect(best.valAccuracy).toBeGreaterThan(0.9);
    expect(tensors.get("predictions/kernel")?.shape).toEqual([24, 5]);
    expect(tensors.get("predictions/bias")?.data.length).toBe(5);
  });

  it("keeps the weights of the best epoch, not of the last", async () => {
    // After the second epoch the loss is climbed instead of descended.
    const options = { learningRate: 1e-2, schedule: (step: number) => (step < 10 ? 1 : -5) };
    const whole = await trainHead(device, data(), { ...options, epochs: 4 });
    expect(whole.best.epoch).toBeLessThanOrEqual(2);
    expect(whole.history[3].valLoss).toBeGreaterThan(whole.best.valLoss);
    const cut = await trainHead(device, data(), { ...options, epochs: whole.best.epoch });
    expect(cut.tensors).toEqual(whole.tensors);
  });

  it("gives the same bits for the same seed, others for another", async () => {
    const run = async (seed: number) => {
      const { history, tensors } = await trainHead(device, data(), { epochs: 3, seed });
      return { history, tensors };
    };
    const first = await run(7);
    expect(await run(7)).toEqual(first);
    expect((await run(8)).tensors).not.toEqual(first.tensors);
  });

  it("stops within one step of a NaN, names where, and changes nothing in it", async () => {
    const planted = data();
    planted.train.features[24 * 17 + 3] = Number.NaN;
    let steps = 0;
    const failure = await trainHead(device, planted, { epochs: 2, batch: 1, onProgress: () => steps++ }).catch(
      (error) => error,
    );
    expect(failure).toBeInstanceOf(NonFiniteError);
    expect(failure.exitCode).toBe(11);
    expect(failure.message).toContain("input features");
    expect(failure.message).toContain(`step ${steps + 1}:`);
    expect(steps).toBeLessThan(131);
  });

  it("names the op in which finite numbers overflow, and leaves the parameters as they were", async () => {
    const head = denseHead(2, 2);
    const optimiser = adam();
    using store = new ParameterStore(device);
    const kernel = Float32Array.of(3e38, 1, 3e38, 1);
    store.set("predictions/kernel", kernel, [2, 2]);
    store.set("predictions/bias", new Float32Array(2), [2]);
    resetMoments(store, optimiser, head.parameters);
    const step = await TrainingStep.create(device, store, head, { optimiser, maxBatch: 1 });
    const run = step.run({ features: Float32Array.of(1, 1) }, Int32Array.of(1), 1e-3);
    await expect(run).rejects.toThrow(/op matmul/);
    step.dispose();
    expect(await store.get("predictions/kernel")).toEqual(kernel);
    expect(await store.get("adam/m/predictions/kernel")).toEqual(new Float32Array(4));
    expect(await store.get("adam/v/predictions/kernel")).toEqual(new Float32Array(4));
  });

  const steps = process.env.TEPAL_LONG ? 2000 : 200;
  it(`takes ${steps} steps without a growth of live buffers, and frees all in the end`, async () => {
    const before = device.liveBytes;
    const sizes: number[] = [];
    const epochs = steps / 5;
    await trainHead(device, data(), { epochs, onProgress: () => sizes.push(device.liveBytes) });
    expect(sizes.length).toBe(steps);
    // The last step of an epoch is smaller and brings its own staging buffer, once.
    expect(new Set(sizes.slice(10)).size).toBe(1);
    expect(device.liveBytes).toBe(before);
  });

  it("stops when it is told to", async () => {
    const controller = new AbortController();
    const run = trainHead(device, data(), {
      signal: controller.signal,
      onProgress: () => controller.abort(new Error("enough")),
    });
    await expect(run).rejects.toThrow("enough");
  });

  it("refuses data and options that cannot be", async () => {
    const wrong = data();
    wrong.train.labels[4] = 5;
    await expect(trainHead(device, wrong)).rejects.toThrow(DataError);
    await expect(trainHead(device, { ...data(), channels: 23 })).rejects.toThrow(ShapeError);
    await expect(trainHead(device, data(), { epochs: 0 })).rejects.toThrow(/epochs/);
    await expect(trainHead(device, data(), { learningRate: Number.NaN })).rejects.toThrow(/learning rate/);
    const empty = { features: new Float32Array(), labels: new Int32Array() };
    await expect(trainHead(device, { ...data(), validation: empty })).rejects.toThrow(/validation/);
  });
});
