import { expectedMobileNetV2 } from "../../../src/nn/formats/inspect.ts";
import type { ModelToStore } from "../../../src/nn/formats/model.ts";
import type { WeightSet } from "../../../src/nn/formats/weightSet.ts";
import { ramp } from "./fixtures.ts";

export const smallModel = (): ModelToStore => ({
  manifest: {
    format: "tepal-model",
    version: 1,
    architecture: { name: "smallCnn", inputSize: [64, 48], classes: 2, channels: [8, 16] },
    preprocessing: { name: "x/255", scale: 1 / 255, offset: 0, resize: "tf" },
    classNames: ["daisy", "rose"],
    seed: 7,
    splits: { train: ["daisy/1.jpg"], validation: ["rose/2.jpg"], test: [] },
    training: { epochs: 3, history: [{ loss: 0.5 }] },
  },
  tensors: new Map([
    ["dense/kernel", { shape: [3, 2], data: ramp(6) }],
    ["dense/bias", { shape: [2], data: ramp(2) }],
  ]),
});

/** Weights of the right names and shapes, all values small and different. */
export function syntheticMobileNetV2(width: number, classes: number | null): WeightSet {
  const tensors: WeightSet["tensors"] = new Map();
  for (const [name, shape] of expectedMobileNetV2(width, classes)) {
    const length = shape.reduce((a, b) => a * b, 1);
    tensors.set(name, { shape, data: Float32Array.from({ length }, (_, i) => Math.sin(i + tensors.size)) });
  }
  return { tensors, source: "keras-h5", metadata: {} };
}
