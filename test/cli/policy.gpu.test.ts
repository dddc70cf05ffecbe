import { beforeAll, describe, expect, it } from "vitest";
import { augmentedSource } from "../../src/cli/policy.ts";
import { Augmentation } from "../../src/data/augment/augmentation.ts";
import { Augmenter } from "../../src/data/augment/augmenter.ts";
import { batchPartners, isDeterministic } from "../../src/data/augment/parameters.ts";
import { builtInPolicies, PolicyBuilder } from "../../src/data/augment/policy.ts";
import type { Device } from "../../src/engine/device.ts";
import { DataError } from "../../src/engine/errors.ts";
import { epochOrder, uniform } from "../../src/engine/random.ts";
import { type Classifier, createClassifier, weightShapesOf } from "../../src/nn/classifier.ts";
import { computeFeatures, featureChannels } from "../../src/nn/features.ts";
import { trainHead } from "../../src/nn/headTraining.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { trainableNetwork, trainNetwork } from "../../src/nn/networkTraining.ts";
import { adam, resetMoments } from "../../src/nn/optimisers.ts";
import { hostSource } from "../../src/nn/pixelSource.ts";
import { TrainingStep } from "../../src/nn/trainingStep.ts";
import { testDevice } from "../device.ts";

const size = 32;
const image = size * size * 3;
const inputSize = [size, size] as const;
const classNames = ["a", "b", "c"];
const preprocessing = { name: "x/127.5 - 1", scale: 1 / 127.5, offset: -1, resize: "aspect" } as const;
const count = 11;

let device: Device;
beforeAll(async () => {
  device = await testDevice();
});

function fresh(): Classifier {
  const architecture = { name: "smallCnn", inputSize, classes: 3, channels: [8, 16] } as const;
  const shapes = weightShapesOf(architecture);
  const values = initialise(shapes, 5);
  const tensors = new Map([...shapes].map(([name, shape]) => [name, { shape: [...shape], data: values.get(name)! }]));
  return createClassifier(device, { architecture, preprocessing, classNames, tensors });
}

const bytes = (index: number): Uint8Array =>
  Uint8Array.from({ length: image }, (_, at) => 255 * uniform(9, index, Math.floor(at / 12)));

const gathered = (indices: ArrayLike<number>): Uint8Array =>
  new Uint8Array(Buffer.concat(Array.from(indices, (index) => bytes(index))));

const plain = hostSource({
  count,
  dtype: "u8",
  labels: Int32Array.from({ length: count }, (_, index) => index % 3),
  ids: Array.from({ length: count }, (_, index) => 100 + 3 * index),
  batch: gathered,
});

/** The images of a batch as the policy makes them, by themselves and read back. */
async function augmentedAlone(augmentation: Augmentation, seed: number, epoch: number, indices: ArrayLike<number>) {
  const partners = augmentation.mixes ? batchPartners(0, indices.length, count) : undefined;
  const samples = Array.from(indices, (index, at) => ({ seed, epoch, id: plain.ids[index], partner: partners?.[at] }));
  const augmenter = await Augmenter.create(device, augmentation, { maxBatch: indices.length });
  const { images } = await augmenter.run(Float32Array.from(gathered(indices)), samples);
  augmenter.dispose();
  return images;
}

describe("a policy in the plan of training", () => {
  it("gives the network what it makes by itself, by seed, epoch and number, whatever the batch", async () => {
    const classifier = fresh();
    const source = augmentedSource(plain, builtInPolicies.advanced, { seed: 7, inputSize });
    const augmentation = new Augmentation(builtInPolicies.advanced, { height: size, width: size });
    const images = await augmentedAlone(augmentation, 7, 0, [...plain.labels.keys()]);
    const ready = hostSource({ count, batch: (indices) => images.subarray(0, indices.length * image) });
    const expected = await computeFeatures(classifier, ready, { batch: count });
    expect(await computeFeatures(classifier, source, { batch: count })).toEqual(expected);
    expect(await computeFeatures(classifier, source, { batch: 4 })).toEqual(expected);
    expect(await computeFeatures(classifier, plain)).not.toEqual(expected);
    const other = augmentedSource(plain, builtInPolicies.advanced, { seed: 8, inputSize });
    expect(await computeFeatures(classifier, other, { batch: count })).not.toEqual(expected);
  });

  it.each(["mixUp", "cutMix"])("mixes the labels of %s as the images of its pairs", async (type) => {
    const policy = new PolicyBuilder(type).add("flip").add(type, { alpha: 1 }).build();
    const classifier = fresh();
    const source = augmentedSource(plain, policy, { seed: 3, inputSize });
    const augmentation = new Augmentation(policy, { height: size, width: size });
    const indices = epochOrder(count, 3, 2).subarray(0, 6);
    const network = trainableNetwork(classifier, source, { batchNorm: "frozen" });
    const optimiser = adam();
    const { parameters } = classifier;
    resetMoments(
      parameters,
      optimiser,
      [...network.trainable].map(([name, { shape }]) => [name, shape] as const),
    );
    const step = await TrainingStep.create(device, parameters, network, { optimiser, maxBatch: 6 });
    const { logits } = await classifier.predict(await augmentedAlone(augmentation, 3, 2, indices));
    const labels = Int32Array.from(indices, (index) => plain.labels[index]);
    const { losses, correct } = await step.run(await source.inputs(indices, { epoch: 2, first: 0 }), labels, 0.1);
    let right = 0;
    losses.forEach((loss, row) => {
      const own = augmentation.ownShare({ seed: 3, epoch: 2, id: plain.ids[indices[row]] });
      const shares = [0, 0, 0];
      shares[labels[row]] += own;
      shares[labels[row ^ 1]] += 1 - own;
      const scores = [...logits.subarray(3 * row, 3 * row + 3)];
      const total = Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0));
      const expected = shares.reduce((sum, share, index) => sum - share * (scores[index] - total), 0);
      expect(Math.abs(loss - expected)).toBeLessThan(1e-5);
      if (scores.indexOf(Math.max(...scores)) === shares.indexOf(Math.max(...shares))) right++;
    });
    expect(correct).toBe(right);
    expect([...labels].some((label, row) => label !== labels[row ^ 1])).toBe(true);
    await expect(source.inputs(indices.subarray(0, 3), { epoch: 2, first: 0 })).rejects.toThrow(DataError);
  });

  it("trains a head in one plan as on features computed before, when nothing is drawn", async () => {
    const options = { epochs: 3, batch: 4, learningRate: 0.05, seed: 2 };
    const inPlan = fresh();
    const head = { trainable: (name: string) => name.startsWith("predictions/"), batchNorm: "frozen" } as const;
    const first = initialise(
      new Map([
        ["predictions/kernel", [16, 3]],
        ["predictions/bias", [3]],
      ]),
      options.seed,
    );
    for (const [name, values] of first) inPlan.parameters.set(name, values, inPlan.parameters.shape(name));
    const { history } = await trainNetwork(inPlan, { train: plain, validation: plain }, { ...options, ...head });
    const backbone = fresh();
    const part = { features: await computeFeatures(backbone, plain), labels: plain.labels };
    const data = { channels: featureChannels(backbone), classes: 3, train: part, validation: part };
    const before = await trainHead(device, data, options);
    history.forEach(({ loss, valLoss, valAccuracy }, index) => {
      const expected = before.history[index];
      expect(Math.abs(loss - expected.loss)).toBeLessThan(1e-5);
      expect(Math.abs(valLoss - expected.valLoss)).toBeLessThan(1e-5);
      expect(valAccuracy).toBe(expected.valAccuracy);
    });
    expect(history[2].loss).toBeLessThan(history[0].loss);
  });
});

describe("a policy of training", () => {
  it("is deterministic only where no draw differs", () => {
    const build = (...layers: [string, object][]) =>
      layers.reduce((builder, [type, settings]) => builder.add(type, { ...settings }), new PolicyBuilder("p")).build();
    expect(isDeterministic(build(["rotation", { factor: [0.1, 0.1] }], ["brightness", { factor: [0.2, 0.2] }]))).toBe(
      true,
    );
    expect(isDeterministic(build(["rotation", { factor: [0.1, 0.11] }]))).toBe(false);
    for (const type of ["flip", "mixUp", "randAugment", "augMix", "erasing", "noise"])
      expect(isDeterministic(build([type, {}])), type).toBe(false);
  });

  it("must give images of the network's size", () => {
    const policy = new PolicyBuilder("p").add("randomResizedCrop", { height: 16, width: 16 }).build();
    expect(() => augmentedSource(plain, policy, { seed: 1, inputSize })).toThrow(/32 × 32.*16 × 16/);
  });
});
