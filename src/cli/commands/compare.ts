import { mkdir, readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { corruptionNames } from "../../data/corruptions/corruption.ts";
import type { PartName } from "../../data/loaders.ts";
import { RESIZE_MODES } from "../../data/resize.ts";
import type { Device } from "../../engine/device.ts";
import { DataError, UsageError } from "../../engine/errors.ts";
import { writeAtomically } from "../../nn/formats/atomicFile.node.ts";
import { sha256 } from "../../nn/formats/model.ts";
import type { ComparisonResult } from "../../report/comparison.ts";
import { type CommandContext, columns, defineCommand } from "../command.ts";
import { writeComparison } from "../compare/files.ts";
import { comparedPolicy } from "../compare/policies.ts";
import {
  type Budget,
  type ComparedPolicy,
  finishedRun,
  type Run,
  type RunMaterial,
  type RunPlace,
  trainRun,
} from "../compare/runs.ts";
import { TestSet, testRecord, testRuns } from "../compare/testing.ts";
import { dataOptions, openChoice, openPart } from "../dataset.ts";
import { withDevice } from "../device.ts";
import { keptRecord } from "../keptRecord.ts";
import { integersFrom, namesFrom } from "../lists.ts";
import { EMBEDDED, embeddedWeights, readClassifier } from "../model.ts";
import { savedPolicy } from "../policy.ts";
import { chooseParts } from "../practical/material.ts";
import type { RobustnessOptions } from "../robustness/measure.ts";

/** What suits each network; an option given on the command line takes its place. */
const suited = {
  smallCnn: { epochs: 12, batch: 16, learningRate: 1e-2 },
  head: { epochs: 10, batch: 32, learningRate: 1e-3 },
  part: { epochs: 5, batch: 32, learningRate: 3e-4 },
};

export const command = defineCommand({
  name: "compare",
  summary: "does augmentation help: train policies with one budget and several seeds, test once",
  usage:
    "--data NAME|DIR|FILE [--weights FILE | --network smallCnn] [--policies none,basic,advanced,mixup,cutmix] [--seeds 3] [--out DIR]",
  positionals: [],
  options: {
    ...dataOptions,
    data: { ...dataOptions.data, required: true },
    split: { type: "path", exists: "file", placeholder: "FILE", help: "JSON that lists the photographs of each part" },
    weights: {
      type: "path",
      exists: "file",
      word: EMBEDDED,
      placeholder: "FILE",
      help: "MobileNetV2's weights, under a new head, else the small backbone of the package (embedded)",
    },
    network: { type: "choice", choices: ["smallCnn"], help: "trained from scratch, in place of a backbone" },
    trainable: {
      type: "string",
      placeholder: "head|block_N|all",
      help: "what trains of the backbone: head, everything from a layer on, or all; else all of the embedded one, a head on a FILE",
    },
    batchNorm: {
      type: "choice",
      choices: ["frozen", "batch"],
      help: "batch normalisation of what trains: running statistics, or the batch's; else frozen",
    },
    policies: {
      type: "string",
      default: "none,basic,advanced,mixup,cutmix",
      placeholder: "LIST",
      help: "none, basic, advanced, mixup, cutmix or JSON files; the first is the baseline",
    },
    seeds: { type: "integer", min: 3, max: 100, default: 3, help: "trainings of each policy" },
    seed: { type: "integer", min: 0, default: 1, help: "decides drawings and split; the seed of the first training" },
    size: { type: "integer", min: 32, max: 1024, help: "edge in pixels, else that of petals, 96 for photographs" },
    resize: { type: "choice", choices: RESIZE_MODES, default: "aspect", help: "how photographs are resized" },
    epochs: { type: "integer", min: 1, help: "of each training, else 12 for smallCnn, 10 for a head, 5 for more" },
    batch: { type: "integer", min: 2, help: "images a step, even; else 16 for smallCnn, 32 for a backbone" },
    lr: {
      type: "number",
      min: 0,
      help: "learning rate of Adam, else 0.01 for smallCnn, 0.001 for a head, 0.0003 for more of a backbone",
    },
    corruptions: {
      type: "string",
      default: "none",
      placeholder: "LIST",
      help: "measure robustness too: none, all, or names as `tepal robustness` lists them",
    },
    severities: { type: "string", default: "1,3,5", placeholder: "LIST", help: "of those corruptions" },
    strict: { type: "boolean", help: "fail at a broken photograph instead of skipping it" },
    out: { type: "path", default: "compare", placeholder: "DIR", help: "runs that are finished are kept here" },
  },
  examples: [
    [
      "tepal compare --data petals --policies none,advanced --corruptions all",
      "does augmentation make the network more robust to what it never practised: the embedded backbone, all of it trained",
    ],
    [
      "tepal compare --data petals --network smallCnn",
      "five policies, three seeds, from scratch; the page is compare/compare.html",
    ],
    [
      "tepal compare --data flowers --weights mobilenet_v2.h5 --policies none,advanced --corruptions all",
      "heads on a frozen backbone, with mean corruption errors",
    ],
  ],
  async run(args, context) {
    const { lr, policies, seeds, out } = args;
    const compared = readPolicies(policies);
    const choice = { ...args, root: args.root, seed: args.seed };
    const dataset = await openChoice(choice);
    const weights = backboneOf(args);
    const trainable = trainablePart(weights, args);
    const defaults = suited[trainable === null ? "smallCnn" : trainable === "head" ? "head" : "part"];
    const budget: Budget = {
      data: args.data,
      root: args.root ?? null,
      split: args.split ?? null,
      weights: weights && (await sha256(new Uint8Array(await readFile(weights)))),
      trainedFrom: trainable,
      normalisation: trainable === null ? null : args.batchNorm === "batch" ? "training" : "frozen",
      size: args.size ?? dataset.imageSize?.height ?? 96,
      resize: args.resize as "tf" | "aspect",
      epochs: args.epochs ?? defaults.epochs,
      batch: args.batch ?? defaults.batch,
      learningRate: lr ?? defaults.learningRate,
      seed: args.seed,
    };
    checkBudget(budget);
    const robustness = robustnessOptions(args.corruptions, args.severities, args.seed);
    const settings = {
      ...budget,
      seeds,
      policies: compared.map(({ policy }) => savedPolicy(policy)),
      corruptions: robustness && { ...robustness },
    };
    await mkdir(out, { recursive: true });
    const record = await keptRecord(testRecord(out), settings);
    if (record) context.terminal.line(`the comparison in ${out} is finished: its test is not repeated`);
    const finished = record
      ? { result: record.result as ComparisonResult, adapter: record.adapter as string }
      : await withDevice(async (device, adapter) => {
          const job: Job = { device, budget, compared, seeds, out, robustness, weights, args, dataset };
          const result = await compare(job, context);
          await writeAtomically(testRecord(out), `${JSON.stringify({ settings, adapter, result }, null, 2)}\n`);
          return { result, adapter };
        });
    const files = await writeComparison(out, finished.result);
    tell(context, finished.result);
    context.print(resolve(files["compare.html"]));
    return { ...finished.result, files: { ...files, "compare.json": testRecord(out) }, adapter: finished.adapter };
  },
});

function readPolicies(text: string): ComparedPolicy[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.length < 2 || new Set(names).size !== names.length)
    throw new UsageError(`--policies expects two different policies or more separated by commas, found "${text}"`);
  return names.map((name) => ({ name, policy: comparedPolicy(name) }));
}

/** The file of the backbone; null for smallCnn from scratch. */
function backboneOf({ weights, network }: Record<"weights" | "network", string | undefined>): string | null {
  if (network === undefined) return weights === undefined || weights === EMBEDDED ? embeddedWeights() : weights;
  if (weights === undefined) return null;
  throw new UsageError(`--weights belongs to a backbone and --network ${network} has none; leave one of them out`);
}

/** What of a backbone trains; null for smallCnn. The embedded one is small: all of it trains in minutes. */
function trainablePart(
  weights: string | null,
  { trainable, batchNorm }: Record<"trainable" | "batchNorm", string | undefined>,
): string | null {
  if (weights === null && (trainable ?? batchNorm) !== undefined)
    throw new UsageError("--trainable and --batch-norm are for a backbone; leave them out, or --network");
  const part = weights === null ? null : (trainable ?? (weights === embeddedWeights() ? "all" : "head"));
  if (part === "head" && batchNorm === "batch")
    throw new UsageError("--batch-norm batch needs layers that train; add --trainable block_N or all");
  return part;
}

function checkBudget({ learningRate, batch }: Budget): void {
  if (learningRate === 0) throw new UsageError("--lr expects a number above 0, found 0");
  // Partners of MixUp and CutMix stand side by side in a batch.
  if (batch % 2 !== 0) throw new UsageError(`--batch expects an even number, found ${batch}`);
}

function robustnessOptions(corruptions: string, severities: string, seed: number): RobustnessOptions | null {
  if (corruptions === "none") return null;
  return {
    corruptions: corruptions === "all" ? corruptionNames : namesFrom("--corruptions", corruptions, corruptionNames),
    severities: integersFrom("--severities", severities, { min: 1, max: 5 }),
    seed,
  };
}

interface Job {
  readonly device: Device;
  readonly budget: Budget;
  readonly compared: readonly ComparedPolicy[];
  readonly seeds: number;
  readonly out: string;
  readonly robustness: RobustnessOptions | null;
  /** The file of the backbone; null for smallCnn from scratch. */
  readonly weights: string | null;
  readonly args: {
    readonly strict: boolean;
    readonly cache?: string;
    readonly cacheLimit: number;
    readonly memory: number;
  };
  readonly dataset: Awaited<ReturnType<typeof openChoice>>;
}

/** Trains what is not finished, chooses by validation, tests once. */
async function compare(job: Job, { terminal }: CommandContext): Promise<ComparisonResult> {
  const { device, budget, compared, seeds, out, robustness, weights, args, dataset } = job;
  const parts = chooseParts(dataset, budget.seed);
  if (parts.test.indices.length === 0)
    throw new DataError(`${dataset.name}: expected images to test on, found none; give a --split with a test part`);
  const { size, resize } = budget;
  const load = async (name: PartName) =>
    (await openPart(parts[name], { inputSize: [size, size], resize, ...args }, terminal, `reading ${name} images`))
      .images;
  const trainingSeeds = Array.from({ length: seeds }, (_, index) => budget.seed + index);
  let material: Promise<RunMaterial> | null = null;
  const loadMaterial = async (): Promise<RunMaterial> => ({
    material: { classNames: dataset.classNames, train: await load("train"), validation: await load("validation") },
    description: weights === null ? null : await readClassifier({ weights, size, resize }),
  });
  const runs: Run[] = [];
  // Seed by seed, so that a comparison that is stopped early has whole rounds.
  for (const seed of trainingSeeds)
    for (const each of compared) {
      const place: RunPlace = { folder: out, budget, compared: each, seed };
      const kept = await finishedRun(place);
      if (kept) terminal.line(`policy ${each.name}, seed ${seed}: finished before`);
      if (!kept) material ??= loadMaterial();
      runs.push(kept ?? (await trainRun(device, place, (await material) as RunMaterial, terminal)));
    }
  if (material) await closeMaterial(await material);
  const testSet = new TestSet(() => load("test"));
  return testRuns(device, { budget, seeds: trainingSeeds, compared, runs, robustness }, testSet, terminal);
}

const closeMaterial = ({ material: { train, validation } }: RunMaterial) =>
  Promise.all([train.close(), validation.close()]);

function tell(context: CommandContext, { policies, chosen, test, seeds, robustness }: ComparisonResult): void {
  const share = (value: number) => value.toFixed(3);
  const within = (range: { low: number; high: number } | null) =>
    range ? ` (${share(range.low)} to ${share(range.high)})` : "";
  const rows = policies.map(
    ({ name, accuracy, valAccuracy, difference, foreignMce, foreignInterval: range }, place) => {
      const parts = [
        `validation ${share(valAccuracy)}`,
        `test ${share(accuracy.mean)} (${share(accuracy.low)} to ${share(accuracy.high)})`,
        difference
          ? `difference ${share(difference.mean)} (${share(difference.low)} to ${share(difference.high)})`
          : "baseline",
        robustness && robustness.models[place].mce !== null ? `mCE ${share(robustness.models[place].mce)}` : "",
        foreignMce === null ? "" : `foreign mCE ${share(foreignMce)}${within(range)}`,
      ];
      return [name, parts.filter(Boolean).join(", ")] as const;
    },
  );
  context.print(`${seeds.length} seeds, ${test.count} test images, read once; chosen on validation: ${chosen}`);
  context.print(columns(rows));
}
