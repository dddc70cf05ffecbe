import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { relativeL2 } from "../../src/engine/checkOp.ts";
import { compile } from "../../src/engine/compile.ts";
import type { Tensor } from "../../src/engine/graph.ts";
import { input } from "../../src/engine/ops/sources.ts";
import { ParameterStore } from "../../src/engine/parameters.ts";
import type { RunOutputs } from "../../src/engine/plan/plan.ts";
import { BATCH, type TypedArray } from "../../src/engine/types.ts";
import { loadWeights } from "../../src/nn/formats/files.node.ts";
import { parseSafetensors, type SafetensorsFile, toFloat32, toInt32 } from "../../src/nn/formats/safetensors.ts";
import { kerasBatchNorm } from "../../src/nn/layers.ts";
import { mobileNetV2 } from "../../src/nn/mobilenetV2.ts";
import { adam, resetMoments } from "../../src/nn/optimisers.ts";
import { trainingGraph } from "../../src/nn/trainingStep.ts";
import { testDevice } from "../device.ts";
import { weightsFile } from "../reference.ts";
import { hasShared, shared } from "../shared.ts";

const lossTolerance = 1e-4;
const gradientTolerance = { each: 2e-2, median: 5e-3, zero: 1e-6 };
const meanTolerance = 1e-5; // of the batch's standard deviation
const varianceTolerance = 1e-4;
const watched = ["bn_Conv1", "block_1_expand_BN", "block_6_depthwise_BN", "Conv_1_bn"];

/** One training step of the whole network, batch normalisation in batch mode, against Keras in float64. */
describe.skipIf(!hasShared)("a fine-tuning step of MobileNetV2", () => {
  let truth: SafetensorsFile;
  let meta: { loss: number; bn_momentum: number; analytically_zero: string[] };
  let before: Map<string, TypedArray>;
  let after: Map<string, TypedArray>;
  let got: RunOutputs;
  const float = (name: string): Float32Array => toFloat32(truth.tensors.get(name)!);

  beforeAll(async () => {
    truth = parseSafetensors(readFileSync(shared("reference/finetune.safetensors")));
    meta = JSON.parse(readFileSync(shared("reference/finetune.json"), "utf8"));
    const device = await testDevice();
    using store = new ParameterStore(device);
    const { tensors } = await loadWeights(shared(weightsFile));
    for (const [name, { data, shape }] of tensors) if (!name.startsWith("predictions")) store.set(name, data, shape);
    store.set("predictions/kernel", float("W"), [1280, 4]);
    store.set("predictions/bias", float("b"), [4]);
    const network = mobileNetV2(input("pixels", [BATCH, 96, 96, 3]), {
      classes: 4,
      batchNorm: { ...kerasBatchNorm, mode: "training" },
    });
    const optimiser = adam();
    resetMoments(
      store,
      optimiser,
      [...network.trainable].map(([name, { shape }]) => [name, shape] as const),
    );
    const { graph, loss, gradients } = trainingGraph({ ...network, logits: network.logits as Tensor }, optimiser);
    const outputs: Record<string, Tensor> = { ...graph.outputs, loss };
    for (const [name, gradient] of gradients) outputs[`gradient/${name}`] = gradient;
    for (const { inputs } of network.statistics) outputs[`batch/${inputs[0].node.attributes.name}`] = inputs[1];
    const plan = await compile(device, { ...graph, outputs }, { parameters: store, maxBatch: 8 });
    const read = async () => {
      const values = new Map<string, TypedArray>();
      for (const name of network.parameters.keys()) values.set(name, await store.get(name));
      return values;
    };
    before = await read();
    const rate = Float32Array.of(optimiser.rate(1e-4, 1));
    got = await plan.run({ pixels: float("input"), labels: toInt32(truth.tensors.get("labels")!), rate });
    after = await read();
    plan.dispose();
  });

  it("has the loss", () => {
    expect(got.nonFinite[0]).toBe(0);
    expect(Math.abs(got.loss[0] - meta.loss) / meta.loss).toBeLessThanOrEqual(lossTolerance);
  });

  it("has the gradients", () => {
    const layerAndVariable = (path: string) => path.split("/").slice(-2).join("/");
    const zero = new Set(meta.analytically_zero.map((line) => layerAndVariable(line.split(":")[0])));
    const head: Record<string, string> = { "grad/head_W": "predictions/kernel", "grad/head_b": "predictions/bias" };
    const distances: number[] = [];
    for (const key of [...truth.tensors.keys()].filter((name) => name.startsWith("grad/"))) {
      const name = head[key] ?? layerAndVariable(key);
      const values = got[`gradient/${name}`];
      expect(values, key).toBeDefined();
      if (zero.has(name)) {
        expect(Math.max(...Array.from(values, Math.abs)), key).toBeLessThanOrEqual(gradientTolerance.zero);
        continue;
      }
      const distance = relativeL2(values, float(key));
      expect(distance, key).toBeLessThanOrEqual(gradientTolerance.each);
      distances.push(distance);
    }
    distances.sort((a, b) => a - b);
    expect(distances.length).toBe(19);
    expect(distances[distances.length >> 1]).toBeLessThanOrEqual(gradientTolerance.median);
  });

  it.each(watched)("has the batch statistics of %s", (layer) => {
    const [wantMean, wantVariance] = [float(`batch_mean/${layer}`), float(`batch_variance/${layer}`)];
    const [mean, variance] = [got[`batch/${layer}/moving_mean`], got[`batch/${layer}/moving_variance`]];
    for (let channel = 0; channel < mean.length; channel++) {
      const deviation = Math.sqrt(wantVariance[channel]);
      expect(Math.abs(mean[channel] - wantMean[channel]), `mean ${channel}`).toBeLessThanOrEqual(
        meanTolerance * deviation,
      );
      expect(Math.abs(variance[channel] - wantVariance[channel]), `variance ${channel}`).toBeLessThanOrEqual(
        varianceTolerance * wantVariance[channel],
      );
    }
  });

  it("moves every running statistic exactly by the rule, in float32", () => {
    const momentum = Math.fround(meta.bn_momentum);
    const rest = Math.fround(1 - meta.bn_momentum);
    const names = [...before.keys()].filter((name) => /moving_(mean|variance)$/.test(name));
    expect(names.length).toBe(104);
    for (const name of names) {
      const [old, batch] = [before.get(name)!, got[`batch/${name}`]];
      const want = Float32Array.from(old, (value, index) =>
        Math.fround(Math.fround(value * momentum) + Math.fround(batch[index] * rest)),
      );
      expect(after.get(name), name).toEqual(want);
    }
  });

  it("moves every trainable parameter whose gradient is not zero against it", () => {
    for (const [name, values] of after) {
      const gradient = got[`gradient/${name}`];
      if (!gradient) continue;
      const wrong = gradient.findIndex(
        (slope, index) => Math.abs(slope) > 1e-3 && !((values[index] - before.get(name)![index]) * slope < 0),
      );
      expect(wrong, name).toBe(-1);
    }
  });
});
