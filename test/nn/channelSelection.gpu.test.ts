import { describe, expect, it } from "vitest";
import { relativeL2 } from "../../src/engine/checkOp.ts";
import { WeightsError } from "../../src/engine/errors.ts";
import { normal } from "../../src/engine/random.ts";
import { narrowMobileNetV2, selectChannels } from "../../src/nn/channelSelection.ts";
import { createClassifier, weightShapesOf } from "../../src/nn/classifier.ts";
import { computeFeatures } from "../../src/nn/features.ts";
import { expectedMobileNetV2, KERAS_MOBILENET_V2_PREPROCESSING } from "../../src/nn/formats/inspect.ts";
import type { WeightTensor } from "../../src/nn/formats/weightSet.ts";
import { mobileNetV2Table } from "../../src/nn/mobilenetV2Table.ts";
import { hostSource } from "../../src/nn/pixelSource.ts";
import { testDevice } from "../device.ts";

const architecture = (width: number) =>
  ({ name: "mobilenetV2", width, inputSize: [32, 32], classes: null, head: "gap-dense" }) as const;

/** Random weights of every kind, running statistics too. */
function randomWeights(width: number): Map<string, WeightTensor> {
  const weights = new Map<string, WeightTensor>();
  let stream = 0;
  for (const [name, shape] of weightShapesOf(architecture(width))) {
    const size = shape.reduce((a, b) => a * b, 1);
    const fan = shape.length === 4 ? shape[0] * shape[1] * shape[2] : 9;
    const scale = name.endsWith("/kernel") ? Math.sqrt(2 / fan) : 0.3;
    const offset = /gamma|variance/.test(name) ? 1 : 0;
    const data = Float32Array.from({ length: size }, (_, index) => {
      const value = normal(5, stream, index) * scale + offset;
      return offset === 1 ? Math.abs(value) + 0.1 : value;
    });
    weights.set(name, { shape: [...shape], data });
    stream++;
  }
  return weights;
}

/** Silences channels of a batch normalisation from a number on: their output is 0 whatever comes in. */
function silence(weights: Map<string, WeightTensor>, name: string, alive: number): void {
  for (const variable of ["gamma", "beta"]) {
    const { data } = weights.get(`${name}/${variable}`) as WeightTensor;
    // Every second channel at first, so that the kept ones are not simply the first.
    const order = Array.from(data, (_, index) => index).sort((a, b) => (a % 2) - (b % 2) || a - b);
    for (const channel of order.slice(alive)) data[channel] = 0;
  }
}

describe("selectChannels", () => {
  it("takes rows along each axis", () => {
    const tensor = { shape: [2, 3, 2], data: Float32Array.from({ length: 12 }, (_, index) => index) };
    const selected = selectChannels(tensor, [null, [0, 2], [1]]);
    expect(selected).toEqual({ shape: [2, 2, 1], data: Float32Array.of(1, 5, 7, 11) });
  });
});

describe("narrowMobileNetV2", () => {
  it("gives every weight of the narrow network its shape", () => {
    const narrowed = narrowMobileNetV2(randomWeights(0.5), { from: 0.5, to: 0.35 });
    const shapes = new Map([...narrowed].map(([name, { shape }]) => [name, shape]));
    expect(shapes).toEqual(expectedMobileNetV2(0.35, null));
  });

  it("computes the same features when the channels that it drops were silent", async () => {
    const device = await testDevice();
    const weights = randomWeights(0.5);
    const { stem, blocks } = mobileNetV2Table(0.35);
    silence(weights, "bn_Conv1", stem);
    for (const { name, input, hidden, output } of blocks) {
      if (hidden !== input) silence(weights, `${name}_expand_BN`, hidden);
      silence(weights, `${name}_depthwise_BN`, hidden);
      silence(weights, `${name}_project_BN`, output);
    }
    const featuresOf = async (width: number, tensors: Map<string, WeightTensor>): Promise<Float32Array> => {
      const description = { preprocessing: KERAS_MOBILENET_V2_PREPROCESSING, classNames: null, tensors };
      const classifier = createClassifier(device, { architecture: architecture(width), ...description });
      const pixels = Float32Array.from({ length: 2 * 32 * 32 * 3 }, (_, index) => 127 + 60 * normal(9, 0, index));
      const features = await computeFeatures(classifier, hostSource({ count: 2, batch: () => pixels }));
      await classifier.dispose();
      return features;
    };
    const wide = await featuresOf(0.5, weights);
    const narrow = await featuresOf(0.35, narrowMobileNetV2(weights, { from: 0.5, to: 0.35 }));
    expect(Math.max(...wide)).toBeGreaterThan(0.1);
    expect(relativeL2(narrow, wide)).toBeLessThanOrEqual(1e-5);
  });

  it("names what is missing", () => {
    const weights = randomWeights(0.5);
    weights.delete("block_3_expand_BN/gamma");
    expect(() => narrowMobileNetV2(weights, { from: 0.5, to: 0.35 })).toThrow(WeightsError);
    expect(() => narrowMobileNetV2(weights, { from: 0.5, to: 0.35 })).toThrow("block_3_expand_BN/gamma");
  });
});
