import { confidenceHistogram, reliabilityDiagram } from "../errorCharts.ts";
import type { CalibrationResult } from "../errors.ts";
import { count, percent } from "../format.ts";
import { type Html, html } from "../html.ts";
import { english, type Say } from "../language.ts";

/** Gaps below this are called none: a share of a few hundred images is not known better. */
const noticeable = 0.02;

/** Whether the probabilities may be believed. */
export function calibrationSection(calibration: CalibrationResult, say: Say = english): Html {
  const { ece, maximum, count: images } = calibration;
  const facts: [Html, string][] = [
    [say("calibration.ece"), percent(ece)],
    [say("calibration.maximum"), percent(maximum)],
    [say("images"), count(images)],
  ];
  return html`
<section id="calibration" aria-labelledby="calibration-title">
  <h2 id="calibration-title">${say("calibration.title")}</h2>
  <p>${verdict(calibration, say)} ${say("calibration.what")}</p>
  <dl class="facts">${facts.map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>
  <p class="legend"><span class="key bar">${say("calibration.bar")}</span> <span class="key gap">${say("calibration.gap")}</span></p>
  <div class="pair">
    <figure><figcaption>${say("calibration.diagram")}</figcaption>${reliabilityDiagram(calibration, say)}</figure>
    <figure><figcaption>${say("calibration.histogram")}</figcaption>${confidenceHistogram(calibration, say)}</figure>
  </div>
</section>`;
}

function verdict({ overconfidence, bins, count: images }: CalibrationResult, say: Say): Html {
  const accuracy = bins.reduce((sum, bin) => sum + bin.count * (bin.accuracy ?? 0), 0) / images;
  const said = say("calibration.said", percent(accuracy + overconfidence), percent(accuracy));
  if (Math.abs(overconfidence) < noticeable) return say("calibration.fine", said);
  return say(overconfidence > 0 ? "calibration.sure" : "calibration.unsure", said, percent(Math.abs(overconfidence)));
}
