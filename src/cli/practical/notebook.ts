/** The original notebook's choices, each alone in the place of the right one, and what it costs. */
import { Augmentation } from "../../data/augment/augmentation.ts";
import { Augmenter } from "../../data/augment/augmenter.ts";
import { PolicyBuilder } from "../../data/augment/policy.ts";
import { gatherPixels, type LabelledImages } from "../../data/datasets.ts";
import type { Device } from "../../engine/device.ts";
import type { Classifier, ClassifierDescription } from "../../nn/classifier.ts";
import { computeFeatures, featureChannels } from "../../nn/features.ts";
import { NOTEBOOK_PREPROCESSING } from "../../nn/formats/inspect.ts";
import { type HeadTraining, trainHead } from "../../nn/headTraining.ts";
import type { NotebookRow } from "../../report/answers.ts";
import { baselinePixels } from "../../xai/baselines.ts";
import { pearson } from "../../xai/evidence/statistics.ts";
import { GradCam, type GradCamOptions } from "../../xai/gradCam.ts";
import { IntegratedGradients, type IntegratedGradientsOptions } from "../../xai/integratedGradients.ts";
import { upsampleHeatmap } from "../../xai/overlay.ts";
import { createBackbone } from "../headOnBackbone.ts";
import { heldImages } from "../robustness/held.ts";
import type { Terminal } from "../terminal.ts";
import { chooseImages, type TestPredictions } from "./explaining.ts";
import type { Material } from "./material.ts";
import type { TrainingSettings } from "./training.ts";

export interface NotebookSubject {
  readonly device: Device;
  readonly material: Material;
  /** The model that the report describes. */
  readonly classifier: Classifier;
  readonly predictions: TestPredictions;
  /** Of the backbone; null where the network was trained from scratch. */
  readonly backbone: ClassifierDescription | null;
  readonly settings: Omit<TrainingSettings, "policy">;
}

/** Test images behind the rows about maps and resampling. */
const sampled = 12;

/** A row for every choice; those about transfer learning need a backbone. */
export async function notebookCosts(subject: NotebookSubject, terminal: Terminal): Promise<NotebookRow[]> {
  const { material, classifier } = subject;
  const rows = await trainingRows(subject, terminal);
  const indices = chooseImages(material.test.labels, material.classNames.length, sampled);
  const images = await heldImages(material.test, material.classNames, indices);
  const targets = Int32Array.from(indices, (index) => subject.predictions.predicted[index]);
  const progress = terminal.progress("the notebook's explanations", 4);
  rows.push({ choice: "resampling", measured: await resamplingCost(subject, images) });
  progress.update(1, "resampling");
  const logit = await mapsOf(classifier, images, targets, {});
  const probability = await mapsOf(classifier, images, targets, { score: "prob" });
  const ratios = [...probability.peaks].map((peak, at) => peak / logit.peaks[at]).filter(Number.isFinite);
  const correct = { correct: 1, unit: "number", count: images.labels.length } as const;
  rows.push({ choice: "probabilityScore", measured: { ...correct, notebook: medianOf(ratios) } });
  progress.update(2, "probability");
  const byName = await mapsOf(classifier, images, targets, { layer: "by-name" });
  rows.push({ choice: "layerByName", measured: { ...correct, notebook: meanCorrelation(logit, byName, images) } });
  progress.update(3, "layer by name");
  rows.push({ choice: "linspace", measured: await linspaceCost(classifier, images, targets) });
  progress.finish();
  return rows;
}

/** The choices about training, on features that are computed once for each preprocessing. */
async function trainingRows(subject: NotebookSubject, terminal: Terminal): Promise<NotebookRow[]> {
  const { backbone, material } = subject;
  const choices = ["preprocessing", "validationIsTest", "notSaved"] as const;
  if (!backbone) return choices.map((choice) => ({ choice, measured: null }));
  const own = await featuresOf(subject, backbone, "features", terminal);
  const identity = { ...NOTEBOOK_PREPROCESSING, resize: backbone.preprocessing?.resize ?? "aspect" };
  const wrong = await featuresOf(subject, { ...backbone, preprocessing: identity }, "features, identity", terminal);
  const right = await testedHead(subject, own);
  const identical = await testedHead(subject, wrong);
  const peeking = await headOn(subject, own, "test");
  const reported = Math.max(...peeking.history.map(({ valAccuracy }) => valAccuracy));
  const saved = peeking.history.at(-1)?.valAccuracy ?? Number.NaN;
  const share = { unit: "share", count: material.test.count } as const;
  return [
    { choice: "preprocessing", measured: { correct: right, notebook: identical, ...share } },
    { choice: "validationIsTest", measured: { correct: right, notebook: reported, ...share } },
    { choice: "notSaved", measured: { correct: reported, notebook: saved, ...share } },
  ];
}

interface Features {
  readonly channels: number;
  readonly train: Float32Array;
  readonly validation: Float32Array;
  readonly test: Float32Array;
}

const parts = ["train", "validation", "test"] as const;

async function featuresOf(
  { device, material }: NotebookSubject,
  description: ClassifierDescription,
  label: string,
  terminal: Terminal,
): Promise<Features> {
  const backbone = createBackbone(device, description);
  const channels = featureChannels(backbone);
  const progress = terminal.progress(
    label,
    parts.reduce((total, part) => total + material[part].count, 0),
  );
  const found: Partial<Record<(typeof parts)[number], Float32Array>> = {};
  let before = 0;
  for (const part of parts) {
    found[part] = await computeFeatures(backbone, material[part], {
      onProgress: (done) => progress.update(before + done),
    });
    before += material[part].count;
  }
  progress.finish();
  await backbone.dispose();
  return { channels, ...(found as Required<typeof found>) };
}

function headOn(
  { device, material, settings }: NotebookSubject,
  features: Features,
  judge: "validation" | "test",
): Promise<HeadTraining> {
  const { train, classNames } = material;
  const data = {
    channels: features.channels,
    classes: classNames.length,
    train: { features: features.train, labels: train.labels },
    validation: { features: features[judge], labels: material[judge].labels },
  };
  return trainHead(device, data, settings);
}

/** Test accuracy of the epoch that the validation images choose: a second training of the same bits, judged by the test. */
async function testedHead(subject: NotebookSubject, features: Features): Promise<number> {
  const { best } = await headOn(subject, features, "validation");
  const { history } = await headOn(subject, features, "test");
  return history[best.epoch - 1].valAccuracy;
}

/** Rotation, zoom and translation in one resampling and in three: how much of the images' fine detail is left. */
async function resamplingCost(
  { device, settings }: NotebookSubject,
  images: LabelledImages,
): Promise<NotebookRow["measured"]> {
  const { height, width } = images;
  const policy = new PolicyBuilder("geometry")
    .add("rotation", { factor: 0.125 })
    .add("zoom", { height: 0.2 })
    .add("translation", { height: 0.2, width: 0.2, fill: "nearest" })
    .build();
  const pixels = Float32Array.from(gatherPixels(images, [...images.labels.keys()]));
  const samples = images.ids.map((id) => ({ seed: settings.seed, epoch: 0, id }));
  const detailAfter = async (resample: "fused" | "sequential"): Promise<number> => {
    using augmenter = await Augmenter.create(device, new Augmentation(policy, { height, width, resample }));
    return detail((await augmenter.run(pixels, samples)).images, width) / detail(pixels, width);
  };
  return {
    correct: await detailAfter("fused"),
    notebook: await detailAfter("sequential"),
    unit: "share",
    count: images.labels.length,
  };
}

/** Mean absolute difference of horizontal neighbours. */
function detail(pixels: Float32Array, width: number): number {
  let total = 0;
  let count = 0;
  for (let at = 3; at < pixels.length; at++) {
    if (Math.floor(at / 3) % width === 0) continue;
    total += Math.abs(pixels[at] - pixels[at - 3]);
    count++;
  }
  return total / count;
}

type Maps = Awaited<ReturnType<GradCam["explain"]>>;

async function mapsOf(
  classifier: Classifier,
  images: LabelledImages,
  targets: Int32Array,
  options: GradCamOptions,
): Promise<Maps> {
  using gradCam = await GradCam.create(classifier.explainable, options);
  return await gradCam.explain(Float32Array.from(gatherPixels(images, [...images.labels.keys()])), targets);
}

function meanCorrelation(first: Maps, second: Maps, { height, width, labels }: LabelledImages): number {
  const map = ({ heatmaps, height: h, width: w }: Maps, at: number): Float32Array =>
    upsampleHeatmap({ values: heatmaps.subarray(at * h * w, (at + 1) * h * w), height: h, width: w }, height, width);
  const found = Array.from(labels, (_, at) => pearson(map(first, at), map(second, at)));
  const known = found.filter((value) => value !== null);
  return known.reduce((a, b) => a + b, 0) / known.length;
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** The mean relative completeness gap of the adaptive rule from black, and of the notebook's mean from zeros. */
async function linspaceCost(
  classifier: Classifier,
  images: LabelledImages,
  targets: Int32Array,
): Promise<NotebookRow["measured"]> {
  const few = Math.min(4, images.labels.length);
  const gap = async (options: IntegratedGradientsOptions, name: "black" | "zeros"): Promise<number> => {
    using gradients = await IntegratedGradients.create(classifier.explainable, options);
    const origin = baselinePixels(name, classifier.inputSize, classifier.preprocessing);
    let total = 0;
    for (let at = 0; at < few; at++) {
      const pixels = Float32Array.from(gatherPixels(images, [at]));
      total += (await gradients.explain(pixels, origin, targets[at])).relativeGap;
    }
    return total / few;
  };
  return {
    correct: await gap({ rule: "adaptive", maxEvaluations: 256 }, "black"),
    notebook: await gap({ rule: "linspace", steps: 50 }, "zeros"),
    unit: "number",
    count: few,
  };
}
