import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gradients } from "../src/engine/autodiff.ts";
import type { Graph } from "../src/engine/graph.ts";
import { gatherClass } from "../src/engine/ops/gather.ts";
import { references } from "../src/engine/ops/registry.ts";
import { input } from "../src/engine/ops/sources.ts";
import { type Feeds, runReference } from "../src/engine/reference.ts";
import { serializeSafetensors, type TensorToStore } from "../src/nn/formats/safetensors.ts";
import { quadrature } from "../src/xai/quadrature.ts";
import { log } from "./log.ts";
import { bench } from "./paths.ts";
import * as cases from "./referenceCases.ts";

type Values = Record<string, Float64Array>;

const compute = (graph: Graph, feeds: Feeds, batch = 1): Values =>
  runReference(graph, feeds, { references, batch }).outputs;

/** Preprocessed in float32, as every program does before the first layer. */
const preprocessed = (pixels: Float32Array): Float32Array =>
  pixels.map((value) => Math.fround(value * Math.fround(1 / 127.5)) - 1);

/** (x − x₀) ⊙ Σ_n weight_n · ∂score/∂x(x₀ + α_n (x − x₀)) from black, in float64 throughout. */
function integratedGradients(x: Float32Array, weights: Feeds): Float64Array {
  const { nodes, weights: shares } = quadrature("gauss-legendre", cases.steps);
  const image = input("x", cases.imageShape);
  const score = gatherClass(cases.build(image).logits!, input("classes", [-1], "i32"));
  const graph: Graph = { outputs: { gradient: gradients(score, [image])[0] } };
  const total = new Float64Array(x.length);
  nodes.forEach((node, step) => {
    const point = Float64Array.from(x, (value) => -1 + node * (value + 1));
    const { gradient } = compute(graph, { ...weights, x: point, classes: [cases.classIndex] });
    gradient.forEach((value, at) => {
      total[at] += shares[step] * value;
    });
    log(`Integrated Gradients: point ${step + 1} of ${cases.steps}`);
  });
  return total.map((value, at) => value * (x[at] + 1));
}

/** Writes bench/reference: results in float64 by the interpreter of src/engine/reference.ts. */
export async function main(): Promise<void> {
  const weights = Object.fromEntries(Array.from(cases.weights(), ([name, { data }]) => [name, data]));
  const x = preprocessed(cases.imagePixels());
  const feeds: Feeds = { ...weights, x, classes: [cases.classIndex] };
  const values: Values = { ...compute(cases.networkGraph(), feeds), ...compute(cases.camGraph(), feeds) };
  if (values.gradCam.every((value) => value === 0))
    throw new Error(`expected evidence for class ${cases.classIndex}, found a map of zeros; choose another class`);
  values.integratedGradients = integratedGradients(x, weights);
  cases.opCases.forEach((each, number) => {
    const { graph, feeds } = cases.opGraph(each, number);
    for (const [name, data] of Object.entries(compute(graph, feeds))) values[`ops/${each.name}/${name}`] = data;
  });
  const tensors = Object.fromEntries(
    Object.entries(values).map(([name, data]): [string, TensorToStore] => [
      name,
      { dtype: "F64", shape: [data.length], data },
    ]),
  );
  const path = join(bench, cases.fixtures);
  mkdirSync(dirname(path), { recursive: true });
  const bytes = serializeSafetensors(tensors);
  writeFileSync(path, bytes);
  log(`${cases.fixtures}: ${Object.keys(tensors).length} results, ${(bytes.length / 1000).toFixed(0)} kB`);
}
