import type { ConfusionSummary } from "../errors.ts";
import { count, fixed, percent } from "../format.ts";
import { type Html, html } from "../html.ts";

/** The pairs of classes that are mixed up most, and what each class's answers are worth. */
export function confusionsSection({ classNames, pairs, perClass }: ConfusionSummary): Html {
  return html`
<section id="confusions" aria-labelledby="confusions-title">
  <h2 id="confusions-title">What it mixes up</h2>
  ${pairs.length === 0 ? html`<p>No class was taken for another.</p>` : pairsTable(classNames, pairs)}
  <details open><summary>Class by class</summary>${classTable(perClass)}</details>
</section>`;
}

function pairsTable(classNames: readonly string[], pairs: ConfusionSummary["pairs"]): Html {
  const [{ actual, predicted, share }] = pairs;
  return html`
  <p>Most often <strong>${classNames[actual]}</strong> is taken for <strong>${classNames[predicted]}</strong>: ${percent(share)} of its images.
  ${mutual(classNames, pairs)}</p>
  <div class="scroll" tabindex="0" role="region" aria-label="Most confused pairs">
  <table class="numbers"><caption>The most confused pairs</caption>
    <thead><tr><th scope="col">true class</th><th scope="col">answer</th><th scope="col">images</th><th scope="col">of the class</th></tr></thead>
    <tbody>${pairs.map(
      (pair) =>
        html`<tr><th scope="row">${classNames[pair.actual]}</th><td>${classNames[pair.predicted]}</td><td>${count(pair.count)}</td><td>${percent(pair.share)}</td></tr>`,
    )}</tbody>
  </table></div>`;
}

/** A pair that is mixed up both ways looks alike; one way alone, one class draws the answers of another. */
function mutual(classNames: readonly string[], [first, ...others]: ConfusionSummary["pairs"]): Html {
  const back = others.find(({ actual, predicted }) => actual === first.predicted && predicted === first.actual);
  return back
    ? html`The other way round too (${percent(back.share)} of ${classNames[back.actual]}): the two look alike to it.`
    : html`The other way round it is not among the most frequent: ${classNames[first.predicted]} draws its answers.`;
}

function classTable(perClass: ConfusionSummary["perClass"]): Html {
  return html`
  <div class="scroll" tabindex="0" role="region" aria-label="Scores of each class">
  <table class="numbers dense"><caption><span>Precision: of the answers of this class, the share that is right. Recall: of its images, the share that is
  found. F1: their harmonic mean.</span></caption>
    <thead><tr><th scope="col">class</th><th scope="col">precision</th><th scope="col">recall</th><th scope="col">F1</th><th scope="col">images</th></tr></thead>
    <tbody>${perClass.map(
      ({ name, precision, recall, f1, support }) =>
        html`<tr><th scope="row">${name}</th><td>${percent(precision)}</td><td>${percent(recall)}</td><td>${fixed(f1, 3)}</td><td>${count(support)}</td></tr>`,
    )}</tbody>
  </table></div>`;
}
