import { beforeAll, describe, expect, it } from "vitest";
import { gradients } from "../../src/engine/autodiff.ts";
import { relativeL2 } from "../../src/engine/checkOp.ts";
import { compile } from "../../src/engine/compile.ts";
import type { Device } from "../../src/engine/device.ts";
import { type Graph, labelsOf, nodesOf } from "../../src/engine/graph.ts";
import { halfWeights } from "../../src/engine/halfWeights.ts";
import { gatherClass } from "../../src/engine/ops/gather.ts";
import { matmul } from "../../src/engine/ops/matmul.ts";
import { sum } from "../../src/engine/ops/reduce.ts";
import { references } from "../../src/engine/ops/registry.ts";
import { input, parameter } from "../../src/engine/ops/sources.ts";
import { assignUpdate } from "../../src/engine/ops/updates.ts";
import { runReference } from "../../src/engine/reference.ts";
import { BATCH } from "../../src/engine/types.ts";
import {
  type Classifier,
  type ClassifierArchitecture,
  createClassifier,
  weightShapesOf,
} from "../../src/nn/classifier.ts";
import { loadWeights } from "../../src/nn/formats/files.node.ts";
import { KERAS_MOBILENET_V2_PREPROCESSING } from "../../src/nn/formats/inspect.ts";
import type { WeightTensor } from "../../src/nn/formats/weightSet.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { testDevice } from "../device.ts";
import { normals } from "../engine/networks.ts";
import { expectDistance, loadTruth, weightsFile } from "../reference.ts";
import { hasShared, shared } from "../shared.ts";

let device: Device;
beforeAll(async () => {
  device = await testDevice();
});

const architectureOf = (width: number, size: number, classes: number): ClassifierArchitecture => ({
  name: "mobilenetV2",
  width,
  inputSize: [size, size],
  classes,
  head: "gap-dense",
});

/** A classifier, and the bytes that its weights take on the device. */
function classifierOf(architecture: ClassifierArchitecture, tensors: ReadonlyMap<string, WeightTensor>, half: boolean) {
  const before = device.liveBytes;
  const description = { architecture, preprocessing: KERAS_MOBILENET_V2_PREPROCESSING, classNames: null, tensors };
  const classifier = createClassifier(device, description, half ? halfWeights : undefined);
  return { classifier, bytes: device.liveBytes - before };
}

/** The logits, and the gradient of their sum by the image. */
function graphOf(classifier: Classifier): Graph {
  const x = input("x", classifier.inputShape);
  const { logits } = classifier.build(x);
  return { outputs: { logits: logits!, dx: gradients(sum(logits!, [1]), [x])[0] } };
}

const reference = (graph: Graph, tensors: ReadonlyMap<string, WeightTensor>, x: Float32Array) =>
  runReference(
    graph,
    { ...Object.fromEntries([...tensors].map(([name, { data }]) => [name, data])), x },
    { references },
  ).outputs;

describe("weights in float16", () => {
  it("give the logits and the gradient of the network with the rounded weights, from half the memory", async () => {
    const architecture = architectureOf(0.35, 32, 20);
    const shapes = weightShapesOf(architecture);
    const values = initialise(shapes, 3);
    const tensors = new Map([...shapes].map(([name, shape]) => [name, { shape: [...shape], data: values.get(name)! }]));
    const single = classifierOf(architecture, tensors, false);
    const half = classifierOf(architecture, tensors, true);
    const x = normals(32 * 32 * 3, 4);
    const plan = await compile(device, graphOf(half.classifier), { parameters: half.classifier.parameters });
    const got = await plan.run({ x });
    plan.dispose();
    const graph = graphOf(single.classifier);
    const rounded = reference(graph, await half.classifier.tensors(), x);
    const exact = reference(graph, tensors, x);
    expectDistance("logits, rounded weights", relativeL2(got.logits, rounded.logits), 1e-5);
    expectDistance("input gradient, rounded weights", relativeL2(got.dx, rounded.dx), 1e-5);
    expectDistance("logits, float32 weights", relativeL2(got.logits, exact.logits), 3e-3);
    expect(relativeL2(got.logits, exact.logits)).toBeGreaterThan(1e-5);
    const large = [...shapes.values()].filter((shape) => {
      const [k, n] = shape.slice(-2);
      return shape.length > 1 && k * n >= 2 ** 14;
    });
    const bytesOf = (perWeight: number): number =>
      large.reduce((total, shape) => total + perWeight * shape.slice(-2).reduce((a, b) => a * b, 1), 0);
    const scales = large.reduce((total, shape) => total + 4 * shape[shape.length - 1], 0);
    expect(single.bytes - half.bytes).toBe(bytesOf(2) - scales);
    await single.classifier.dispose();
    await half.classifier.dispose();
  });

  it("keep labels, and leave alone what is updated, small or not in fours", () => {
    const x = input("x", [BATCH, 128]);
    const w = parameter("w", [128, 128]);
    const y = matmul(x, w, "dense");
    const isHalf = (graph: Graph): boolean =>
      nodesOf(halfWeights.rewrite(graph)).some(({ attributes }) => attributes.name === "w/halves");
    expect(isHalf({ outputs: { y } })).toBe(true);
    expect(labelsOf(halfWeights.rewrite({ outputs: { y } })).has("dense")).toBe(true);
    const update = assignUpdate(w, input("next", [128, 128]));
    expect(isHalf({ outputs: { y }, updates: [update] })).toBe(false);
    expect(isHalf({ outputs: { y: matmul(x, parameter("w", [128, 126])) } })).toBe(false);
    expect(isHalf({ outputs: { y: matmul(x, parameter("w", [128, 124])) } })).toBe(false);
  });
});

describe.skipIf(!hasShared)("MobileNetV2 with weights in float16", () => {
  it("keeps logits within 2e-3 of the largest, the answers, and gradients at a cosine of 0.998, in 0.54 of the memory", async () => {
    const truth = loadTruth();
    const { tensors } = await loadWeights(shared(weightsFile));
    const architecture = architectureOf(1, 224, 1000);
    const weights = tensors as ReadonlyMap<string, WeightTensor>;
    const { classifier, bytes } = classifierOf(architecture, weights, true);
    const x = input("x", classifier.inputShape);
    const { logits } = classifier.build(x);
    const { parameters } = classifier;
    const score = gatherClass(logits!, input("classes", [BATCH], "i32"));
    const outputs = { logits: logits!, gradient: gradients(score, [x])[0] };
    const plan = await compile(device, { outputs }, { parameters, maxBatch: 4 });
    const classes = Int32Array.from(truth.classes);
    const { logits: got, gradient } = await plan.run({ x: truth.tensor("input"), classes });
    plan.dispose();
    const want = truth.tensor("logits");
    const largest = want.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const worst = want.reduce((most, value, at) => Math.max(most, Math.abs(value - got[at])), 0);
    expectDistance("logits, of the largest", worst / largest, 2e-3);
    const slopes = truth.tensor("input_grad/logit");
    const dot = (a: Float32Array, b: Float32Array): number => a.reduce((total, value, at) => total + value * b[at], 0);
    const cosine =
      dot(gradient as Float32Array, slopes) /
      Math.sqrt(dot(gradient as Float32Array, gradient as Float32Array) * dot(slopes, slopes));
    expectDistance("input gradient, 1 − cosine", 1 - cosine, 2e-3);
    const top = truth.classes.map((_, at) => {
      const scores = Array.from(got.subarray(1000 * at, 1000 * (at + 1)));
      return scores.indexOf(Math.max(...scores));
    });
    expect(top).toEqual(truth.classes);
    const single = [...weightShapesOf(architecture).values()].reduce(
      (total, shape) => total + 4 * shape.reduce((a, b) => a * b, 1),
      0,
    );
    expectDistance("bytes of the weights, of float32's", bytes / single, 0.54);
    await classifier.dispose();
  });
});
