import { gradients } from "../../src/engine/autodiff.ts";
import { compile } from "../../src/engine/compile.ts";
import type { Device } from "../../src/engine/device.ts";
import type { Graph } from "../../src/engine/graph.ts";
import { affineWarp } from "../../src/engine/ops/affine.ts";
import { gatherClass } from "../../src/engine/ops/gather.ts";
import { input } from "../../src/engine/ops/sources.ts";
import { ParameterStore } from "../../src/engine/parameters.ts";
import type { Plan, RunInputs } from "../../src/engine/plan/plan.ts";
import { measureRoofline } from "../../src/engine/roofline.ts";
import { BATCH } from "../../src/engine/types.ts";
import { denseHead } from "../../src/nn/headTraining.ts";
import { kerasBatchNorm } from "../../src/nn/layers.ts";
import { mobileNetV2 } from "../../src/nn/mobilenetV2.ts";
import { adam, type Optimiser, resetMoments, sgd } from "../../src/nn/optimisers.ts";
import { type TrainableNetwork, TrainingStep } from "../../src/nn/trainingStep.ts";
import { GradCam } from "../../src/xai/gradCam.ts";
import { IntegratedGradients } from "../../src/xai/integratedGradients.ts";
import type { ExplainableModel } from "../../src/xai/model.ts";
import { augmentationFeeds, augmentationOf } from "../augmentation.ts";
import { classes, featuresOf, headWeights, labelsOf, type Material, pixelsOf, preprocessed } from "../material.ts";
import { head, type WeightMap } from "../network.ts";
import * as settings from "../workloads.ts";
import type { Engine, Work } from "./engine.ts";
import { changedParameters } from "./engine.ts";

/** This engine, on a device that stays the caller's. */
export function tepalEngine(device: Device, version: string): Engine {
  const stores = new Map<Material, ParameterStore>();
  const storeOf = (material: Material): ParameterStore => {
    const known = stores.get(material) ?? fill(new ParameterStore(device), material.weights);
    stores.set(material, known);
    return known;
  };
  return {
    name: "tepal",
    version,
    prepare: (workload, material) => {
      switch (workload.kind) {
        case "forward":
        case "inputGradient":
          return planned(device, storeOf(material), workload);
        case "integratedGradients":
          return integrated(explainable(device, storeOf(material), workload.size), workload);
        case "gradCam":
          return cam(explainable(device, storeOf(material), workload.size), workload);
        case "headStep":
          return headStep(device, workload);
        case "fineTuneStep":
          return fineTuneStep(device, material, workload);
        case "augment":
          return augment(device, workload);
        default:
          return workload.kind satisfies never;
      }
    },
  };
}

/** Puts the network's weights into a store; the peers' folds stay out. */
export function fill(store: ParameterStore, weights: WeightMap): ParameterStore {
  for (const [name, { data, shape }] of weights) if (!name.startsWith("folded/")) store.set(name, data, shape);
  return store;
}

/** The logits, or the gradient of each image's score with respect to the image. */
export function graphOf({ kind, size }: Pick<settings.Workload, "kind" | "size">): Graph {
  const x = input("x", [BATCH, size, size, 3]);
  const logits = mobileNetV2(x, { classes }).logits!;
  if (kind === "forward") return { outputs: { y: logits } };
  return { outputs: { y: gradients(gatherClass(logits, input("classes", [BATCH], "i32")), [x])[0] } };
}

export function inputsOf({ kind, batch, size }: settings.Workload): RunInputs {
  const x = preprocessed(pixelsOf(batch, size));
  return kind === "forward" ? { x } : { x, classes: settings.classesOf(batch, classes) };
}

export const compileWorkload = (
  device: Device,
  parameters: ParameterStore,
  workload: settings.Workload,
): Promise<Plan> => compile(device, graphOf(workload), { parameters, maxBatch: workload.batch });

async function planned(device: Device, parameters: ParameterStore, workload: settings.Workload): Promise<Work> {
  const plan = await compileWorkload(device, parameters, workload);
  const inputs = inputsOf(workload);
  return { run: async () => (await plan.run(inputs)).y as Float32Array, dispose: () => plan.dispose() };
}

const explainable = (device: Device, parameters: ParameterStore, size: number): ExplainableModel => ({
  device,
  parameters,
  inputSize: [size, size],
  preprocessing: { scale: 1 / 127.5, offset: -1 },
  build: (x) => mobileNetV2(x, { classes }),
});

async function integrated(model: ExplainableModel, { batch, size }: settings.Workload): Promise<Work> {
  const method = await IntegratedGradients.create(model, { steps: settings.integrationSteps });
  const image = pixelsOf(batch, size);
  const baseline = new Float32Array(image.length);
  const [classIndex] = settings.classesOf(batch, classes);
  return {
    run: async () => (await method.explain(image, baseline, classIndex)).attribution,
    dispose: () => method.dispose(),
  };
}

async function cam(model: ExplainableModel, { batch, size }: settings.Workload): Promise<Work> {
  const method = await GradCam.create(model, { maxBatch: batch });
  const pixels = pixelsOf(batch, size);
  const indices = settings.classesOf(batch, classes);
  return {
    run: async () => (await method.explain(pixels, indices)).heatmaps,
    dispose: () => method.dispose(),
  };
}

interface Training {
  readonly network: TrainableNetwork;
  readonly store: ParameterStore;
  readonly optimiser: Optimiser;
  readonly inputs: RunInputs;
  readonly labels: Int32Array;
  readonly learningRate: number;
  /** The parameters whose change is compared. */
  readonly watched: readonly string[];
}

async function training(device: Device, { batch }: settings.Workload, parts: Training): Promise<Work> {
  const { network, store, optimiser, inputs, labels, learningRate, watched } = parts;
  const shapes = [...network.trainable].map(([name, { shape }]) => [name, shape] as const);
  resetMoments(store, optimiser, shapes);
  const step = await TrainingStep.create(device, store, network, { optimiser, maxBatch: batch });
  const run = async (): Promise<Float32Array> => (await step.run(inputs, labels, learningRate)).losses;
  const read = () => Promise.all(watched.map(async (name) => (await store.get(name)) as Float32Array));
  return {
    run,
    check: () => changedParameters(read, run),
    dispose: () => {
      step.dispose();
      store.dispose();
    },
  };
}

function headStep(device: Device, workload: settings.Workload): Promise<Work> {
  const { kernel, bias } = headWeights();
  const store = fill(
    new ParameterStore(device),
    new Map([
      [`${head}/kernel`, kernel],
      [`${head}/bias`, bias],
    ]),
  );
  return training(device, workload, {
    network: denseHead(settings.headFeatures, settings.headClasses),
    store,
    optimiser: adam(),
    inputs: { features: featuresOf(workload.batch) },
    labels: labelsOf(workload.batch, settings.headClasses),
    learningRate: settings.headLearningRate,
    watched: [`${head}/kernel`],
  });
}

function fineTuneStep(device: Device, material: Material, workload: settings.Workload): Promise<Work> {
  const { batch, size } = workload;
  const x = input("x", [BATCH, size, size, 3]);
  const { logits, trainable, statistics } = mobileNetV2(x, {
    classes,
    batchNorm: { ...kerasBatchNorm, mode: "training" },
  });
  return training(device, workload, {
    network: { logits: logits!, trainable, statistics },
    store: fill(new ParameterStore(device), material.weights),
    optimiser: sgd({ momentum: settings.fineTuneMomentum }),
    inputs: { x: preprocessed(pixelsOf(batch, size)) },
    labels: labelsOf(batch, classes),
    learningRate: settings.fineTuneLearningRate,
    watched: settings.watchedParameters,
  });
}

async function augment(device: Device, workload: settings.Workload): Promise<Work> {
  const { batch, size } = workload;
  const images = input("images", [BATCH, size, size, 3]);
  const outputs = { y: augmentationOf(size).build({ images }).images };
  const plan = await compile(device, { outputs }, { maxBatch: batch });
  const inputs = { images: pixelsOf(batch, size), ...augmentationFeeds(workload) };
  const note = await geometricNote(device, workload);
  return {
    run: async () => (await plan.run(inputs)).y as Float32Array,
    dispose: () => {
      plan.dispose();
      plan.parameters.dispose();
    },
    note,
  };
}

/** How long the one resampling takes, and how long a copy of as many bytes. The best of several, in turn: others only slow both. */
async function geometricNote(device: Device, workload: settings.Workload): Promise<string> {
  const { batch, size } = workload;
  const y = affineWarp(input("images", [BATCH, size, size, 3]), input("augment/0/0", [BATCH, 8]));
  const plan = await compile(device, { outputs: { y } }, { maxBatch: batch });
  const inputs = { images: pixelsOf(batch, size), "augment/0/0": augmentationFeeds(workload)["augment/0/0"] };
  let [milliseconds, gigabytesPerSecond, bytes] = [Number.POSITIVE_INFINITY, 0, 0];
  for (let round = 0; round < 5; round++) {
    const [time] = await plan.profile(inputs, 3);
    milliseconds = Math.min(milliseconds, time.milliseconds);
    bytes = time.bytes;
    gigabytesPerSecond = Math.max(gigabytesPerSecond, (await measureRoofline(device, 3)).copyGigabytesPerSecond);
  }
  plan.dispose();
  plan.parameters.dispose();
  const copying = bytes / gigabytesPerSecond / 1e6;
  return `the geometric part takes ${milliseconds.toFixed(1)} ms, ${(milliseconds / copying).toFixed(1)} × the ${copying.toFixed(1)} ms in which ${(bytes / 1e6).toFixed(0)} MB are copied at ${gigabytesPerSecond.toFixed(1)} GB/s`;
}
