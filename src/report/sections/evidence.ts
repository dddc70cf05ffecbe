import { sanityLimit } from "../../xai/evidence/sanity.ts";
import { costChart, driftChart } from "../evidenceCharts.ts";
import type { EvidenceReport, MapSheet } from "../evidenceTypes.ts";
import { fixed, percent } from "../format.ts";
import { type Html, html } from "../html.ts";
import { picture, shrink } from "../images.ts";
import type { EncodePng } from "../types.ts";

/** Width of a map in CSS pixels: several stand in a row. */
const mapWidth = 128;

/** Maps in rows, to be looked at beside each other. */
export const mapSheet = ({ caption, heads, rows }: MapSheet, encodePng: EncodePng): Html => html`
  <div class="scroll"><table class="maps">
    <caption><span>${caption}</span></caption>
    <thead><tr><td></td>${heads.map((head) => html`<th>${head}</th>`)}</tr></thead>
    <tbody>${rows.map(
      ({ title, pictures }) =>
        html`<tr><th>${title}</th>${pictures.map((image, at) => html`<td>${picture(shrink(image, mapWidth), encodePng, { alt: `${title}, ${heads[at]}`, target: mapWidth })}</td>`)}</tr>`,
    )}</tbody>
  </table></div>`;

/** The methods by their evidence: in words, as a table, and against their cost. */
export function rankingSection({ ranked, images, fill }: EvidenceReport, sheet: Html): Html {
  const failing = ranked.filter(({ sane }) => !sane).map(({ method }) => method);
  const best = ranked[0];
  const several = ranked.length > 1;
  return html`
<section id="ranking" aria-labelledby="ranking-title">
  <h2 id="ranking-title">Which maps to believe</h2>
  <p><strong>${best.method}</strong> ${several ? `comes first of ${ranked.length} by the mean of its ranks over all evidence, on` : "alone was asked for, and has no rank: its evidence on"} ${images} ${images === 1 ? "image" : "images"}${several ? "." : " stands below."}
  ${
    failing.length > 0
      ? html`Do not believe ${failing.join(", ")} here: the map stays much the same when the network has forgotten all that it learned, so it shows the picture and not the network.`
      : html`Every map changed when the network forgot what it had learned, as a map that explains the network must.`
  }</p>
  ${sheet}
  ${several && html`<figure>${costChart(ranked)}<figcaption>Evidence against cost. Best is at the upper left; hollow marks fail the sanity check.</figcaption></figure>`}
  <div class="scroll"><table class="numbers many">
    <caption><span>Gains are areas under the curve beyond those of pixels in random order; removed pixels are filled by ${fill === "blur" ? "the blurred image" : "the image’s mean colour"}.
    Remaining is the rank correlation with the map of a network without its weights.</span></caption>
    <thead><tr><th>Method</th><th>Mean rank</th><th>Insertion gain</th><th>Deletion gain</th><th>ROAD</th><th>Remaining</th><th>Sensitivity</th><th>Pointing</th><th>Mass in mask</th><th>IoU</th><th>Passes</th></tr></thead>
    <tbody>${ranked.map(
      (row) =>
        html`<tr><th>${row.place}. ${row.method}</th><td>${fixed(row.meanRank, 2)}</td><td>${fixed(row.insertionGain, 3)}</td><td>${fixed(row.deletionGain, 3)}</td><td>${fixed(row.road, 3)}</td><td>${fixed(row.remaining, 2)}${!row.sane && " ✗"}</td><td>${fixed(row.sensitivity, 2)}</td><td>${percent(row.pointing, 0)}</td><td>${percent(row.relevanceMass, 0)}</td><td>${fixed(row.intersectionOverUnion, 2)}</td><td>${fixed(row.forwards + row.gradients, 0)}</td></tr>`,
    )}</tbody>
  </table></div>
</section>`;
}

/** What each method says of a network that can cheat. */
export function shortcutSection({ shortcuts }: EvidenceReport, sheet: Html | null): Html | null {
  if (shortcuts.length === 0) return null;
  return html`
<section id="shortcut" aria-labelledby="shortcut-title">
  <h2 id="shortcut-title">Does it find the cheat?</h2>
  <p>Two networks learned by the same code from the same flowers, of which a quarter belong to another species than their label. For one
  network something beside the flower told the label, so that reading it paid; for the other it looked the same and told nothing. A map
  that works shows the difference. In the pictures it is drawn for, every flower has its label's species.</p>
  ${sheet}
  <ul>${shortcuts.map(
    ({ method, words, exposed }) =>
      html`<li><span class="verdict ${exposed ? "right" : "wrong"}"><span aria-hidden="true">${exposed ? "✓" : "✗"}</span> ${method}</span>: ${words}</li>`,
  )}</ul>
</section>`;
}

/** How far the maps of one method move when the picture changes. */
export function driftSection({ drift }: EvidenceReport): Html | null {
  if (drift === null) return null;
  return html`
<section id="drift" aria-labelledby="drift-title">
  <h2 id="drift-title">How far the maps move</h2>
  <p>Maps of ${drift.method} on ${drift.images} ${drift.images === 1 ? "image" : "images"}, before and after a change of the picture; after a change of geometry the map is
  brought back first. A network may keep its answer and change its reasons: then the map moves and the accuracy stays.</p>
  <figure>${driftChart(drift.rows)}<figcaption>Rank correlation with the map of the unchanged picture, against the drop in accuracy. Diamonds are augmentations; dots are corruptions, larger with their severity, named at the highest.</figcaption></figure>
  <div class="scroll"><table class="numbers dense">
    <thead><tr><th>Change</th><th>Severity</th><th>Rank correlation</th><th>IoU of the top fifth</th><th>Shift of the centre</th><th>Accuracy</th><th>Drop</th></tr></thead>
    <tbody>${drift.rows.map(
      (row) =>
        html`<tr><th>${row.name}</th><td>${row.severity ?? "–"}</td><td>${fixed(row.rankCorrelation, 2)}</td><td>${fixed(row.topIou, 2)}</td><td>${percent(row.centreShift)}</td><td>${percent(row.accuracy, 0)}</td><td>${percent(row.accuracyDrop, 0)}</td></tr>`,
    )}</tbody>
  </table></div>
</section>`;
}

/** Whether maps depend on what the labels meant. */
export function randomLabelSection({ randomLabels }: EvidenceReport): Html | null {
  if (randomLabels === null) return null;
  const { known, images, checks } = randomLabels;
  return html`
<section id="random-labels" aria-labelledby="random-labels-title">
  <h2 id="random-labels-title">Do the maps follow what was learned?</h2>
  <p>Two networks learned the same flowers by the same code. One had the true labels and knew ${percent(known.trained, 0)} of them in the end;
  the other had them shuffled and learned ${percent(known.random, 0)} by heart. A map that explains the network must differ between them:
  the mean rank correlation over ${images} ${images === 1 ? "image" : "images"} must stay below ${sanityLimit}.</p>
  <div class="scroll"><table class="numbers">
    <thead><tr><th>Method</th><th>Rank correlation</th><th>Of magnitudes</th><th>Verdict</th></tr></thead>
    <tbody>${checks.map(
      (row) =>
        html`<tr><th>${row.method}</th><td>${fixed(row.rankCorrelation, 2)}</td><td>${fixed(row.absoluteRankCorrelation, 2)}</td><td><span class="verdict ${row.passed ? "right" : "wrong"}"><span aria-hidden="true">${row.passed ? "✓" : "✗"}</span> ${row.passed ? "follows the labels" : "shows the picture"}</span></td></tr>`,
    )}</tbody>
  </table></div>
</section>`;
}

/** Where the peaks of the maps lie. */
export function pointingSection({ pointing }: EvidenceReport): Html | null {
  if (pointing.length === 0) return null;
  const [centre, ...rows] = pointing;
  return html`
<section id="pointing" aria-labelledby="pointing-title">
  <h2 id="pointing-title">Do the peaks lie on the flowers?</h2>
  <p>The pointing game of Zhang et al. (2018) on ${centre.images} drawn flowers: a hit is a peak on the flower or at most 15 pixels beside it in a
  picture of 224. Beside it: with 15 pixels of 500, as large as the paper’s photographs are, and strictly, without any tolerance.
  Who always points at the centre of the picture has ${percent(centre.hits, 1)}.</p>
  <div class="scroll"><table class="numbers">
    <thead><tr><th>Method</th><th>Pointing game</th><th>15 of 500 pixels</th><th>Strictly on the flower</th><th>Mass in mask</th><th>IoU</th></tr></thead>
    <tbody>${[...rows, centre].map(
      (row) =>
        html`<tr><th>${row.method}</th><td>${percent(row.hits, 1)}</td><td>${percent(row.narrow, 1)}</td><td>${percent(row.inside, 1)}</td><td>${percent(row.relevanceMass, 0)}</td><td>${fixed(row.intersectionOverUnion, 2)}</td></tr>`,
    )}</tbody>
  </table></div>
</section>`;
}
