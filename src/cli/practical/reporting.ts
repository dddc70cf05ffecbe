/** From a run of the practical to the data of its report. */
import type { Policy } from "../../data/augment/policy.ts";
import { countByClass } from "../../data/datasets.ts";
import { calibrationOf, confusedPairs } from "../../nn/errorAnalysis.ts";
import type { Evaluation } from "../../nn/metrics.ts";
import type { AnswersData, NotebookRow } from "../../report/answers.ts";
import { type Language, speak } from "../../report/language.ts";
import type { RobustnessResult } from "../../report/robustness.ts";
import type { ExplainedImage, Mistake, ReportData } from "../../report/types.ts";
import { imageOf, type Material } from "./material.ts";
import type { Tested } from "./pair.ts";

export interface PracticalSettings {
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
  readonly policy: Policy;
  readonly lang: Language;
  readonly full: boolean;
  readonly compat?: string;
}

export interface PracticalRun {
  readonly settings: PracticalSettings;
  readonly material: Material;
  /** The model that the report describes. */
  readonly model: Tested;
  readonly evaluation: Evaluation;
  readonly answers: AnswersData;
  readonly robustness: RobustnessResult;
  readonly explanations: readonly ExplainedImage[];
  readonly mistakes: readonly Mistake[];
  readonly notebook?: readonly NotebookRow[];
  readonly adapter: string;
  readonly version: string;
  readonly weightsHash: string | null;
  readonly timings: Readonly<Record<string, number>>;
}

export async function reportData(run: PracticalRun): Promise<ReportData> {
  const { settings, material, model, evaluation, answers, robustness, notebook } = run;
  const { classNames, test } = material;
  const { outcome } = model;
  const say = speak(settings.lang);
  const network = settings.weights === undefined ? "title.smallCnn" : "title.frozen";
  const drawn = settings.data === undefined;
  const name = drawn ? say("title.drawn").text : material.name;
  const chance = Math.max(...countByClass(test.labels, classNames.length)) / evaluation.count;
  return {
    title: say(drawn ? "title.petals" : "title.flowers").text,
    language: settings.lang,
    headline: {
      task: say("title.task", say(network), classNames.length, name).text,
      testAccuracy: evaluation.accuracy,
      testCount: evaluation.count,
      chance,
    },
    data: await dataSummary(material, name),
    history: outcome.history,
    bestEpoch: outcome.best.epoch,
    evaluation,
    answers,
    confusions: { classNames, pairs: confusedPairs(evaluation.confusion), perClass: evaluation.perClass },
    calibration: calibrationOf(model.logits, test.labels, classNames.length),
    robustness,
    explanations: run.explanations,
    mistakes: run.mistakes,
    ...(notebook ? { notebook } : {}),
    settings: settingsOf(run),
    timings: run.timings,
  };
}

async function dataSummary({ classNames, train, validation, test, broken }: Material, name: string) {
  const count = (labels: Int32Array): number[] => countByClass(labels, classNames.length);
  return {
    name,
    classNames,
    counts: { train: count(train.labels), validation: count(validation.labels), test: count(test.labels) },
    samples: await Promise.all(
      classNames.map(async (label, index) => ({
        image: await imageOf(train, Math.max(0, train.labels.indexOf(index))),
        label,
      })),
    ),
    broken: broken.map(({ path, reason }) => ({ name: path, reason })),
  };
}

function settingsOf({ settings, model, adapter, version, weightsHash }: PracticalRun): ReportData["settings"] {
  const { preprocessing, inputSize } = model.classifier;
  return {
    command: commandLine(settings),
    seed: settings.seed,
    adapter,
    tepal: version,
    node: process.version,
    ...model.recipe,
    "input size": inputSize.join(" × "),
    preprocessing: `${preprocessing.name}, resize ${preprocessing.resize}`,
    "weights SHA-256": weightsHash ?? "–",
  };
}

/** The command that repeats the run, every choice spelled out. */
function commandLine(settings: PracticalSettings): string {
  const { data, weights, policyName, learningRate, count, lang, compat } = settings;
  const option = (name: string, value: string | number | undefined) =>
    value === undefined ? [] : [`--${name}`, value];
  const sized = data !== undefined || weights !== undefined;
  return [
    "tepal practical",
    ...option("data", data),
    ...option("root", settings.root),
    ...option("weights", weights),
    ...option("split", settings.split),
    ...(sized ? ["--size", settings.size, "--resize", settings.resize] : []),
    ...option("seed", settings.seed),
    ...option("epochs", settings.epochs),
    ...option("batch", settings.batch),
    ...option("lr", learningRate),
    ...option("explain", count),
    ...option("steps", settings.steps),
    ...option("policy", policyName),
    ...option("lang", lang),
    ...option("compat", compat),
    ...(settings.full ? ["--full"] : []),
    ...(settings.strict ? ["--strict"] : []),
  ].join(" ");
}
