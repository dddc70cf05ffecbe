import { perClassChart } from "../charts.ts";
import { count, fixed, percent } from "../format.ts";
import { type Html, html } from "../html.ts";
import { confusionTotals, meanOf, sum, wilsonInterval } from "../statistics.ts";
import type { ReportData } from "../types.ts";

/** Classes above this many get a denser confusion matrix. */
const denseFrom = 13;

/** Accuracy, loss, per-class recall and precision, and who is taken for whom. */
export function evaluationSection({ data, evaluation }: ReportData): Html {
  const { correct, total } = confusionTotals(evaluation.confusion);
  const [low, high] = wilsonInterval(correct, total);
  const facts: [string, string][] = [
    ["accuracy", percent(evaluation.accuracy)],
    ["95 % interval", `${percent(low)} – ${percent(high)}`],
    ["loss", fixed(evaluation.loss, 3)],
    ["mean recall", percent(meanOf(evaluation.perClass.map((c) => c.recall)))],
    ["mean precision", percent(meanOf(evaluation.perClass.map((c) => c.precision)))],
  ];
  return html`
<section id="evaluation" aria-labelledby="evaluation-title">
  <h2 id="evaluation-title">Evaluation on the test split</h2>
  <dl class="facts">${facts.map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>
  <figure class="chart-figure"><figcaption>Class by class
    <span class="legend"><span class="key bar">recall: share of the class that was found, with its 95&nbsp;% interval</span>
    <span class="key diamond">precision: share of the answers of this class that were right</span></span></figcaption>
    ${perClassChart(evaluation)}</figure>
  ${confusionTable(data.classNames, evaluation)}
  ${worstConfusion(data.classNames, evaluation.confusion)}
</section>`;
}

function confusionTable(classNames: readonly string[], { confusion, perClass }: ReportData["evaluation"]): Html {
  return html`
  <div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix">
  <table class="confusion${classNames.length >= denseFrom && " dense"}">
    <caption><span>Confusion matrix: rows are true classes, columns are answers. Shading is the share of the row.</span></caption>
    <thead><tr><th scope="col" class="corner">true class</th>${classNames.map((name) => html`<th scope="col" class="turned"><span>${name}</span></th>`)}<th scope="col" class="turned score"><span>recall, %</span></th></tr></thead>
    <tbody>${confusion.map((row, i) => {
      const support = sum(row);
      return html`<tr><th scope="row">${classNames[i]}</th>${row.map((n, j) => confusionCell(n, support, i === j))}<td class="score">${wholePercent(perClass[i].recall)}</td></tr>`;
    })}</tbody>
    <tfoot><tr><th scope="row">precision, %</th>${perClass.map((c) => html`<td class="score">${wholePercent(c.precision)}</td>`)}<td class="score"></td></tr></tfoot>
  </table></div>`;
}

function confusionCell(n: number, support: number, right: boolean): Html {
  const share = support > 0 ? n / support : 0;
  const kind = n === 0 ? "none" : right ? "right" : "wrong";
  return html`<td class="${kind}${share > 0.5 && " strong"}"${n > 0 && html` style="--share:${(100 * share).toFixed(0)}%"`}>${count(n)}</td>`;
}

/** The sign stands in the heading: 30 columns leave no room for it. */
function wholePercent(share: number | null): string {
  return fixed(share === null ? null : 100 * share, 0);
}

/** The pair of classes that is mixed up most, in words. */
function worstConfusion(classNames: readonly string[], confusion: readonly (readonly number[])[]): Html | null {
  let worst = { n: 0, i: 0, j: 0 };
  confusion.forEach((row, i) => {
    row.forEach((n, j) => {
      if (i !== j && n > worst.n) worst = { n, i, j };
    });
  });
  if (worst.n === 0) return null;
  const support = sum(confusion[worst.i]);
  return html`<p>The most frequent confusion: ${worst.n} of ${support} test images of <strong>${classNames[worst.i]}</strong> were taken for <strong>${classNames[worst.j]}</strong>.</p>`;
}
