import { beforeAll, describe, expect, it } from "vitest";
import type { Device } from "../../src/engine/device.ts";
import { randomBits } from "../../src/engine/random.ts";
import {
  type Classifier,
  type ClassifierArchitecture,
  createClassifier,
  weightShapesOf,
} from "../../src/nn/classifier.ts";
import { computeFeatures } from "../../src/nn/features.ts";
import type { WeightTensor } from "../../src/nn/formats/weightSet.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { trainNetwork } from "../../src/nn/networkTraining.ts";
import { hostSource, type LabelledPixelSource } from "../../src/nn/pixelSource.ts";
import { predictAll } from "../../src/nn/prediction.ts";
import { testDevice } from "../device.ts";

/** 33 · 33 · 3 bytes are no whole number of words: images begin in the middle of one. */
const size = 33;
const image = size * size * 3;
const architecture: ClassifierArchitecture = {
  name: "smallCnn",
  inputSize: [size, size],
  classes: 3,
  channels: [4, 8, 8],
};
const preprocessing = { name: "x/127.5 - 1", scale: 1 / 127.5, offset: -1, resize: "aspect" } as const;

let device: Device;
beforeAll(async () => {
  device = await testDevice();
});

function fresh(): Classifier {
  const shapes = weightShapesOf(architecture);
  const values = initialise(shapes, 5);
  const tensors = new Map<string, WeightTensor>();
  for (const [name, shape] of shapes) tensors.set(name, { shape: [...shape], data: values.get(name)! });
  return createClassifier(device, { architecture, preprocessing, classNames: ["a", "b", "c"], tensors });
}

const bytes = (count: number): Uint8Array =>
  Uint8Array.from({ length: count * image }, (_, at) => randomBits(7, 1, at) & 255);

function source(pixels: Uint8Array, dtype: "u8" | "f32"): LabelledPixelSource {
  const count = pixels.length / image;
  const batch = (indices: ArrayLike<number>) => {
    const chosen = Array.from(indices, (index) => pixels.subarray(index * image, (index + 1) * image));
    const gathered = new Uint8Array(Buffer.concat(chosen));
    return dtype === "u8" ? gathered : Float32Array.from(gathered);
  };
  return hostSource({ count, dtype, labels: Int32Array.from({ length: count }, (_, index) => index % 3), batch });
}

describe("images as bytes give the bits that they give as floats", () => {
  it("in predictions, in any number", async () => {
    const classifier = fresh();
    const pixels = bytes(19);
    const floats = await classifier.predict(Float32Array.from(pixels));
    expect(await classifier.predict(pixels)).toEqual(floats);
    for (const row of [0, 7, 18])
      expect((await classifier.predict(pixels.slice(row * image, (row + 1) * image))).logits).toEqual(
        floats.logits.slice(3 * row, 3 * row + 3),
      );
    expect(await predictAll(classifier, source(pixels, "u8"))).toEqual(floats.logits);
    await classifier.dispose();
  });

  it("in features", async () => {
    const classifier = fresh();
    const [a, b] = [source(bytes(7), "u8"), source(bytes(7), "f32")];
    expect(await computeFeatures(classifier, a, { batch: 3 })).toEqual(
      await computeFeatures(classifier, b, { batch: 3 }),
    );
    await classifier.dispose();
  });

  it("in the history and the weights of a training", async () => {
    const results = [];
    for (const dtype of ["u8", "f32"] as const) {
      const classifier = fresh();
      const data = { train: source(bytes(11), dtype), validation: source(bytes(4), dtype) };
      const { history } = await trainNetwork(classifier, data, { epochs: 2, batch: 4, learningRate: 0.01, seed: 3 });
      results.push({
        history: history.map((record) => ({ ...record, seconds: 0 })),
        tensors: await classifier.tensors(),
      });
      await classifier.dispose();
    }
    expect(results[0]).toEqual(results[1]);
  });
});
