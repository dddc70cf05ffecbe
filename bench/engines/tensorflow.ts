import { normaliseByPeak } from "../../src/xai/gradCam.ts";
import { quadrature } from "../../src/xai/quadrature.ts";
import { classes, type Material, pixelsOf, preprocessed } from "../material.ts";
import { folded, head, type Layer, mobileNetV2Blocks } from "../network.ts";
import * as settings from "../workloads.ts";
import type { Engine, Work } from "./engine.ts";
import { tensorFlowAugmentation } from "./tensorflowAugmentation.ts";
import { tensorFlowFineTuneStep, tensorFlowHeadStep } from "./tensorflowTraining.ts";

/** TF.js is a dependency of the bench alone, so its types are not here where the repository is type-checked. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Any = any;

export interface TensorFlowOptions {
  /** `webgpu` or `wasm`. */
  readonly backend: string;
  /** Batches that Integrated Gradients may take; the fastest is used. */
  readonly integrationBatches: readonly number[];
}

/** What the workloads need: the library, and a way to make its backend the current one. */
export interface Runtime {
  readonly tf: Any;
  readonly select: () => Promise<unknown>;
}

interface Model extends Runtime {
  /** Features [N, h, w, C] of preprocessed images. */
  readonly features: (x: Any) => Any;
  /** Logits of features. */
  readonly head: (features: Any) => Any;
}

/** TF.js as a user of it runs the network fastest: folded weights and fused convolutions. */
export function tensorFlowEngine(tf: Any, { backend, integrationBatches }: TensorFlowOptions): Engine {
  const runtime: Runtime = { tf, select: () => tf.setBackend(backend) };
  const models = new Map<Material, Model>();
  return {
    name: `tfjs-${backend}`,
    version: tf.version_core,
    async prepare(workload, material) {
      await runtime.select();
      const model = models.get(material) ?? buildModel(runtime, material);
      models.set(material, model);
      switch (workload.kind) {
        case "forward":
          return forward(model, workload);
        case "inputGradient":
          return inputGradient(model, workload);
        case "integratedGradients":
          return integratedGradients(model, workload, integrationBatches);
        case "gradCam":
          return gradCam(model, workload);
        case "headStep":
          return tensorFlowHeadStep(runtime, workload);
        case "fineTuneStep":
          return tensorFlowFineTuneStep(runtime, material, workload);
        case "augment":
          return tensorFlowAugmentation(runtime, workload);
        default:
          return workload.kind satisfies never;
      }
    },
  };
}

function buildModel(runtime: Runtime, { weights }: Material): Model {
  const { tf } = runtime;
  const variables = new Map<string, { filter: Any; bias: Any }>();
  const blocks = mobileNetV2Blocks();
  for (const layer of blocks.flatMap(({ layers }) => layers)) {
    const { kernel, bias } = folded(weights, layer.name);
    const shape = layer.kind === "depthwise" ? [...kernel.shape, 1] : kernel.shape;
    variables.set(layer.name, { filter: tf.tensor(kernel.data, shape), bias: tf.tensor1d(bias.data) });
  }
  const dense = weights.get(`${head}/kernel`)!;
  const kernel = tf.tensor(dense.data, dense.shape);
  const bias = tf.tensor1d(weights.get(`${head}/bias`)!.data);
  const apply = (x: Any, layer: Layer): Any => {
    const { filter, bias } = variables.get(layer.name)!;
    const activation = layer.relu6 ? "relu6" : "linear";
    const op = layer.kind === "depthwise" ? tf.fused.depthwiseConv2d : tf.fused.conv2d;
    return op({ x, filter, strides: layer.stride, pad: "same", bias, activation });
  };
  return {
    ...runtime,
    features: (x) =>
      blocks.reduce((input, { layers, residual }) => {
        const y = layers.reduce(apply, input);
        return residual ? tf.add(input, y) : y;
      }, x),
    head: (features) => tf.fused.matMul({ a: tf.mean(features, [1, 2]), b: kernel, bias }),
  };
}

/** Runs `compute` on preprocessed images and reads its result back. */
function onImages(model: Model, { batch, size }: settings.Workload, compute: (x: Any) => Any): Work {
  const { tf, select } = model;
  const data = preprocessed(pixelsOf(batch, size));
  return {
    run: async () => {
      await select();
      const y = tf.tidy(() => compute(tf.tensor4d(data, [batch, size, size, 3])));
      const values = await y.data();
      y.dispose();
      return values;
    },
    dispose: () => undefined,
  };
}

const forward = (model: Model, workload: settings.Workload): Work =>
  onImages(model, workload, (x) => model.head(model.features(x)));

/** One where a class is explained, [batch, classes]. */
function chosen(tf: Any, indices: Int32Array): Any {
  const mask = new Float32Array(indices.length * classes);
  indices.forEach((index, row) => {
    mask[row * classes + index] = 1;
  });
  return tf.tensor2d(mask, [indices.length, classes]);
}

function inputGradient(model: Model, workload: settings.Workload): Work {
  const { tf } = model;
  const mask = chosen(tf, settings.classesOf(workload.batch, classes));
  const work = onImages(
    model,
    workload,
    tf.grad((x: Any) => tf.sum(tf.mul(model.head(model.features(x)), mask))),
  );
  return { ...work, dispose: () => mask.dispose() };
}

function gradCam(model: Model, workload: settings.Workload): Work {
  const { tf } = model;
  const mask = chosen(tf, settings.classesOf(workload.batch, classes));
  const gradientOf = tf.grad((features: Any) => tf.sum(tf.mul(model.head(features), mask)));
  const work = onImages(model, workload, (x) => {
    const features = model.features(x);
    const weights = tf.mean(gradientOf(features), [1, 2], true);
    return tf.relu(tf.sum(tf.mul(features, weights), 3));
  });
  return {
    run: async () => normaliseByPeak(await work.run(), workload.batch).heatmaps,
    dispose: () => mask.dispose(),
  };
}

/** The same quadrature from the same baseline (black), in batches of the size that is fastest here. */
async function integratedGradients(
  model: Model,
  workload: settings.Workload,
  batches: readonly number[],
): Promise<Work> {
  let best = batches[0];
  let least = Number.POSITIVE_INFINITY;
  for (const batch of batches.length > 1 ? batches : []) {
    const path = integrator(model, workload, batch);
    await path(batch);
    const start = performance.now();
    await path(batch);
    const perPoint = (performance.now() - start) / batch;
    if (perPoint < least) [best, least] = [batch, perPoint];
  }
  const path = integrator(model, workload, best);
  return { run: () => path(settings.integrationSteps), dispose: () => undefined, note: `batches of ${best}` };
}

/** Attributions by the first `steps` points of the rule, `batch` points at a time. */
function integrator(
  model: Model,
  { size }: settings.Workload,
  batch: number,
): (steps: number) => Promise<Float32Array> {
  const { tf, select } = model;
  const { nodes, weights } = quadrature("gauss-legendre", settings.integrationSteps);
  const data = preprocessed(pixelsOf(1, size));
  const [classIndex] = settings.classesOf(1, classes);
  const chunk = (image: Any, baseline: Any, start: number, end: number): Any => {
    const column = (values: Float64Array) =>
      tf.tensor4d(Float32Array.from(values.subarray(start, end)), [end - start, 1, 1, 1]);
    const mask = chosen(tf, new Int32Array(end - start).fill(classIndex));
    const x = tf.add(tf.mul(tf.sub(image, baseline), column(nodes)), baseline);
    const gradient = tf.grad((at: Any) => tf.sum(tf.mul(model.head(model.features(at)), mask)))(x);
    return tf.sum(tf.mul(gradient, column(weights)), 0, true);
  };
  return async (steps) => {
    await select();
    const image = tf.tensor4d(data, [1, size, size, 3]);
    const baseline = tf.fill([1, size, size, 3], -1);
    let total = tf.zeros([1, size, size, 3]);
    for (let start = 0; start < steps; start += batch) {
      const last = total;
      total = tf.tidy(() => tf.add(last, chunk(image, baseline, start, Math.min(steps, start + batch))));
      last.dispose();
    }
    const attribution = tf.tidy(() => tf.mul(tf.sub(image, baseline), total));
    const values = await attribution.data();
    tf.dispose([image, baseline, total, attribution]);
    return values;
  };
}
