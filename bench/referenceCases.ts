/**
 * What the float64 fixtures are about: a MobileNetV2 of width 0.35 on one image of 64 × 64 with seeded weights, its
 * explanations, and a few ops with their gradients. Inputs and weights come from seeds; the file holds results alone.
 */
import { gradients } from "../src/engine/autodiff.ts";
import { findLabel, type Graph, type Tensor } from "../src/engine/graph.ts";
import { add, multiply } from "../src/engine/ops/binary.ts";
import { biasAdd } from "../src/engine/ops/channel.ts";
import { conv2d, samePadding } from "../src/engine/ops/conv2d.ts";
import { depthwiseConv2d } from "../src/engine/ops/depthwise.ts";
import { gatherClass } from "../src/engine/ops/gather.ts";
import { sparseCrossEntropy } from "../src/engine/ops/losses.ts";
import { matmul } from "../src/engine/ops/matmul.ts";
import { globalAveragePool } from "../src/engine/ops/reduce.ts";
import { softmax } from "../src/engine/ops/softmax.ts";
import { input } from "../src/engine/ops/sources.ts";
import { relu6 } from "../src/engine/ops/unary.ts";
import { uniform } from "../src/engine/random.ts";
import { BATCH, type Shape, sizeOf, type TypedArray } from "../src/engine/types.ts";
import { weightShapesOf } from "../src/nn/classifier.ts";
import { mobileNetV2 } from "../src/nn/mobilenetV2.ts";
import type { Network } from "../src/nn/network.ts";
import { gradCamMap } from "../src/xai/gradCam.ts";
import { seededWeights } from "./material.ts";
import type { WeightMap } from "./network.ts";

export const size = 64;
export const width = 0.35;
export const classCount = 100;
export const classIndex = 3;
export const steps = 16;
export const activationLabel = "block_6_depthwise_relu";
export const camLabel = "block_12_project_BN";
export const fixtures = "reference/fixtures.safetensors";
const seed = 35;

/** Relative L2 distances that float32 keeps; attributions and gradients cross ReLU6 kinks that float64 may see on the other side. */
export const bounds: ReadonlyMap<string, number> = new Map([
  ["logits", 1e-5],
  ["activation", 1e-5],
  ["inputGradient", 1e-4],
  ["gradCam", 1e-4],
  ["integratedGradients", 1e-4],
]);
export const opBound = 1e-5;

export const build = (x: Tensor): Network => mobileNetV2(x, { width, classes: classCount });

export const weights = (): WeightMap =>
  seededWeights(
    weightShapesOf({ name: "mobilenetV2", width, classes: classCount, inputSize: [size, size], head: "gap-dense" }),
    seed,
  );

/** One image of 0 to 255, [size, size, 3]: a slow wave with noise, so that neighbours agree as in photographs. */
export function imagePixels(): Float32Array {
  const pixels = new Float32Array(size * size * 3);
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++)
      for (let channel = 0; channel < 3; channel++) {
        const at = (row * size + column) * 3 + channel;
        const wave = Math.sin((row * (channel + 1)) / 9) * Math.cos((column * (3 - channel)) / 11);
        pixels[at] = Math.round(127 + 80 * wave + 40 * (uniform(seed, 1, at) - 0.5));
      }
  return pixels;
}

export const imageShape: Shape = [BATCH, size, size, 3];

/** Logits, one activation and the input gradient of the class's logit; inputs `x` (preprocessed) and `classes`. */
export function networkGraph(): Graph {
  const x = input("x", imageShape);
  const logits = build(x).logits!;
  const [inputGradient] = gradients(gatherClass(logits, input("classes", [BATCH], "i32")), [x]);
  return { outputs: { logits, activation: findLabel({ outputs: { logits } }, activationLabel), inputGradient } };
}

/** The map of Grad-CAM before it is divided by its peak. */
export function camGraph(): Graph {
  const logits = build(input("x", imageShape)).logits!;
  const layer = findLabel({ outputs: { logits } }, camLabel);
  return { outputs: { gradCam: gradCamMap(gatherClass(logits, input("classes", [BATCH], "i32")), layer) } };
}

interface OpCase {
  readonly name: string;
  readonly inputs: Readonly<Record<string, Shape>>;
  readonly labels?: number;
  readonly y: (inputs: Readonly<Record<string, Tensor>>) => Tensor;
}

const same = (extent: number, stride: number) => [...samePadding(extent, 3, stride), ...samePadding(extent, 3, stride)];
const window = (extent: number, stride: number) => ({
  strides: [stride, stride] as const,
  padding: same(extent, stride) as [number, number, number, number],
});

/** Ops whose outputs and gradients of every input, weighted by a seeded vector, are kept. */
export const opCases: readonly OpCase[] = [
  { name: "matmul", inputs: { a: [2, 37, 24], b: [24, 20] }, y: ({ a, b }) => matmul(a, b) },
  {
    name: "conv2d",
    inputs: { x: [2, 15, 15, 3], w: [3, 3, 3, 8] },
    y: ({ x, w }) => conv2d(x, w, window(15, 2)),
  },
  {
    name: "depthwiseConv2d",
    inputs: { x: [2, 14, 14, 12], w: [3, 3, 12] },
    y: ({ x, w }) => depthwiseConv2d(x, w, window(14, 1)),
  },
  {
    name: "depthwiseConv2dStride2",
    inputs: { x: [1, 17, 17, 8], w: [3, 3, 8] },
    y: ({ x, w }) => depthwiseConv2d(x, w, window(17, 2)),
  },
  { name: "relu6", inputs: { x: [2, 9, 9, 8], b: [8] }, y: ({ x, b }) => relu6(biasAdd(x, b)) },
  { name: "softmax", inputs: { x: [5, 33] }, y: ({ x }) => softmax(x) },
  { name: "add", inputs: { x: [2, 7, 7, 8], z: [2, 7, 7, 8] }, y: ({ x, z }) => add(x, multiply(x, z)) },
  { name: "globalAveragePool", inputs: { x: [3, 7, 7, 20] }, y: ({ x }) => globalAveragePool(x) },
  {
    name: "sparseCrossEntropy",
    inputs: { x: [6, 11] },
    labels: 11,
    y: ({ x, labels }) => sparseCrossEntropy(x, labels),
  },
];

/** The case as a graph with outputs `y` and `grad/<input>`, and its seeded feeds. */
export function opGraph(
  { inputs, labels, y }: OpCase,
  number: number,
): { graph: Graph; feeds: Record<string, TypedArray> } {
  const feeds: Record<string, TypedArray> = {};
  const draw = (name: string, shape: Shape, stream: number): Tensor => {
    feeds[name] = Float32Array.from({ length: sizeOf(shape) }, (_, at) => 4 * uniform(seed, stream, at) - 2);
    return input(name, shape);
  };
  const tensors: Record<string, Tensor> = {};
  Object.entries(inputs).forEach(([name, shape], index) => {
    tensors[name] = draw(name, shape, 100 * (number + 1) + index);
  });
  const wrt = Object.entries(tensors);
  if (labels) {
    const [rows] = Object.values(inputs)[0];
    feeds.labels = Int32Array.from({ length: rows }, (_, at) => Math.floor(labels * uniform(seed, 99, at)));
    tensors.labels = input("labels", [rows], "i32");
  }
  const result = y(tensors);
  const cotangent = draw("cotangent", result.shape, 100 * (number + 1) + 50);
  const found = gradients(
    result,
    wrt.map(([, tensor]) => tensor),
    cotangent,
  );
  const outputs = Object.fromEntries(found.map((gradient, index) => [`grad/${wrt[index][0]}`, gradient]));
  return { graph: { outputs: { y: result, ...outputs } }, feeds };
}
