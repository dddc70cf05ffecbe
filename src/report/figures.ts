import { rankImprovements } from "./improvements.ts";
import { confusionTotals, maskSummary, wilsonInterval } from "./statistics.ts";
import type { ReportData } from "./types.ts";

/** The id of the script element that carries the figures. */
export const figuresId = "tepal-report";

/** Everything on the page but its pictures, for programs that read reports. NaN becomes null, as JSON has none. */
export function reportFigures(report: ReportData): Record<string, unknown> {
  const { headline, data, history, bestEpoch, evaluation, explanations, mistakes, settings, timings } = report;
  const { correct, total } = confusionTotals(evaluation.confusion);
  return {
    format: figuresId,
    version: 2,
    language: report.language ?? "en",
    title: report.title,
    createdAt: report.createdAt ?? null,
    task: headline.task,
    testAccuracy: headline.testAccuracy,
    testAccuracyInterval95: wilsonInterval(correct, total),
    testCount: total,
    testCorrect: correct,
    chance: headline.chance,
    data: { name: data.name, classNames: data.classNames, counts: data.counts, broken: data.broken },
    history,
    bestEpoch: bestEpoch ?? null,
    evaluation,
    explanations: explanations.map(({ image: _, coarse: _coarse, gradcam, integratedGradients, ...words }) => {
      const { overlay: _overlay, heatmap: _heatmap, ...gradcamWords } = gradcam;
      const { image: _image, ...attributionWords } = integratedGradients;
      return { ...words, gradcam: gradcamWords, integratedGradients: attributionWords };
    }),
    map: report.map ?? "GradCAM",
    backbone: report.backbone ?? null,
    answers: { ...report.answers, improvements: rankImprovements(report) },
    confusions: report.confusions.pairs,
    calibration: report.calibration,
    robustness: report.robustness,
    scratch: report.scratch ?? null,
    notebook: report.notebook ?? null,
    maskSummary: maskSummary(explanations),
    mistakeCount: total - correct,
    mistakes: mistakes.map(({ name, predicted, probability, actual }) => ({ name, predicted, probability, actual })),
    settings,
    timings,
  };
}
