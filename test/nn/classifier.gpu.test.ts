import { beforeAll, describe, expect, it } from "vitest";
import type { Device } from "../../src/engine/device.ts";
import { NonFiniteError, ShapeError, WeightsError } from "../../src/engine/errors.ts";
import { uniform } from "../../src/engine/random.ts";
import { type ClassifierArchitecture, createClassifier, weightShapesOf } from "../../src/nn/classifier.ts";
import { computeFeatures, featureChannels } from "../../src/nn/features.ts";
import { KERAS_MOBILENET_V2_PREPROCESSING } from "../../src/nn/formats/inspect.ts";
import { parseModel, serializeModel } from "../../src/nn/formats/model.ts";
import type { WeightTensor } from "../../src/nn/formats/weightSet.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { hostSource, type PixelSource } from "../../src/nn/pixelSource.ts";
import type { ExplainableModel } from "../../src/xai/model.ts";
import { testDevice } from "../device.ts";

const size = 32;
const image = size * size * 3;
const preprocessing = KERAS_MOBILENET_V2_PREPROCESSING;
const classNames = ["a", "b", "c", "d"];
const small: ClassifierArchitecture = { name: "smallCnn", inputSize: [size, size], classes: 4, channels: [8, 16] };
const backbone: ClassifierArchitecture = {
  name: "mobilenetV2",
  width: 0.35,
  inputSize: [size, size],
  classes: null,
  head: "gap-dense",
};

let device: Device;
beforeAll(async () => {
  device = await testDevice();
});

function weightsOf(architecture: ClassifierArchitecture, seed = 1): Map<string, WeightTensor> {
  const shapes = weightShapesOf(architecture);
  const values = initialise(shapes, seed);
  return new Map([...shapes].map(([name, shape]) => [name, { shape: [...shape], data: values.get(name)! }]));
}

const noise = (count: number): Float32Array =>
  Float32Array.from({ length: count * image }, (_, at) => 255 * uniform(3, 1, at));

const source = (pixels: Float32Array): PixelSource =>
  hostSource({
    count: pixels.length / image,
    batch: (indices) => {
      const chosen = Array.from(indices, (index) => [...pixels.subarray(index * image, (index + 1) * image)]);
      return Float32Array.from(chosen.flat());
    },
  });

describe("Classifier", () => {
  it("predicts any number of images, each as it would alone", async () => {
    const tensors = weightsOf(small);
    const classifier = createClassifier(device, { architecture: small, preprocessing, classNames, tensors });
    const pixels = noise(19);
    const { logits, probabilities, classes } = await classifier.predict(pixels);
    expect([classes, logits.length, probabilities.length]).toEqual([4, 76, 76]);
    for (let row = 0; row < 19; row++) {
      const alone = await classifier.predict(pixels.slice(row * image, (row + 1) * image));
      expect(alone.logits).toEqual(logits.slice(4 * row, 4 * row + 4));
      const powers = Array.from(alone.logits, Math.exp);
      const total = powers.reduce((sum, value) => sum + value, 0);
      powers.forEach((power, column) => {
        expect(probabilities[4 * row + column]).toBeCloseTo(power / total, 6);
      });
    }
    await classifier.dispose();
  });

  it("puts the preprocessing inside: the same image in other units gives the same logits", async () => {
    const tensors = weightsOf(small);
    const described = { architecture: small, classNames, tensors };
    const whole = createClassifier(device, { ...described, preprocessing });
    const unit = createClassifier(device, { ...described, preprocessing: { ...preprocessing, scale: 2, offset: -1 } });
    const pixels = noise(2);
    const { logits } = await whole.predict(pixels);
    const other = await unit.predict(pixels.map((value) => value / 255));
    other.logits.forEach((value, index) => {
      expect(value).toBeCloseTo(logits[index], 4);
    });
    await whole.dispose();
    await unit.dispose();
  });

  it("follows a change of its weights", async () => {
    const tensors = weightsOf(small);
    const classifier = createClassifier(device, { architecture: small, preprocessing, classNames, tensors });
    const pixels = noise(1);
    const before = (await classifier.predict(pixels)).logits;
    classifier.parameters.set("predictions/bias", Float32Array.of(1, 2, 3, 4), [4]);
    classifier.parameters.set("stem_BN/gamma", new Float32Array(8).fill(0.5), [8]);
    const changed = (await classifier.predict(pixels)).logits;
    const renewed = createClassifier(device, {
      architecture: small,
      preprocessing,
      classNames,
      tensors: await classifier.tensors(),
    });
    expect((await renewed.predict(pixels)).logits).toEqual(changed);
    expect(changed).not.toEqual(before);
    await classifier.dispose();
    await renewed.dispose();
  });

  it("comes back from a saved model", async () => {
    const tensors = weightsOf(small);
    const classifier = createClassifier(device, { architecture: small, preprocessing, classNames, tensors });
    const manifest = classifier.manifest({ seed: 7, splits: { train: ["a/1.png"], validation: [], test: [] } });
    const { json, safetensors } = await serializeModel({ manifest, tensors: await classifier.tensors() });
    const model = await parseModel(json, safetensors);
    expect(model.manifest).toMatchObject({ seed: 7, classNames, architecture: small, preprocessing });
    const loaded = createClassifier(device, { ...model.manifest, tensors: model.tensors });
    const pixels = noise(2);
    expect(await loaded.predict(pixels)).toEqual(await classifier.predict(pixels));
    await classifier.dispose();
    await loaded.dispose();
  });

  it("has the form that explanations take", async () => {
    const tensors = weightsOf(small);
    const classifier = createClassifier(device, { architecture: small, preprocessing, classNames, tensors });
    const explainable: ExplainableModel = classifier.explainable;
    expect(explainable.parameters).toBe(classifier.parameters);
    expect(explainable.inputSize).toEqual([size, size]);
    await classifier.dispose();
  });

  it("frees everything", async () => {
    const before = device.liveBytes;
    const tensors = weightsOf(small);
    const classifier = createClassifier(device, { architecture: small, preprocessing, classNames, tensors });
    await classifier.predict(noise(3));
    expect(device.liveBytes).toBeGreaterThan(before);
    await classifier.dispose();
    expect(device.liveBytes).toBe(before);
  });

  it("refuses weights, preprocessing, names and pixels that do not fit", async () => {
    const tensors = weightsOf(small);
    const described = { architecture: small, preprocessing, classNames, tensors };
    const without = new Map([...tensors].filter(([name]) => name !== "stem/kernel"));
    expect(() => createClassifier(device, { ...described, tensors: without })).toThrow(
      /1 missing \(first stem\/kernel\)/,
    );
    const misshapen = new Map(tensors).set("predictions/bias", { shape: [5], data: new Float32Array(5) });
    expect(() => createClassifier(device, { ...described, tensors: misshapen })).toThrow(/predictions\/bias/);
    expect(() => createClassifier(device, { ...described, preprocessing: null })).toThrow(WeightsError);
    expect(() => createClassifier(device, { ...described, classNames: ["a"] })).toThrow(/class/);
    const torch = { name: "torch", scale: 1 / 255, offset: 0, resize: "aspect" } as const;
    const bare = { architecture: backbone, classNames: null, tensors: weightsOf(backbone) };
    expect(() => createClassifier(device, { ...bare, preprocessing: torch })).toThrow(/found pixel \* 0.0039/);
    const headless = createClassifier(device, { ...bare, preprocessing });
    await expect(headless.predict(noise(1))).rejects.toThrow(WeightsError);
    expect(() => headless.manifest({ seed: 0 })).toThrow(WeightsError);
    await headless.dispose();
    const classifier = createClassifier(device, described);
    await expect(classifier.predict(new Float32Array(image - 1))).rejects.toThrow(ShapeError);
    await expect(classifier.predict(new Float32Array(0))).rejects.toThrow(ShapeError);
    await classifier.dispose();
  });
});

describe("computeFeatures", () => {
  it("gives what the head sees, whatever the batch, and tells its progress", async () => {
    const tensors = weightsOf(small);
    const classifier = createClassifier(device, { architecture: small, preprocessing, classNames, tensors });
    const pixels = noise(7);
    const told: number[] = [];
    const onProgress = (done: number, total: number) => told.push(done / total);
    const features = await computeFeatures(classifier, source(pixels), { batch: 3, onProgress });
    expect(told).toEqual([3 / 7, 6 / 7, 1]);
    expect(featureChannels(classifier)).toBe(16);
    expect(await computeFeatures(classifier, source(pixels), { batch: 16 })).toEqual(features);
    const { logits } = await classifier.predict(pixels);
    const kernel = tensors.get("predictions/kernel")!.data;
    for (let row = 0; row < 7; row++)
      for (let column = 0; column < 4; column++) {
        let sum = 0;
        for (let channel = 0; channel < 16; channel++)
          sum += features[16 * row + channel] * kernel[4 * channel + column];
        expect(sum).toBeCloseTo(logits[4 * row + column], 5);
      }
    await classifier.dispose();
  });

  it("gives nothing for no images, and stops when it is told to", async () => {
    const tensors = weightsOf(small);
    const classifier = createClassifier(device, { architecture: small, preprocessing, classNames, tensors });
    expect(await computeFeatures(classifier, source(new Float32Array(0)))).toEqual(new Float32Array(0));
    const controller = new AbortController();
    const onProgress = () => controller.abort(new Error("enough"));
    const options = { batch: 1, signal: controller.signal, onProgress };
    await expect(computeFeatures(classifier, source(noise(3)), options)).rejects.toThrow("enough");
    await classifier.dispose();
  });

  it("names the layer in which a number is lost", async () => {
    const tensors = weightsOf(small);
    tensors.get("stage_1_depthwise/kernel")!.data[5] = Number.POSITIVE_INFINITY;
    const classifier = createClassifier(device, { architecture: small, preprocessing, classNames, tensors });
    const failure = await computeFeatures(classifier, source(noise(2))).catch((error) => error);
    expect(failure).toBeInstanceOf(NonFiniteError);
    expect(failure.message).toContain("parameter stage_1_depthwise/kernel");
    await classifier.dispose();
  });
});
