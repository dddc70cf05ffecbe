import { DataError, ShapeError } from "../engine/errors.ts";
import { confusionTotals, sum } from "./statistics.ts";
import type { ReportData, RgbImage } from "./types.ts";

/**
 * A report that contradicts itself is worse than none: the figures are checked against each other before a page is
 * written. Throws ShapeError for lists and images whose sizes do not fit, DataError for figures that disagree.
 */
export function checkReportData(report: ReportData): void {
  checkSizes(report);
  checkFigures(report);
  for (const { name, image } of namedImages(report)) {
    if (image.data.length !== 3 * image.width * image.height || image.data.length === 0) {
      const size = `${image.width}×${image.height}`;
      throw new ShapeError(`expected RGB bytes for ${size} pixels in the image ${name}, got ${image.data.length}`);
    }
  }
}

function checkSizes({ data, evaluation }: ReportData): void {
  const classes = data.classNames.length;
  const lists: [string, number][] = [
    ["training counts", data.counts.train.length],
    ["validation counts", data.counts.validation.length],
    ["test counts", data.counts.test.length],
    ["per-class scores", evaluation.perClass.length],
    ["rows of the confusion matrix", evaluation.confusion.length],
    ...evaluation.confusion.map((row, i): [string, number] => [
      `columns in row ${i} of the confusion matrix`,
      row.length,
    ]),
  ];
  for (const [what, length] of lists) {
    if (length !== classes) throw new ShapeError(`expected ${classes} ${what}, one per class, got ${length}`);
  }
}

function checkFigures({ headline, evaluation, history, bestEpoch, scratch }: ReportData): void {
  const { correct, total } = confusionTotals(evaluation.confusion);
  if (total < 1) throw new DataError("expected at least one test image in the confusion matrix, got none");
  if (total !== headline.testCount) {
    throw new DataError(`expected ${headline.testCount} answers in the confusion matrix, got ${total}`);
  }
  for (const [what, accuracy] of [
    ["headline", headline.testAccuracy],
    ["evaluation", evaluation.accuracy],
  ] as const) {
    // Float32 means differ from the exact share in the seventh digit; one image more or less must not pass.
    if (!(Math.abs(accuracy - correct / total) <= Math.min(1e-4, 0.5 / total))) {
      throw new DataError(
        `expected the ${what}'s accuracy to be ${correct}/${total} of the confusion matrix, got ${accuracy}`,
      );
    }
  }
  if (scratch && scratch.testCount !== total)
    throw new DataError(`expected the comparison with scratch on ${total} test images, got ${scratch.testCount}`);
  evaluation.perClass.forEach((score, i) => {
    const row = sum(evaluation.confusion[i]);
    if (score.support !== row)
      throw new DataError(`expected a support of ${row} for ${score.name}, got ${score.support}`);
  });
  if (history.length > 0 && bestEpoch !== undefined && !history.some((row) => row.epoch === bestEpoch)) {
    throw new DataError(`expected the best epoch to be in the history, got ${bestEpoch}`);
  }
}

function namedImages(report: ReportData): { name: string; image: RgbImage }[] {
  return [
    ...report.data.samples.map(({ label, image }) => ({ name: `sample of ${label}`, image })),
    ...report.explanations.flatMap(({ name, image, gradcam, coarse, integratedGradients }) =>
      [image, gradcam.overlay, gradcam.heatmap ?? image, coarse ?? image, integratedGradients.image].map((i) => ({
        name,
        image: i,
      })),
    ),
    ...report.mistakes.flatMap(({ name, image, gradcamPredicted, gradcamActual }) =>
      [image, gradcamPredicted, gradcamActual].map((i) => ({ name, image: i })),
    ),
  ];
}
