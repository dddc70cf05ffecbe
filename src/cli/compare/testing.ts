/** The one look at the test images, after everything was trained and chosen. */
import { join } from "node:path";
import type { LabelledImages } from "../../data/datasets.ts";
import type { Device } from "../../engine/device.ts";
import { GraphError } from "../../engine/errors.ts";
import { type Classifier, createClassifier } from "../../nn/classifier.ts";
import type { CorruptionErrors } from "../../nn/corruptionError.ts";
import { correctAnswers } from "../../nn/errorAnalysis.ts";
import { loadModel } from "../../nn/formats/files.node.ts";
import { lossAndAccuracy } from "../../nn/metrics.ts";
import { predictAll } from "../../nn/prediction.ts";
import { bootstrapInterval, mcNemar, pairedDifference } from "../../nn/significance.ts";
import type { ComparisonResult, PolicyResult } from "../../report/comparison.ts";
import { summarisePolicy } from "../policy.ts";
import { heldImages } from "../robustness/held.ts";
import { measureErrors, type RobustnessOptions, summariseRobustness } from "../robustness/measure.ts";
import type { Photographs } from "../storedSource.ts";
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

async function testRun(
  device: Device,
  run: Run,
  images: Photographs,
  robustness: { readonly options: RobustnessOptions; readonly images: LabelledImages } | null,
): Promise<TestedRun> {
  const classifier = await loadRun(device, run);
  try {
    const logits = await predictAll(classifier, images);
    const classes = classifier.classes as number;
    const right = correctAnswers(logits, images.labels, classes);
    const named = [{ name: run.policy, classifier }];
    const errors = robustness && (await measureErrors(device, named, robustness.images, robustness.options))[0];
    return { run, right, errors, ...lossAndAccuracy(logits, images.labels, classes) };
  } finally {
    await classifier.dispose();
  }
}

function policyResult(
  { name, policy }: ComparedPolicy,
  own: readonly TestedRun[],
  baseline: readonly TestedRun[],
): PolicyResult {
  const isBaseline = own === baseline;
  const scores = meanLists(own.map(({ right }) => right));
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
    })),
    valAccuracy: meanOf(own.map(({ run }) => run.best.valAccuracy)),
    accuracy: bootstrapInterval(scores),
    deviation: deviationOf(own.map(({ accuracy }) => accuracy)),
    difference: isBaseline ? null : pairedDifference(meanLists(baseline.map(({ right }) => right)), scores),
    curves: own.map(({ run }) => run.history.map(({ valAccuracy }) => valAccuracy)),
    foreignMce: null,
    ownCorruptions: [],
  };
}

/** The errors of one policy, means over its seeds. */
function meanErrors(runs: readonly TestedRun[]): CorruptionErrors {
  const all = runs.map(({ errors }) => errors as CorruptionErrors);
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
 * @param onRun called before each model with how many are done
 * @throws GraphError when the test images were opened before
 */
export async function testRuns(
  device: Device,
  { budget, seeds, compared, runs, robustness }: ComparisonParts,
  testSet: TestSet,
  onRun: (done: number, run: Run) => void,
): Promise<ComparisonResult> {
  const chosen = chooseByValidation(compared, runs);
  const images = await testSet.open();
  const measured = robustness && { options: robustness, images: await heldImages(images, []) };
  const tested: TestedRun[] = [];
  for (const run of runs) {
    onRun(tested.length, run);
    tested.push(await testRun(device, run, images, measured));
  }
  await images.close();
  const groups = compared.map(({ name }) => tested.filter(({ run }) => run.policy === name));
  const policies = compared.map((each, index) => policyResult(each, groups[index], groups[0]));
  const names = compared.map(({ name }) => name);
  const result = robustness && summariseRobustness(names, groups.map(meanErrors), robustness);
  return {
    settings: { ...budget },
    seeds,
    policies: policies.map((policy, index) => {
      if (!result) return policy;
      const own = ownCorruptions(compared[index].policy);
      const families = result.models[index].families;
      const foreign = families.filter(({ name, corruptionError }) => !own.includes(name) && corruptionError !== null);
      return {
        ...policy,
        foreignMce: foreign.length > 0 ? meanOf(foreign.map((family) => family.corruptionError as number)) : null,
        ownCorruptions: families.map(({ name }) => name).filter((name) => own.includes(name)),
      };
    }),
    chosen,
    test: { count: images.labels.length, uses: 1 },
    robustness: result,
  };
}

/** Where the figures of the one test are kept. */
export const testRecord = (folder: string): string => join(folder, "compare.json");
