import { confidenceHistogram, reliabilityDiagram } from "../errorCharts.ts";
import type { CalibrationResult } from "../errors.ts";
import { count, percent } from "../format.ts";
import { type Html, html } from "../html.ts";

/** Gaps below this are called none: a share of a few hundred images is not known better. */
const noticeable = 0.02;

/** Whether the probabilities may be believed. */
export function calibrationSection(calibration: CalibrationResult): Html {
  const { ece, maximum, count: images } = calibration;
  const facts: [string, string][] = [
    ["expected calibration error", percent(ece)],
    ["largest gap of a bin", percent(maximum)],
    ["images", count(images)],
  ];
  return html`
<section id="calibration" aria-labelledby="calibration-title">
  <h2 id="calibration-title">May its confidence be believed?</h2>
  <p>${verdict(calibration)} The expected calibration error is the gap between confidence and accuracy, averaged over the answers.</p>
  <dl class="facts">${facts.map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>
  <p class="legend"><span class="key bar">accuracy of the answers with this confidence</span> <span class="key gap">gap to the confidence</span></p>
  <div class="pair">
    <figure><figcaption>Reliability diagram; a calibrated model follows the dashed line</figcaption>${reliabilityDiagram(calibration)}</figure>
    <figure><figcaption>How many answers have which confidence</figcaption>${confidenceHistogram(calibration)}</figure>
  </div>
</section>`;
}

function verdict({ overconfidence, bins, count: images }: CalibrationResult): Html {
  const accuracy = bins.reduce((sum, bin) => sum + bin.count * (bin.accuracy ?? 0), 0) / images;
  const said = html`The answers are given with ${percent(accuracy + overconfidence)} confidence on average and ${percent(accuracy)} of them are right`;
  if (Math.abs(overconfidence) < noticeable) return html`${said}: on average it is as sure as it may be.`;
  return html`${said}: it is too ${overconfidence > 0 ? "sure" : "unsure"} of itself by ${percent(Math.abs(overconfidence))}.`;
}
