/** What training can be asked for, against the same numbers computed otherwise. */
import { beforeAll, describe, expect, it } from "vitest";
import { relativeL2 } from "../../src/engine/checkOp.ts";
import { compile } from "../../src/engine/compile.ts";
import type { Device } from "../../src/engine/device.ts";
import { DataError } from "../../src/engine/errors.ts";
import { input } from "../../src/engine/ops/sources.ts";
import { ParameterStore } from "../../src/engine/parameters.ts";
import { normal, uniform } from "../../src/engine/random.ts";
import { BATCH, sizeOf } from "../../src/engine/types.ts";
import { type ClassifierArchitecture, createClassifier, weightShapesOf } from "../../src/nn/classifier.ts";
import { denseHead, type HeadData, trainHead } from "../../src/nn/headTraining.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { mobileNetV2 } from "../../src/nn/mobilenetV2.ts";
import { type NetworkTrainingOptions, trainNetwork } from "../../src/nn/networkTraining.ts";
import { adamW, resetMoments, sgd } from "../../src/nn/optimisers.ts";
import { hostSource } from "../../src/nn/pixelSource.ts";
import { smallCnn } from "../../src/nn/smallCnn.ts";
import { trainableFrom } from "../../src/nn/trainableLayers.ts";
import { TrainingStep } from "../../src/nn/trainingStep.ts";
import { testDevice } from "../device.ts";

let device: Device;
beforeAll(async () => {
  device = await testDevice();
});

const [channels, classes] = [6, 4];
function clouds(count: number, seed: number) {
  const labels = Int32Array.from({ length: count }, (_, index) => index % classes);
  const features = Float32Array.from({ length: count * channels }, (_, at) => {
    const label = labels[Math.floor(at / channels)];
    return normal(9, label, at % channels) + normal(seed, 1, at);
  });
  return { features, labels };
}
const data: HeadData = { channels, classes, train: clouds(36, 1), validation: clouds(20, 2) };

/** One step of softmax regression in float64: smoothing, penalty, clipping, then w −= lr·g. */
function stepByHand(kernel: Float64Array, bias: Float64Array, { smoothing, l2, limit, rate }: Record<string, number>) {
  const { features, labels } = data.train;
  const gradient = { kernel: new Float64Array(kernel.length), bias: new Float64Array(classes) };
  labels.forEach((label, row) => {
    const x = features.subarray(row * channels, (row + 1) * channels);
    const logits = Array.from(bias, (b, c) => x.reduce((sum, value, k) => sum + value * kernel[k * classes + c], b));
    const total = logits.reduce((sum, value) => sum + Math.exp(value), 0);
    logits.forEach((value, c) => {
      const target = smoothing / classes + (c === label ? 1 - smoothing : 0);
      const slope = (Math.exp(value) / total - target) / labels.length;
      gradient.bias[c] += slope;
      x.forEach((feature, k) => {
        gradient.kernel[k * classes + c] += slope * feature;
      });
    });
  });
  kernel.forEach((value, index) => {
    gradient.kernel[index] += 2 * l2 * value;
  });
  const norm = Math.hypot(...gradient.kernel, ...gradient.bias);
  const factor = rate * (limit / Math.max(limit, norm));
  kernel.forEach((_, index) => {
    kernel[index] -= factor * gradient.kernel[index];
  });
  bias.forEach((_, index) => {
    bias[index] -= factor * gradient.bias[index];
  });
  return norm;
}

describe("a step with smoothing, a penalty and a limit", () => {
  it.each([0.05, 10])("follows the formulas, clipped to a norm of %f", async (limit) => {
    const head = denseHead(channels, classes);
    using store = new ParameterStore(device);
    const kernel = Float32Array.from({ length: channels * classes }, (_, index) => normal(3, 0, index));
    store.set("predictions/kernel", kernel, [channels, classes]);
    store.set("predictions/bias", new Float32Array(classes), [classes]);
    const optimiser = sgd();
    resetMoments(store, optimiser, head.parameters);
    const options = { labelSmoothing: 0.2, l2: 0.01, clipNorm: limit };
    const step = await TrainingStep.create(device, store, head, { ...options, optimiser, maxBatch: 36 });
    const [wanted, bias] = [Float64Array.from(kernel), new Float64Array(classes)];
    for (let count = 0; count < 4; count++) {
      await step.run({ features: data.train.features }, data.train.labels, 0.5);
      const norm = stepByHand(wanted, bias, { smoothing: 0.2, l2: 0.01, limit, rate: 0.5 });
      expect(norm > limit).toBe(limit < 1);
    }
    step.dispose();
    expect(relativeL2(await store.get("predictions/kernel"), Float32Array.from(wanted))).toBeLessThan(1e-5);
    expect(relativeL2(await store.get("predictions/bias"), Float32Array.from(bias))).toBeLessThan(1e-5);
  });
});

describe("accumulation", () => {
  it("of small batches is one large batch, also where the last is smaller", async () => {
    const options = { epochs: 3, learningRate: 0.05, optimiser: adamW({ weightDecay: 0.1 }), seed: 5, clipNorm: 0.5 };
    const whole = await trainHead(device, data, { ...options, batch: 20 });
    const parts = await trainHead(device, data, { ...options, batch: 5, accumulate: 4 });
    for (const [name, { data: values }] of whole.tensors)
      expect(relativeL2(parts.tensors.get(name)!.data, values), name).toBeLessThan(1e-4);
    expect(parts.history.map(({ loss }) => loss.toFixed(4))).toEqual(whole.history.map(({ loss }) => loss.toFixed(4)));
  });
});

describe("early stopping and plateaus", () => {
  it("end the training, lower the rate, and give back the best epoch", async () => {
    const { history, best, tensors } = await trainHead(device, data, {
      epochs: 40,
      learningRate: 0.5,
      monitor: "valLoss",
      earlyStopping: { patience: 3 },
      plateau: { patience: 1, factor: 0.5 },
    });
    expect(history.length).toBeLessThan(40);
    expect(best.epoch).toBe(history.length - 3);
    expect(best.valLoss).toBe(Math.min(...history.map(({ valLoss }) => valLoss)));
    expect(history[0].learningRate).toBe(0.5);
    expect(history[history.length - 1].learningRate).toBeLessThan(0.5);
    expect(tensors.get("predictions/kernel")?.data.every(Number.isFinite)).toBe(true);
  });

  it("refuse what contradicts itself", async () => {
    const train = (options: object) => trainHead(device, data, options);
    await expect(train({ plateau: {}, schedule: () => 0.5 })).rejects.toThrow(DataError);
    await expect(train({ dropout: 1 })).rejects.toThrow(/dropout/);
    await expect(train({ accumulate: 0 })).rejects.toThrow(/accumulate/);
    await expect(train({ clipNorm: -1 })).rejects.toThrow(/norm/);
  });
});

const preprocessing = { name: "x/127.5 - 1", scale: 1 / 127.5, offset: -1, resize: "tf" } as const;
const small: ClassifierArchitecture = { name: "smallCnn", inputSize: [32, 32], classes: 3, channels: [4, 8, 8, 12] };

function pictures(count: number, seed: number) {
  const labels = Int32Array.from({ length: count }, (_, index) => index % 3);
  let fetched = 0;
  const batch = (indices: ArrayLike<number>) => {
    fetched += indices.length;
    return Float32Array.from({ length: indices.length * 3072 }, (_, at) => {
      const index = indices[Math.floor(at / 3072)];
      return (at % 3 === labels[index] ? 120 : 80) + 100 * uniform(seed, index, at % 3072);
    });
  };
  return { ...hostSource({ count, labels, batch }), fetched: () => fetched };
}

async function trained(options: NetworkTrainingOptions, architecture: ClassifierArchitecture = small) {
  const shapes = weightShapesOf(architecture);
  const values = initialise(shapes, 4);
  const tensors = new Map([...shapes].map(([name, shape]) => [name, { shape: [...shape], data: values.get(name)! }]));
  const classifier = createClassifier(device, { architecture, preprocessing, classNames: null, tensors });
  const train = pictures(21, 1);
  try {
    const options3 = { epochs: 3, batch: 6, learningRate: 0.02, ...options };
    const outcome = await trainNetwork(classifier, { train, validation: pictures(9, 2) }, options3);
    return { ...outcome, before: tensors, after: await classifier.tensors(), fetched: train.fetched() };
  } finally {
    await classifier.dispose();
  }
}

describe("a frozen part", () => {
  it.each([
    ["stage_2", "training"],
    ["stage_3", "frozen"],
    ["head", "frozen"],
  ] as const)("runs once for each image when training begins at %s, with the same result", async (from, mode) => {
    const part = trainableFrom(weightShapesOf(small).keys(), from, mode);
    const cached = await trained({ ...part, dropout: 0.2 });
    const whole = await trained({ ...part, dropout: 0.2, cacheLimit: 0 });
    expect(cached.fetched).toBe(21);
    expect(whole.fetched).toBe(3 * 21);
    expect(cached.history).toEqual(whole.history);
    expect(cached.after).toEqual(whole.after);
    const layer = (name: string) => name.slice(0, name.lastIndexOf("/"));
    for (const [name, { data: values }] of cached.after) {
      const isMoving = name.includes("moving") && mode === "training" && part.trainable(`${layer(name)}/gamma`);
      const changes = !name.includes("moving") && part.trainable(name);
      if (changes || isMoving) expect(values, name).not.toEqual(cached.before.get(name)?.data);
      else expect(values, name).toEqual(cached.before.get(name)?.data);
    }
  });
});

describe("networks for small images", () => {
  const x = input("x", [BATCH, 32, 32, 3]);

  it("keep a map to look at, and end in either head", () => {
    expect(mobileNetV2(x, { width: 0.35, classes: 10 }).features.shape).toEqual([BATCH, 1, 1, 1280]);
    const cifar = mobileNetV2(x, { width: 0.35, classes: 10, stem: "cifar", headKind: "flatten-dense" });
    expect(cifar.features.shape).toEqual([BATCH, 4, 4, 1280]);
    expect(cifar.parameters.get("predictions/kernel")).toEqual([4 * 4 * 1280, 10]);
    const flat = smallCnn(x, { classes: 10, channels: [4, 8, 8], stem: "cifar", head: "flatten-dense" });
    expect(flat.features.shape).toEqual([BATCH, 16, 16, 8]);
    expect(flat.pooled.shape).toEqual([BATCH, 16 * 16 * 8]);
  });

  it("learn from scratch with either head", async () => {
    const architecture = { ...small, stem: "cifar", head: "flatten-dense" } as ClassifierArchitecture;
    const { history, best } = await trained({ epochs: 6 }, architecture);
    expect(history[5].loss).toBeLessThan(history[0].loss);
    expect(best.valAccuracy).toBeGreaterThan(0.5);
  });

  it("take at most 4 million multiply-adds at 32 pixels in the form for CIFAR-10", async () => {
    const { logits, parameters } = smallCnn(x, { classes: 10, channels: [32, 64, 128, 192], stem: "cifar" });
    using store = new ParameterStore(device);
    for (const [name, shape] of parameters) store.set(name, new Float32Array(sizeOf(shape)), shape);
    using plan = await compile(device, { outputs: { logits: logits! } }, { parameters: store });
    const flops = plan.steps(1).main.reduce((sum, { call }) => sum + call.flops, 0);
    expect(flops / 2).toBeGreaterThan(2e6);
    expect(flops / 2).toBeLessThanOrEqual(4e6);
  });
});
