import { beforeAll, describe, expect, it } from "vitest";
import type { Device } from "../../src/engine/device.ts";
import { DataError, NonFiniteError, WeightsError } from "../../src/engine/errors.ts";
import { uniform } from "../../src/engine/random.ts";
import {
  type Classifier,
  type ClassifierArchitecture,
  createClassifier,
  weightShapesOf,
} from "../../src/nn/classifier.ts";
import type { WeightTensor } from "../../src/nn/formats/weightSet.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { lossAndAccuracy } from "../../src/nn/metrics.ts";
import { type NetworkTrainingOptions, trainNetwork } from "../../src/nn/networkTraining.ts";
import { cosineSchedule, sgd } from "../../src/nn/optimisers.ts";
import { hostSource, type LabelledPixelSource } from "../../src/nn/pixelSource.ts";
import { predictAll } from "../../src/nn/prediction.ts";
import { testDevice } from "../device.ts";

const size = 32;
const classNames = ["horizontal", "vertical", "plain"];
const preprocessing = { name: "x/127.5 - 1", scale: 1 / 127.5, offset: -1, resize: "aspect" } as const;

let device: Device;
beforeAll(async () => {
  device = await testDevice();
});

/** Stripes along one axis, along the other, or none, in noise: no colour tells the classes apart. */
function stripes(count: number, seed: number): LabelledPixelSource {
  const labels = Int32Array.from({ length: count }, (_, index) => index % 3);
  const image = (index: number): Float32Array => {
    const phase = 8 * uniform(seed, 1, index);
    return Float32Array.from({ length: size * size * 3 }, (_, at) => {
      const [x, y] = [Math.floor(at / 3) % size, Math.floor(at / 3 / size)];
      const along = labels[index] === 0 ? y : x;
      const wave = labels[index] === 2 ? 0 : Math.sign(Math.sin((2 * Math.PI * (along + phase)) / 8));
      return 128 + 60 * wave + 60 * (uniform(seed, 2 + index, at) - 0.5);
    });
  };
  const images = Array.from({ length: count }, (_, index) => image(index));
  const batch = (indices: ArrayLike<number>): Float32Array => {
    const pixels = new Float32Array(indices.length * size * size * 3);
    Array.from(indices, (index, place) => pixels.set(images[index], place * size * size * 3));
    return pixels;
  };
  return hostSource({ count, labels, batch });
}

function fresh(architecture: ClassifierArchitecture, seed = 5): Classifier {
  const shapes = weightShapesOf(architecture);
  const values = initialise(shapes, seed);
  const tensors = new Map<string, WeightTensor>();
  for (const [name, shape] of shapes) tensors.set(name, { shape: [...shape], data: values.get(name)! });
  return createClassifier(device, { architecture, preprocessing, classNames, tensors });
}

const small: ClassifierArchitecture = { name: "smallCnn", inputSize: [size, size], classes: 3, channels: [8, 16, 16] };
const mobile: ClassifierArchitecture = {
  name: "mobilenetV2",
  width: 0.35,
  inputSize: [size, size],
  classes: 3,
  head: "gap-dense",
};
const data = () => ({ train: stripes(70, 1), validation: stripes(30, 2) });

async function trained(architecture: ClassifierArchitecture, options: NetworkTrainingOptions) {
  const classifier = fresh(architecture);
  const { history, best } = await trainNetwork(classifier, data(), options);
  const tensors = await classifier.tensors();
  await classifier.dispose();
  return { history: history.map((record) => ({ ...record, seconds: 0 })), best, tensors };
}

describe("trainNetwork", () => {
  it("teaches smallCnn all its layers, and keeps the best epoch", async () => {
    const classifier = fresh(small);
    const before = await classifier.tensors();
    const { train, validation } = data();
    const { history, best } = await trainNetwork(
      classifier,
      { train, validation },
      { epochs: 12, batch: 16, learningRate: 5e-3, seed: 1 },
    );
    expect(best.valAccuracy).toBeGreaterThanOrEqual(0.9);
    expect(history[11].loss).toBeLessThan(history[0].loss / 2);
    const measured = lossAndAccuracy(await predictAll(classifier, validation), validation.labels, 3);
    expect(measured).toEqual({ loss: best.valLoss, accuracy: best.valAccuracy });
    const after = await classifier.tensors();
    for (const [name, { data: values }] of after) expect(values, name).not.toEqual(before.get(name)?.data);
    expect([...classifier.parameters.names].sort()).toEqual([...after.keys()].sort());
    await classifier.dispose();
  });

  it("gives the same bits for the same seed", async () => {
    const options = { epochs: 2, batch: 16, seed: 3, schedule: cosineSchedule };
    const first = await trained(small, options);
    expect(await trained(small, options)).toEqual(first);
    expect((await trained(small, { ...options, seed: 4 })).tensors).not.toEqual(first.tensors);
  });

  it("trains MobileNetV2 with the batch's statistics, and moves the running ones", async () => {
    const initial = fresh(mobile);
    const before = await initial.tensors();
    await initial.dispose();
    const { tensors, history } = await trained(mobile, { epochs: 1, batch: 14, optimiser: sgd({ momentum: 0.9 }) });
    expect(Number.isFinite(history[0].loss)).toBe(true);
    for (const name of ["bn_Conv1/moving_mean", "Conv_1_bn/moving_variance", "block_5_expand/kernel"])
      expect(tensors.get(name)?.data, name).not.toEqual(before.get(name)?.data);
  });

  it("changes only what it is told to when batch normalisation is frozen", async () => {
    const initial = fresh(mobile);
    const before = await initial.tensors();
    await initial.dispose();
    const trainable = (name: string) => name.startsWith("predictions/") || name.startsWith("Conv_1/");
    const { tensors } = await trained(mobile, { epochs: 1, batch: 35, batchNorm: "frozen", trainable });
    for (const [name, { data: values }] of tensors) {
      const same = expect(values, name);
      if (trainable(name)) same.not.toEqual(before.get(name)?.data);
      else same.toEqual(before.get(name)?.data);
    }
  });

  it("stops within one step of a NaN and leaves every weight and statistic as it was", async () => {
    const classifier = fresh(small);
    const before = await classifier.tensors();
    const { train, validation } = data();
    const poisoned: LabelledPixelSource = {
      ...train,
      async inputs(indices, place) {
        const { pixels } = await train.inputs(indices, place);
        return { pixels: (pixels as Float32Array).fill(Number.NaN, 7, 8) };
      },
    };
    let steps = 0;
    const options = { epochs: 1, batch: 16, onProgress: () => steps++ };
    const failure = await trainNetwork(classifier, { train: poisoned, validation }, options).catch((error) => error);
    expect(failure).toBeInstanceOf(NonFiniteError);
    expect(failure.message).toMatch(/^step 1: .*input pixels/);
    expect(steps).toBe(0);
    expect(await classifier.tensors()).toEqual(before);
    await classifier.dispose();
  });

  it("names the layer in which a weight makes numbers overflow", async () => {
    const classifier = fresh(small);
    const kernel = (await classifier.tensors()).get("stage_1/kernel")!;
    classifier.parameters.set("stage_1/kernel", kernel.data.fill(3e38), kernel.shape);
    const failure = await trainNetwork(classifier, data(), { epochs: 1, batch: 16 }).catch((error) => error);
    expect(failure).toBeInstanceOf(NonFiniteError);
    expect(failure.message).toMatch(/first in stage_1 \(op \w+\)/);
    await classifier.dispose();
  });

  it("takes 200 steps without a growth of live buffers, and frees what it made", async () => {
    const classifier = fresh({ ...small, channels: [4, 8] });
    const before = device.liveBytes;
    const sizes: number[] = [];
    await trainNetwork(classifier, data(), { epochs: 20, batch: 7, onProgress: () => sizes.push(device.liveBytes) });
    expect(sizes.length).toBe(200);
    expect(new Set(sizes.slice(10)).size).toBe(1);
    await classifier.dispose();
    expect(device.liveBytes).toBeLessThan(before);
  });

  it("refuses what cannot be trained", async () => {
    const classifier = fresh(small);
    await expect(trainNetwork(classifier, data(), { trainable: () => false })).rejects.toThrow(WeightsError);
    await expect(trainNetwork(classifier, { ...data(), validation: stripes(0, 1) })).rejects.toThrow(DataError);
    await classifier.dispose();
  });
});
