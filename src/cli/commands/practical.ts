import { mkdirSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Policy } from "../../data/augment/policy.ts";
import { countByClass } from "../../data/datasets.ts";
import { encodePng } from "../../data/png.node.ts";
import { RESIZE_MODES } from "../../data/resize.ts";
import type { Device } from "../../engine/device.ts";
import { UsageError } from "../../engine/errors.ts";
import { saveModel } from "../../nn/formats/files.node.ts";
import { sha256 } from "../../nn/formats/model.ts";
import { historyCsv } from "../../nn/history.ts";
import { type Evaluation, evaluateLogits } from "../../nn/metrics.ts";
import { predictAll } from "../../nn/prediction.ts";
import { renderReport } from "../../report/report.ts";
import type { ReportData } from "../../report/types.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { dataOptions } from "../dataset.ts";
import { withDevice } from "../device.ts";
import { readClassifier } from "../model.ts";
import { policyOption, savedPolicy, summarisePolicy, trainingPolicy } from "../policy.ts";
import { explainTest, testPredictions } from "../practical/explaining.ts";
import { drawPetals, imageOf, loadPhotographs, type Material } from "../practical/material.ts";
import { type TrainedClassifier, trainFrozenBackbone, trainSmallCnn } from "../practical/training.ts";

/** Settings that suit each material; an option given on the command line takes their place. */
const defaults = {
  petals: { epochs: 6, batch: 16, learningRate: 1e-2, count: 20 },
  photographs: { epochs: 10, batch: 32, learningRate: 1e-3, count: 12 },
};

interface Settings {
  readonly data?: string;
  readonly root?: string;
  readonly cache?: string;
  readonly cacheLimit: number;
  readonly memory: number;
  readonly weights?: string;
  readonly split?: string;
  readonly out: string;
  readonly size: number;
  readonly resize: "tf" | "aspect";
  readonly seed: number;
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly count: number;
  readonly steps: number;
  readonly strict: boolean;
  /** As it was given, and read. */
  readonly policyName: string;
  readonly policy: Policy | null;
}

export const command = defineCommand({
  name: "practical",
  summary: "the whole job: train, evaluate, explain, and write a report; without --data on petals",
  usage: "[--data NAME|DIR|FILE [--root DIR] --weights FILE] [--out DIR] [options]",
  positionals: [],
  options: {
    ...dataOptions,
    weights: {
      type: "path",
      exists: "file",
      placeholder: "FILE",
      help: "MobileNetV2's weights: frozen backbone, new head; without it, smallCnn from scratch",
    },
    split: { type: "path", exists: "file", placeholder: "FILE", help: "JSON that lists the photographs of each part" },
    out: {
      type: "path",
      default: "practical",
      placeholder: "DIR",
      help: "where report, model and history are written",
    },
    size: { type: "integer", min: 32, max: 1024, default: 96, help: "edge of photographs in pixels" },
    resize: { type: "choice", choices: RESIZE_MODES, default: "aspect", help: "how photographs are resized" },
    seed: { type: "integer", min: 0, default: 1, help: "decides drawings, split, first weights and order" },
    epochs: { type: "integer", min: 1, help: "passes over the training images, else 6 for smallCnn, 10 for a head" },
    batch: { type: "integer", min: 1, help: "images a step, else 16 for smallCnn, 32 for a head" },
    lr: { type: "number", min: 0, help: "learning rate of Adam, else 0.01 for smallCnn, 0.001 for a head" },
    explain: { type: "integer", min: 1, max: 100, help: "test images to explain, else 20 petals or 12 photographs" },
    steps: { type: "integer", min: 1, max: 1024, default: 50, help: "evaluations of Integrated Gradients per image" },
    policy: policyOption,
    strict: { type: "boolean", help: "fail at a broken photograph instead of skipping it" },
  },
  examples: [
    ["tepal practical", "draws petals, trains smallCnn on them, explains it; no network, no GPU needed"],
    [
      "tepal practical --data flower_photos --weights mobilenet_v2.h5 --out runs/flowers",
      "the practical on photographs",
    ],
  ],
  async run({ lr, explain, data, ...rest }, context) {
    const args = { ...rest, data: data === "petals" ? undefined : data };
    if (args.weights !== undefined && args.data === undefined)
      throw new UsageError("--weights needs --data DIR; petals are learned from scratch");
    if (args.split !== undefined && args.data === undefined) throw new UsageError("--split needs --data DIR");
    const suited = args.weights === undefined ? defaults.petals : defaults.photographs;
    const settings: Settings = {
      ...args,
      resize: args.resize as "tf" | "aspect",
      policyName: args.policy,
      policy: trainingPolicy(args.policy),
      epochs: args.epochs ?? suited.epochs,
      batch: args.batch ?? suited.batch,
      learningRate: lr ?? suited.learningRate,
      count: explain ?? suited.count,
    };
    mkdirSync(settings.out, { recursive: true });
    return withDevice((device, adapter) => runPractical(device, adapter, settings, context));
  },
});

async function runPractical(
  device: Device,
  adapter: string,
  settings: Settings,
  context: CommandContext,
): Promise<object> {
  const { terminal } = context;
  terminal.line(`adapter: ${adapter}`);
  terminal.line(`policy ${summarisePolicy(settings.policy)}`);
  const clock = new Clock();
  const material = await clock.time("material", () => loadMaterial(settings, context));
  const trained = await clock.time("training", () => train(device, material, settings, context));
  const { classifier, outcome } = trained;
  const logits = await clock.time("test", () => predictAll(classifier, material.test));
  const evaluation = evaluateLogits(logits, material.test.labels, material.classNames);
  const predictions = testPredictions(logits, material.classNames.length);
  const explained = await clock.time("explanations", () =>
    explainTest(classifier, material, predictions, settings, terminal),
  );
  const data = await reportData({
    settings,
    material,
    trained,
    evaluation,
    adapter,
    version: context.version,
    weightsHash: await hashOf(settings.weights),
    timings: clock.seconds,
  });
  const report = resolve(settings.out, "report.html");
  writeFileSync(report, renderReport({ ...data, ...explained }, encodePng));
  await save(settings, material, trained);
  const { train: trainPart, validation, test } = material;
  await Promise.all([classifier.dispose(), trainPart.close(), validation.close(), test.close()]);
  const { accuracy, loss } = evaluation;
  terminal.line(
    `test accuracy ${accuracy.toFixed(4)}, loss ${loss.toFixed(4)} on ${evaluation.count} images; best epoch ${outcome.best.epoch}`,
  );
  context.print(report);
  const counts = {
    train: material.train.count,
    validation: material.validation.count,
    test: evaluation.count,
  };
  return {
    report,
    adapter,
    accuracy,
    loss,
    best: outcome.best,
    history: outcome.history,
    images: counts,
    broken: material.broken,
    timings: clock.seconds,
  };
}

async function loadMaterial(settings: Settings, { terminal }: CommandContext): Promise<Material> {
  const { data, size, resize, strict, cache, cacheLimit, memory } = settings;
  if (data === undefined) return drawPetals(settings.seed, terminal);
  return loadPhotographs(
    { ...settings, data },
    { inputSize: [size, size], resize, strict, cache, cacheLimit, memory, batch: settings.batch },
    terminal,
  );
}

async function train(
  device: Device,
  material: Material,
  settings: Settings,
  { terminal }: CommandContext,
): Promise<TrainedClassifier> {
  if (settings.weights === undefined) return trainSmallCnn(device, material, settings, terminal);
  const { weights, size, resize } = settings;
  return trainFrozenBackbone(device, await readClassifier({ weights, size, resize }), material, settings, terminal);
}

const hashOf = async (path: string | undefined): Promise<string | null> =>
  path === undefined ? null : sha256(new Uint8Array(await readFile(path)));

interface ReportParts {
  readonly settings: Settings;
  readonly material: Material;
  readonly trained: TrainedClassifier;
  readonly evaluation: Evaluation;
  readonly adapter: string;
  readonly version: string;
  readonly weightsHash: string | null;
  readonly timings: Readonly<Record<string, number>>;
}

async function reportData({
  settings,
  material,
  trained,
  evaluation,
  adapter,
  version,
  weightsHash,
  timings,
}: ReportParts): Promise<Omit<ReportData, "explanations" | "mistakes">> {
  const { classNames, train, validation, test } = material;
  const { outcome, recipe, classifier } = trained;
  const count = (labels: Int32Array): number[] => countByClass(labels, classNames.length);
  const { preprocessing, inputSize } = classifier;
  return {
    title:
      settings.data === undefined
        ? "Petals: a flower classifier and its reasons"
        : "A flower classifier and its reasons",
    headline: {
      task: `${recipe.network}, on ${classNames.length} classes of ${material.name}`,
      testAccuracy: evaluation.accuracy,
      testCount: evaluation.count,
      chance: Math.max(...count(test.labels)) / evaluation.count,
    },
    data: {
      name: material.name,
      classNames,
      counts: { train: count(train.labels), validation: count(validation.labels), test: count(test.labels) },
      samples: await Promise.all(
        classNames.map(async (label, index) => ({
          image: await imageOf(train, Math.max(0, train.labels.indexOf(index))),
          label,
        })),
      ),
      broken: material.broken.map(({ path, reason }) => ({ name: path, reason })),
    },
    history: outcome.history,
    bestEpoch: outcome.best.epoch,
    evaluation,
    settings: {
      command: commandLine(settings),
      seed: settings.seed,
      adapter,
      tepal: version,
      node: process.version,
      ...recipe,
      "input size": inputSize.join(" × "),
      preprocessing: `${preprocessing.name}, resize ${preprocessing.resize}`,
      "weights SHA-256": weightsHash ?? "none: trained from scratch",
    },
    timings,
  };
}

/** The command that repeats the run, every choice spelled out. */
function commandLine(settings: Settings): string {
  const {
    data,
    root,
    weights,
    split,
    size,
    resize,
    seed,
    epochs,
    batch,
    learningRate,
    count,
    steps,
    policyName,
    strict,
  } = settings;
  const photographs =
    data === undefined
      ? []
      : [
          "--data",
          data,
          ...(root ? ["--root", root] : []),
          ...(weights ? ["--weights", weights] : []),
          ...(split ? ["--split", split] : []),
          "--size",
          size,
          "--resize",
          resize,
        ];
  const words = [
    "tepal practical",
    ...photographs,
    "--seed",
    seed,
    "--epochs",
    epochs,
    "--batch",
    batch,
    "--lr",
    learningRate,
    "--explain",
    count,
    "--steps",
    steps,
    ...(policyName === "none" ? [] : ["--policy", policyName]),
  ];
  return [...words, ...(strict ? ["--strict"] : [])].join(" ");
}

async function save(
  settings: Settings,
  material: Material,
  { classifier, outcome, recipe }: TrainedClassifier,
): Promise<void> {
  const { train, validation, test } = material;
  const manifest = classifier.manifest({
    seed: settings.seed,
    splits: { train: train.names, validation: validation.names, test: test.names },
    training: { ...recipe, policy: savedPolicy(settings.policy), best: outcome.best },
  });
  await saveModel(join(settings.out, "model"), { manifest, tensors: await classifier.tensors() });
  const { history, best } = outcome;
  writeFileSync(join(settings.out, "history.json"), `${JSON.stringify({ history, best }, null, 2)}\n`);
  writeFileSync(join(settings.out, "history.csv"), historyCsv(history));
}

/** Seconds by stage. */
class Clock {
  readonly seconds: Record<string, number> = {};
  async time<T>(stage: string, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    const result = await work();
    this.seconds[stage] = (performance.now() - started) / 1000;
    return result;
  }
}
