/** The random label test on `petals`: two networks by the same code, one of which learns labels that were drawn by lot. */
import type { LabelledImages } from "../../data/datasets.ts";
import { petalSpecies, petalsDataset } from "../../data/petals.ts";
import type { Device } from "../../engine/device.ts";
import { permutation } from "../../engine/random.ts";
import type { Classifier } from "../../nn/classifier.ts";
import { repeatOptions } from "../../xai/evidence/evidence.ts";
import { type RandomLabelEvidence, randomLabelCheck } from "../../xai/evidence/sanity.ts";
import type { Method, MethodOptions, RawHeatmap } from "../../xai/explanation.ts";
import { pixelSource } from "../dataset.ts";
import { petalsSize } from "../practical/material.ts";
import { type TrainingSettings, trainSmallCnn } from "../practical/training.ts";
import type { Photographs } from "../storedSource.ts";
import type { Terminal } from "../terminal.ts";

/** Few enough for a network of this size to learn them by heart. */
const trainPerClass = 20;
/** Passes over them for each pass of the settings: as many steps as over the whole data set. */
const passes = 10;

export interface LabelPair {
  readonly trained: Classifier;
  readonly random: Classifier;
  /** Share of the labels that each network knows at the end of its training. */
  readonly known: { readonly trained: number; readonly random: number };
  readonly test: Photographs;
}

/** The labels in another order: as many of each class as before. */
export const permuteLabels = (labels: Int32Array, seed: number): Int32Array => {
  const order = permutation(labels.length, seed, 0);
  return labels.map((_, index) => labels[order[index]]);
};

/**
 * Both learn the same few flowers; what is kept of each training is the epoch that knows most of its own labels.
 * @param count test images, for the maps
 */
export async function trainLabelPair(
  device: Device,
  settings: TrainingSettings,
  count: number,
  terminal: Terminal,
): Promise<LabelPair> {
  const { seed } = settings;
  const perClass = { train: trainPerClass, validation: 0, test: Math.ceil(count / petalSpecies.length) };
  const { classNames, parts } = petalsDataset({ seed, size: petalsSize, perClass });
  const part = ({ names, labels, pixels }: Pick<LabelledImages, "names" | "labels" | "pixels">): Photographs => {
    const ids = names.map((_, index) => index);
    return pixelSource({ classNames, names, labels, ids, height: petalsSize, width: petalsSize, pixels });
  };
  const train = async (labels: Int32Array) => {
    const images = part({ ...parts.train, labels });
    const material = { classNames, train: images, validation: images };
    return trainSmallCnn(device, material, { ...settings, epochs: settings.epochs * passes }, terminal);
  };
  const trained = await train(parts.train.labels);
  const random = await train(permuteLabels(parts.train.labels, seed));
  return {
    trained: trained.classifier,
    random: random.classifier,
    known: { trained: trained.outcome.best.valAccuracy, random: random.outcome.best.valAccuracy },
    test: part(parts.test),
  };
}

/** What is left of one method's maps, for the true classes of the first test images, when the labels meant nothing. */
export async function checkRandomLabels(
  { trained, random, test }: LabelPair,
  method: Method,
  options: MethodOptions,
  count: number,
): Promise<RandomLabelEvidence & { readonly method: string }> {
  const images = await Promise.all(Array.from({ length: count }, (_, index) => test.pixels(index)));
  const pixels = Float32Array.from(images.flatMap((image) => Array.from(image)));
  const targets = Array.from(test.labels.subarray(0, count));
  const maps = async ({ explainable }: Classifier): Promise<RawHeatmap[]> => {
    using explainer = await method.create(explainable, { ...options, ...repeatOptions(method) });
    return (await explainer.explain(pixels, targets)).map(({ heatmap }) => heatmap);
  };
  return { method: method.name, ...randomLabelCheck(await maps(trained), await maps(random)) };
}
