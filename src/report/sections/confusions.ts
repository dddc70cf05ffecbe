import type { ConfusionSummary } from "../errors.ts";
import { count, fixed, percent } from "../format.ts";
import { type Html, html } from "../html.ts";
import { english, type Say } from "../language.ts";

/** The pairs of classes that are mixed up most, and what each class's answers are worth. */
export function confusionsSection({ classNames, pairs, perClass }: ConfusionSummary, say: Say = english): Html {
  return html`
<section id="confusions" aria-labelledby="confusions-title">
  <h2 id="confusions-title">${say("confusions.title")}</h2>
  ${pairs.length === 0 ? html`<p>${say("confusions.nothing")}</p>` : pairsTable(classNames, pairs, say)}
  <details open><summary>${say("evaluation.byClass")}</summary>${classTable(perClass, say)}</details>
</section>`;
}

function pairsTable(classNames: readonly string[], pairs: ConfusionSummary["pairs"], say: Say): Html {
  const [{ actual, predicted, share }] = pairs;
  return html`
  <p>${say("confusions.most", classNames[actual], classNames[predicted], percent(share))}
  ${mutual(classNames, pairs, say)}</p>
  <div class="scroll" tabindex="0" role="region" aria-label="${say("confusions.pairs")}">
  <table class="numbers"><caption>${say("confusions.pairs")}</caption>
    <thead><tr><th scope="col">${say("true class")}</th><th scope="col">${say("answer")}</th><th scope="col">${say("images")}</th><th scope="col">${say("confusions.share")}</th></tr></thead>
    <tbody>${pairs.map(
      (pair) =>
        html`<tr><th scope="row">${classNames[pair.actual]}</th><td>${classNames[pair.predicted]}</td><td>${count(pair.count)}</td><td>${percent(pair.share)}</td></tr>`,
    )}</tbody>
  </table></div>`;
}

/** A pair that is mixed up both ways looks alike; one way alone, one class draws the answers of another. */
function mutual(classNames: readonly string[], [first, ...others]: ConfusionSummary["pairs"], say: Say): Html {
  const back = others.find(({ actual, predicted }) => actual === first.predicted && predicted === first.actual);
  return back
    ? say("confusions.mutual", percent(back.share), classNames[back.actual])
    : say("confusions.oneWay", classNames[first.predicted]);
}

function classTable(perClass: ConfusionSummary["perClass"], say: Say): Html {
  return html`
  <div class="scroll" tabindex="0" role="region" aria-label="${say("confusions.scores")}">
  <table class="numbers dense"><caption><span>${say("confusions.caption")}</span></caption>
    <thead><tr><th scope="col">${say("class")}</th><th scope="col">${say("precision")}</th><th scope="col">${say("recall")}</th><th scope="col">F1</th><th scope="col">${say("images")}</th></tr></thead>
    <tbody>${perClass.map(
      ({ name, precision, recall, f1, support }) =>
        html`<tr><th scope="row">${name}</th><td>${percent(precision)}</td><td>${percent(recall)}</td><td>${fixed(f1, 3)}</td><td>${count(support)}</td></tr>`,
    )}</tbody>
  </table></div>`;
}
