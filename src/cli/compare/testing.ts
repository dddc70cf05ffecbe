/** The one look at the test images, after everything was trained and chosen. */
import { join } from "node:path";
import type { LabelledImages } from "../../data/datasets.ts";
import type { Device } from "../../engine/device.ts";
import { GraphError } from "../../engine/errors.ts";
import { type Classifier, createClassifier } from "../../nn/classifier.ts";
import { type CorruptionErrors, corruptionErrors, mceInterval } from "../../nn/corruptionError.ts";
import { correctAnswers } from "../../nn/errorAnalysis.ts";
import { loadModel } from "../../nn/formats/files.node.ts";
import { lossAndAccuracy } from "../../nn/metrics.ts";
import { predictAll } from "../../nn/prediction.ts";
import { bootstrapInterval, mcNemar, pairedDifference } from "../../nn/significance.ts";
import type { ComparisonResult, PolicyResult } from "../../report/comparison.ts";
import { summarisePolicy } from "../policy.ts";
import { heldImages } from "../robustness/held.ts";
import {
  measureErrors,
  type NamedClassifier,
  type RobustnessOptions,
  summariseRobustness,
} from "../robustness/measure.ts";
import type { Photographs } from "../storedSource.ts";
import type { Terminal } from "../terminal.ts";
import { ownCorruptions } from "./policies.ts";
import type { Budget, ComparedPolicy, Run } from "./runs.ts";

/** Test images that can be had once: a second look would let the test choose. */
export class TestSet {
  #load: (() => Promise<Photographs>) | null;

  constructor(load: () => Promise<Photographs>) {
    this.#load = load;
  }

  /** The images. Throws a GraphError the second time. */
  open(): Promise<Photographs> {
    const load = this.#load;
    if (!load) throw new GraphError("the test images were read before; measure everything in one go");
    this.#load = null;
    return load();
  }
}

interface TestedRun {
  readonly run: Run;
  readonly right: Uint8Array;
  readonly loss: number;
  readonly accuracy: number;
  /** Null where robustness was not asked for. */
  readonly errors: CorruptionErrors | null;
}

const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Sample standard deviation; 0 for a single value. */
function deviationOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return values.length < 2 ? 0 : Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1));
}

/** Image by image the mean of lists over seeds. */
const meanLists = (lists: readonly ArrayLike<number>[]): Float64Array =>
  Float64Array.from(lists[0], (_, image) => meanOf(lists.map((list) => list[image])));

async function loadRun(device: Device, run: Run): Promise<Classifier> {
  const { manifest, tensors } = await loadModel(run.model);
  const { architecture, preprocessing, classNames } = manifest;
  return createClassifier(device, { architecture, preprocessing, classNames, tensors });
}

/** Models that answer the same corrupted images at once: making those costs more than an answer of a small network. */
const together = 6;

interface Measurement {
  readonly images: Photographs;
  /** Null where robustness was not asked for. */
  readonly corrupted: { readonly options: RobustnessOptions; readonly images: LabelledImages } | null;
  readonly terminal: Terminal;
}

async function testTogether(
  device: Device,
  runs: readonly Run[],
  { images, corrupted, terminal }: Measurement,
): Promise<TestedRun[]> {
  const named: NamedClassifier[] = [];
  try {
    for (const run of runs) named.push({ name: run.policy, classifier: await loadRun(device, run) });
    const clean: Omit<TestedRun, "errors">[] = [];
    for (const [place, run] of runs.entries()) {
      const { classifier } = named[place];
      const logits = await predictAll(classifier, images);
      const classes = classifier.classes as number;
      const right = correctAnswers(logits, images.labels, classes);
      clean.push({ run, right, ...lossAndAccuracy(logits, images.labels, classes) });
    }
    const errors = corrupted && (await measureCorrupted(device, named, corrupted, terminal));
    return clean.map((tested, place) => ({ ...tested, errors: errors?.[place] ?? null }));
  } finally {
    for (const { classifier } of named) await classifier.dispose();
  }
}

function measureCorrupted(
  device: Device,
  models: readonly NamedClassifier[],
  { options, images }: NonNullable<Measurement["corrupted"]>,
  terminal: Terminal,
): Promise<CorruptionErrors[]> {
  const total = images.labels.length * (1 + options.corruptions.length * options.severities.length);
  const bar = terminal.progress(`corrupting for ${models.length} models`, total);
  const onProgress = (done: number, _: number, what: string): void => {
    bar.update(done, what);
    if (done === total) bar.finish();
  };
  return measureErrors(device, models, images, { ...options, onProgress });
}

/** The families that are no operation of a policy. */
const foreignOf = (errors: CorruptionErrors, own: readonly string[]): CorruptionErrors => ({
  ...errors,
  families: Object.fromEntries(Object.entries(errors.families).filter(([name]) => !own.includes(name))),
});

/** The mean corruption error of errors relative to others over foreign families; null where there is none. */
function foreignMce(errors: CorruptionErrors | null, baseline: CorruptionErrors | null, own: readonly string[]) {
  if (!errors || !baseline) return null;
  const [model, other] = [errors, baseline].map((each) => foreignOf(each, own));
  if (Object.keys(model.families).length === 0) return null;
  const { mce } = corruptionErrors(model, other);
  return mce === null ? null : { mce, interval: errors === baseline ? null : mceInterval(model, other) };
}

function policyResult(
  { name, policy }: ComparedPolicy,
  own: readonly TestedRun[],
  baseline: readonly TestedRun[],
): PolicyResult {
  const isBaseline = own === baseline;
  const scores = meanLists(own.map(({ right }) => right));
  const operations = ownCorruptions(policy);
  const [errors, others] = isBaseline ? [meanErrors(own), null] : [meanErrors(own), meanErrors(baseline)];
  const foreign = foreignMce(errors, others ?? errors, operations);
  return {
    name,
    summary: summarisePolicy(policy),
    runs: own.map(({ run, right, loss, accuracy }, seed) => ({
      seed: run.seed,
      bestEpoch: run.best.epoch,
      valAccuracy: run.best.valAccuracy,
      testAccuracy: accuracy,
      testLoss: loss,
      mcNemar: isBaseline ? null : mcNemar(baseline[seed].right, right),
      foreignMce: foreignMce(own[seed].errors, baseline[seed].errors, operations)?.mce ?? null,
    })),
    valAccuracy: meanOf(own.map(({ run }) => run.best.valAccuracy)),
    accuracy: bootstrapInterval(scores),
    deviation: deviationOf(own.map(({ accuracy }) => accuracy)),
    difference: isBaseline ? null : pairedDifference(meanLists(baseline.map(({ right }) => right)), scores),
    curves: own.map(({ run }) => run.history.map(({ valAccuracy }) => valAccuracy)),
    foreignMce: foreign?.mce ?? null,
    foreignInterval: foreign?.interval ?? null,
    ownCorruptions: Object.keys(errors?.families ?? {}).filter((name) => operations.includes(name)),
  };
}

/** The errors of one policy, means over its seeds; null where they were not measured. */
function meanErrors(runs: readonly TestedRun[]): CorruptionErrors | null {
  const all = runs.map(({ errors }) => errors).filter((errors) => errors !== null);
  if (all.length === 0) return null;
  const names = Object.keys(all[0].families);
  const family = (name: string) =>
    all[0].families[name].map((_, severity) => meanLists(all.map(({ families }) => families[name][severity])));
  return {
    clean: meanLists(all.map(({ clean }) => clean)),
    families: Object.fromEntries(names.map((name) => [name, family(name)])),
  };
}

/** The policy with the best mean validation accuracy; the earlier of equal ones. */
export function chooseByValidation(compared: readonly ComparedPolicy[], runs: readonly Run[]): string {
  const means = compared.map(({ name }) =>
    meanOf(runs.filter(({ policy }) => policy === name).map(({ best }) => best.valAccuracy)),
  );
  return compared[means.indexOf(Math.max(...means))].name;
}

export interface ComparisonParts {
  readonly budget: Budget;
  readonly seeds: readonly number[];
  readonly compared: readonly ComparedPolicy[];
  /** Every policy with every seed. */
  readonly runs: readonly Run[];
  readonly robustness: RobustnessOptions | null;
}

/**
 * Chooses by validation, then opens the test images and measures every model on them.
 * @param terminal shows how far the corruptions are
 * @throws GraphError when the test images were opened before
 */
export async function testRuns(
  device: Device,
  { budget, seeds, compared, runs, robustness }: ComparisonParts,
  testSet: TestSet,
  terminal: Terminal,
): Promise<ComparisonResult> {
  const chosen = chooseByValidation(compared, runs);
  const images = await testSet.open();
  const corrupted = robustness && { options: robustness, images: await heldImages(images, []) };
  const tested: TestedRun[] = [];
  for (let first = 0; first < runs.length; first += together)
    tested.push(...(await testTogether(device, runs.slice(first, first + together), { images, corrupted, terminal })));
  await images.close();
  const groups = compared.map(({ name }) => tested.filter(({ run }) => run.policy === name));
  const names = compared.map(({ name }) => name);
  return {
    settings: { ...budget },
    seeds,
    policies: compared.map((each, index) => policyResult(each, groups[index], groups[0])),
    chosen,
    test: { count: images.labels.length, uses: 1 },
    robustness:
      robustness &&
      summariseRobustness(
        names,
        groups.map((group) => meanErrors(group) as CorruptionErrors),
        robustness,
      ),
  };
}

/** Where the figures of the one test are kept. */
export const testRecord = (folder: string): string => join(folder, "compare.json");
