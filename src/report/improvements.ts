/** What to improve, from the figures of a run alone: each proposal with the percentage points that it concerns. */
import { confusionTotals, meanOf } from "./statistics.ts";
import type { ReportData } from "./types.ts";

export const improvementKinds = [
  "capacity",
  "generalisation",
  "epochs",
  "pair",
  "corruption",
  "background",
  "scratch",
  "calibration",
  "testImages",
] as const;
export type ImprovementKind = (typeof improvementKinds)[number];

export interface Improvement {
  readonly kind: ImprovementKind;
  /** Share of the answers at stake, in [0, 1]. */
  readonly stake: number;
  /** What its sentence names: classes, a corruption, figures. */
  readonly details: readonly (string | number)[];
}

/** Less than this is not worth a proposal. */
const least = 0.005;

/** The family under which the described model loses most, with what it loses. */
export function worstCorruption({ robustness, answers }: Pick<ReportData, "robustness" | "answers">) {
  const { chosen } = answers.augmentation;
  const model = robustness.models.find(({ name }) => name === chosen) ?? robustness.models[0];
  const families = model.families.map(({ name, accuracies }) => ({
    name,
    loss: model.cleanAccuracy - (meanOf(accuracies) ?? model.cleanAccuracy),
    hardest: accuracies[accuracies.length - 1],
  }));
  return { clean: model.cleanAccuracy, ...families.reduce((a, b) => (b.loss > a.loss ? b : a)) };
}

/** Wrong answers that were given with at least this confidence, counted from the reliability bins. */
export function sureMistakes({ calibration }: Pick<ReportData, "calibration">, confidence = 0.8): number {
  return calibration.bins
    .filter(({ low }) => low >= confidence - 1e-9)
    .reduce((total, { count, accuracy }) => total + Math.round(count * (1 - (accuracy ?? 1))), 0);
}

function confusedPair({
  confusion,
  classNames,
}: {
  confusion: readonly (readonly number[])[];
  classNames: readonly string[];
}) {
  let worst = { count: 0, first: "", second: "" };
  confusion.forEach((row, i) => {
    for (let j = 0; j < i; j++) {
      const count = row[j] + confusion[j][i];
      if (count > worst.count) worst = { count, first: classNames[j], second: classNames[i] };
    }
  });
  return worst;
}

/** Validation accuracy gained over the last quarter of the epochs, where the last one was the best; else 0. */
function stillRising({ history, bestEpoch }: Pick<ReportData, "history" | "bestEpoch">): number {
  const last = history.at(-1);
  const before = history.at(-1 - Math.max(1, Math.floor(history.length / 4)));
  if (!last || !before || last.epoch !== bestEpoch) return 0;
  return (last.valAccuracy ?? 0) - (before.valAccuracy ?? 0);
}

/** What a network from scratch has over a head on frozen features, where the test images tell. */
function fromScratch({ scratch }: Pick<ReportData, "scratch">): Improvement {
  if (!scratch || scratch.difference.high >= 0) return { kind: "scratch", stake: 0, details: [] };
  const { transfer, scratch: own, testCount, difference } = scratch;
  return {
    kind: "scratch",
    stake: -difference.mean,
    details: [own, transfer].map(({ correct }) => correct / testCount),
  };
}

/** Proposals by what is at stake, the largest first; those that concern less than half a point are left out. */
export function rankImprovements(report: ReportData): Improvement[] {
  const { answers, data, evaluation, calibration } = report;
  const { augmentation, looking } = answers;
  const side = augmentation[augmentation.chosen];
  const { total } = confusionTotals(evaluation.confusion);
  const pair = confusedPair({ confusion: evaluation.confusion, classNames: data.classNames });
  const worst = worstCorruption(report);
  const { low, high } = augmentation.difference;
  const undecided = low <= 0 && high >= 0;
  const { masks } = looking;
  const found: Improvement[] = [
    { kind: "capacity", stake: 1 - side.trainAccuracy, details: [side.trainAccuracy] },
    {
      kind: "generalisation",
      stake: side.trainAccuracy - side.valAccuracy,
      details: [side.trainAccuracy, side.valAccuracy],
    },
    { kind: "epochs", stake: stillRising(report), details: [report.bestEpoch ?? 0] },
    // One answer is no pattern.
    { kind: "pair", stake: pair.count > 1 ? pair.count / total : 0, details: [pair.first, pair.second, pair.count] },
    { kind: "corruption", stake: worst.loss, details: [worst.name, worst.clean, worst.clean - worst.loss] },
    {
      kind: "background",
      stake: masks && masks.rightAnswers > 0 ? masks.rightBeside / masks.rightAnswers : 0,
      details: [masks?.rightBeside ?? 0, masks?.rightAnswers ?? 0],
    },
    fromScratch(report),
    { kind: "calibration", stake: calibration.ece, details: [calibration.ece] },
    { kind: "testImages", stake: undecided ? (high - low) / 2 : 0, details: [low, high] },
  ];
  return found
    .filter(({ stake }) => stake >= least)
    .sort((a, b) => b.stake - a.stake || improvementKinds.indexOf(a.kind) - improvementKinds.indexOf(b.kind));
}
