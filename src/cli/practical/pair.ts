/** The pair that the practical compares: a baseline and an augmented model, trained with one budget on the same images. */
import type { Policy } from "../../data/augment/policy.ts";
import type { Classifier } from "../../nn/classifier.ts";
import { correctAnswers } from "../../nn/errorAnalysis.ts";
import { isBetter } from "../../nn/history.ts";
import { predictAll } from "../../nn/prediction.ts";
import { mcNemar, pairedDifference } from "../../nn/significance.ts";
import type { AugmentationEffect, TrainedSide } from "../../report/answers.ts";
import { ownCorruptions } from "../compare/policies.ts";
import { summarisePolicy } from "../policy.ts";
import type { Terminal } from "../terminal.ts";
import type { Material } from "./material.ts";
import type { TrainedClassifier, TrainingSettings } from "./training.ts";

export const sides = ["baseline", "augmented"] as const;
export type Side = (typeof sides)[number];

/** A model, and what it said of the test images. */
export interface Tested extends TrainedClassifier {
  readonly logits: Float32Array;
  readonly right: Uint8Array;
}

export interface TrainedPair {
  /** The models of the first seed. */
  readonly models: Readonly<Record<Side, Tested>>;
  readonly effect: AugmentationEffect;
}

export interface PairOptions {
  readonly settings: Omit<TrainingSettings, "policy" | "seed">;
  readonly policy: Policy;
  readonly seeds: readonly number[];
  readonly corruptions: readonly string[];
  readonly train: (settings: TrainingSettings) => Promise<TrainedClassifier>;
}

/** Trains both sides for every seed; the test images are read after that. */
export async function trainPair(material: Material, options: PairOptions, terminal: Terminal): Promise<TrainedPair> {
  const { settings, policy, seeds, train } = options;
  const trained: Record<Side, TrainedClassifier[]> = { baseline: [], augmented: [] };
  for (const seed of seeds)
    for (const side of sides) {
      terminal.line(`${side}, seed ${seed}: policy ${summarisePolicy(side === "baseline" ? null : policy)}`);
      trained[side].push(await train({ ...settings, seed, policy: side === "baseline" ? null : policy }));
    }
  const tested = { baseline: [] as Tested[], augmented: [] as Tested[] };
  for (const side of sides)
    for (const each of trained[side]) tested[side].push(await testOne(each, material, side, terminal));
  const [models, ...others] = seeds.map((_, place) => ({
    baseline: tested.baseline[place],
    augmented: tested.augmented[place],
  }));
  for (const { baseline, augmented } of others) await disposeAll([baseline.classifier, augmented.classifier]);
  return { models, effect: effectOf(tested, options, material.test.count) };
}

const disposeAll = (classifiers: readonly Classifier[]) => Promise.all(classifiers.map((each) => each.dispose()));

async function testOne(
  trained: TrainedClassifier,
  { test, classNames }: Material,
  side: Side,
  terminal: Terminal,
): Promise<Tested> {
  const progress = terminal.progress(`testing ${side}`, test.count);
  const logits = await predictAll(trained.classifier, test, (done) => progress.update(done));
  progress.finish();
  return { ...trained, logits, right: correctAnswers(logits, test.labels, classNames.length) };
}

const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
/** Image by image the mean over seeds. */
const meanRight = (runs: readonly Tested[]): Float64Array =>
  Float64Array.from(runs[0].right, (_, image) => meanOf(runs.map(({ right }) => right[image])));

function sideOf(runs: readonly Tested[]): TrainedSide {
  const kept = runs.map(({ outcome }) => outcome.history.find(({ epoch }) => epoch === outcome.best.epoch));
  return {
    testAccuracy: meanOf(runs.map(({ right }) => meanOf([...right]))),
    correct: runs[0].right.reduce((a, b) => a + b, 0),
    trainAccuracy: meanOf(kept.map((record) => record?.accuracy ?? Number.NaN)),
    valAccuracy: meanOf(runs.map(({ outcome }) => outcome.best.valAccuracy)),
    bestEpoch: runs[0].outcome.best.epoch,
  };
}

function effectOf(
  tested: Readonly<Record<Side, readonly Tested[]>>,
  { settings, policy, seeds, corruptions }: PairOptions,
  testCount: number,
): AugmentationEffect {
  const [baseline, augmented] = sides.map((side) => tested[side]);
  const own = ownCorruptions(policy);
  return {
    policy: summarisePolicy(policy),
    epochs: settings.epochs,
    seeds,
    testCount,
    baseline: sideOf(baseline),
    augmented: sideOf(augmented),
    difference: pairedDifference(meanRight(baseline), meanRight(augmented)),
    mcNemar: mcNemar(baseline[0].right, augmented[0].right),
    chosen: isBetter(augmented[0].outcome.best, baseline[0].outcome.best) ? "augmented" : "baseline",
    ownCorruptions: corruptions.filter((name) => own.includes(name)),
  };
}
