/** From a run of the practical to the data of its report. */
import type { Policy } from "../../data/augment/policy.ts";
import { countByClass } from "../../data/datasets.ts";
import { calibrationOf, confusedPairs } from "../../nn/errorAnalysis.ts";
import type { Evaluation } from "../../nn/metrics.ts";
import type { AnswersData, NotebookRow, ScratchComparison } from "../../report/answers.ts";
import { type Language, speak } from "../../report/language.ts";
import type { RobustnessResult } from "../../report/robustness.ts";
import type { BackboneKnowledge, ExplainedImage, KnownClasses, Mistake, ReportData } from "../../report/types.ts";
import { HELD_OUT_SPECIES } from "../backbone/recipe.ts";
import { EMBEDDED } from "../model.ts";
import { type PlaceMap, placeMapOf } from "./maps.ts";
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
  /** Edge in pixels; that of petals for smallCnn when left out. */
  readonly size?: number;
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
  readonly scratch: boolean;
  readonly scratchSize: number;
  /** Whether parts of an earlier call are taken up; a training's own `resume` is another thing. */
  readonly resumesParts: boolean;
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
  readonly scratch?: ScratchComparison;
  readonly notebook?: readonly NotebookRow[];
  readonly adapter: string;
  readonly version: string;
  readonly weightsHash: string | null;
  readonly backbone?: BackboneKnowledge;
  readonly timings: Readonly<Record<string, number>>;
}

export async function reportData(run: PracticalRun): Promise<ReportData> {
  const { settings, material, model, evaluation, answers, robustness, scratch, notebook } = run;
  const { classNames, test } = material;
  const { outcome } = model;
  const subject = showsFlowers(settings.data) ? "flowers" : "objects";
  const say = speak(settings.lang, { subject });
  const { weights } = settings;
  const network = weights === undefined ? "title.smallCnn" : weights === EMBEDDED ? "title.embedded" : "title.frozen";
  const drawn = settings.data === undefined;
  const name = drawn ? say("title.drawn").text : material.name;
  const chance = Math.max(...countByClass(test.labels, classNames.length)) / evaluation.count;
  return {
    title: say(drawn ? "title.petals" : "title.flowers").text,
    language: settings.lang,
    subject,
    headline: {
      task: say("title.task", say(network), classNames.length, name).text,
      testAccuracy: evaluation.accuracy,
      testCount: evaluation.count,
      chance,
    },
    data: await dataSummary(material, name),
    map: placeMapOf(model.classifier).name,
    ...(run.backbone ? { backbone: run.backbone } : {}),
    history: outcome.history,
    bestEpoch: outcome.best.epoch,
    evaluation,
    answers,
    confusions: { classNames, pairs: confusedPairs(evaluation.confusion), perClass: evaluation.perClass },
    calibration: calibrationOf(model.logits, test.labels, classNames.length),
    robustness,
    explanations: run.explanations,
    mistakes: run.mistakes,
    ...(scratch ? { scratch } : {}),
    ...(notebook ? { notebook } : {}),
    settings: settingsOf(run),
    timings: run.timings,
  };
}

/** Drawn flowers, or images whose name says it. */
const showsFlowers = (data: string | undefined): boolean => data === undefined || /flower|flores/i.test(data);

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

/** The embedded backbone was trained on some species of petals and not on the others; nothing is known of other data and weights. */
export function backboneKnowledge(
  { data, weights }: Pick<PracticalSettings, "data" | "weights">,
  { classNames, test }: Pick<Material, "classNames" | "test">,
  { right }: Pick<Tested, "right">,
): BackboneKnowledge | undefined {
  if (data !== undefined || weights !== EMBEDDED) return undefined;
  const of = (isHeldOut: boolean): KnownClasses => {
    const names = classNames.filter((name) => HELD_OUT_SPECIES.includes(name) === isHeldOut);
    const places = [...test.labels.keys()].filter((index) => names.includes(classNames[test.labels[index]]));
    return { classNames: names, correct: places.filter((index) => right[index] > 0).length, count: places.length };
  };
  return { seen: of(false), unseen: of(true) };
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
    map: mapWords(placeMapOf(model.classifier)),
    "input size": inputSize.join(" × "),
    preprocessing: `${preprocessing.name}, resize ${preprocessing.resize}`,
    "weights SHA-256": weightsHash ?? "–",
  };
}

const mapWords = ({ name, layers }: PlaceMap): string => (layers ? `${name}, ${layers.join(" + ")}` : name);

/** The command that repeats the run, every choice spelled out. */
function commandLine(settings: PracticalSettings): string {
  const { data, weights, policyName, learningRate, count, lang, compat } = settings;
  const option = (name: string, value: string | number | undefined) =>
    value === undefined ? [] : [`--${name}`, value];
  return [
    "tepal practical",
    ...option("data", data),
    ...option("root", settings.root),
    ...(weights === undefined ? ["--network", "smallCnn"] : ["--weights", weights]),
    ...option("split", settings.split),
    ...option("size", settings.size),
    ...option("resize", data === undefined ? undefined : settings.resize),
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
    ...(settings.scratch && !settings.full ? ["--scratch"] : []),
    ...option("scratch-size", settings.scratch ? settings.scratchSize : undefined),
    ...(settings.strict ? ["--strict"] : []),
  ].join(" ");
}
