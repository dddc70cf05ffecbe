import { beforeAll, describe, expect, it } from "vitest";
import { compile } from "../../src/engine/compile.ts";
import type { Device } from "../../src/engine/device.ts";
import { ShapeError, WeightsError } from "../../src/engine/errors.ts";
import { input } from "../../src/engine/ops/sources.ts";
import { normal, uniform } from "../../src/engine/random.ts";
import { BATCH, type TypedArray } from "../../src/engine/types.ts";
import { type Classifier, createClassifier, weightShapesOf } from "../../src/nn/classifier.ts";
import { type DistillationData, distil, featurePenalty, totalVariance } from "../../src/nn/distillation.ts";
import { KERAS_MOBILENET_V2_PREPROCESSING } from "../../src/nn/formats/inspect.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { hostSource, type LabelledPixelSource } from "../../src/nn/pixelSource.ts";
import { testDevice } from "../device.ts";

let device: Device;
beforeAll(async () => {
  device = await testDevice();
});

const SIZE = 32;
const COUNT = 24;

function network(seed: number, classes: number | null): Classifier {
  const architecture = {
    name: "mobilenetV2",
    width: 0.35,
    inputSize: [SIZE, SIZE],
    classes,
    head: "gap-dense",
  } as const;
  const shapes = weightShapesOf(architecture);
  const values = initialise(shapes, seed);
  return createClassifier(device, {
    architecture,
    preprocessing: KERAS_MOBILENET_V2_PREPROCESSING,
    classNames: null,
    tensors: new Map([...shapes].map(([name, shape]) => [name, { shape: [...shape], data: values.get(name)! }])),
  });
}

/** Two classes of images, dark and bright, with noise. */
function images(): LabelledPixelSource {
  const labels = Int32Array.from({ length: COUNT }, (_, index) => index % 2);
  const size = SIZE * SIZE * 3;
  const image = (index: number) =>
    Float32Array.from({ length: size }, (_, place) => 80 + 90 * labels[index] + 40 * uniform(3, index, place));
  return hostSource({
    count: COUNT,
    labels,
    batch: (indices) => {
      const pixels = new Float32Array(indices.length * size);
      for (let place = 0; place < indices.length; place++) pixels.set(image(indices[place]), place * size);
      return pixels;
    },
  });
}

/** A teacher that sees which class an image is of, and a little noise. */
function data(): DistillationData {
  const source = images();
  const channels = 1280;
  const targets = Float32Array.from({ length: COUNT * channels }, (_, index) => {
    const [row, channel] = [Math.floor(index / channels), index % channels];
    return uniform(11, source.labels[row], channel) + 0.1 * uniform(12, row, channel);
  });
  return { train: source, targets, validation: source };
}

describe("distil", () => {
  it("measures differences by the variance of the targets", async () => {
    const channels = 6;
    const values = (stream: number, count: number) =>
      Float32Array.from({ length: count * channels }, (_, index) => normal(2, stream, index));
    const targets = values(0, 40);
    const variance = totalVariance(targets, channels);
    const mean = (channel: number) =>
      Array.from({ length: 40 }, (_, row) => targets[row * channels + channel]).reduce((a, b) => a + b) / 40;
    const distance = (row: number) =>
      Array.from({ length: channels }, (_, c) => (targets[row * channels + c] - mean(c)) ** 2).reduce((a, b) => a + b);
    expect(variance).toBeCloseTo(Array.from({ length: 40 }, (_, row) => distance(row)).reduce((a, b) => a + b) / 40, 9);

    const features = values(1, 3);
    const plan = await compile(device, {
      outputs: { penalty: featurePenalty(input("features", [BATCH, channels]), 2.5, variance) },
    });
    const { penalty } = await plan.run({ features, targets: targets.slice(0, 3 * channels) });
    for (let row = 0; row < 3; row++) {
      let expected = 0;
      for (let c = row * channels; c < (row + 1) * channels; c++) expected += (features[c] - targets[c]) ** 2;
      expect(Math.abs(penalty[row] - (2.5 * expected) / variance)).toBeLessThan(1e-5);
    }
    plan.dispose();
  });

  it("brings the features to the teacher's and the labels to the head, the same bits each time", async () => {
    const material = data();
    /** Losses and accuracies of each epoch, and a kernel after the first. */
    const run = async (epochs: number) => {
      const student = network(4, 2);
      const kernels: TypedArray[] = [];
      const keep = async () => void kernels.push(await student.parameters.get("Conv_1/kernel"));
      const { history } = await distil(student, material, { epochs, batch: 12, learningRate: 2e-2, seed: 2, keep });
      await student.dispose();
      expect(kernels.length).toBe(epochs);
      return { history, kernel: kernels[0] };
    };
    const first = await run(8);
    expect(first.history[7].loss).toBeLessThan(0.8 * first.history[0].loss);
    expect(first.history[7].accuracy).toBeGreaterThan(0.9);
    const second = await run(1);
    expect(second.history[0].loss).toBe(first.history[0].loss);
    expect(second.kernel).toEqual(first.kernel);
  });

  it("refuses targets that are not one row an image, and a student without a head", async () => {
    const material = data();
    const student = network(4, 2);
    await expect(distil(student, { ...material, targets: material.targets.slice(1) })).rejects.toThrow(ShapeError);
    await expect(distil(student, { ...material, targets: material.targets.slice(COUNT) })).rejects.toThrow(ShapeError);
    await student.dispose();
    const headless = network(4, null);
    await expect(distil(headless, material)).rejects.toThrow(WeightsError);
    await headless.dispose();
  });
});
