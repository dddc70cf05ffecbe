import { perClassChart } from "../charts.ts";
import { count, fixed, percent } from "../format.ts";
import { type Html, html } from "../html.ts";
import type { Say } from "../language.ts";
import { confusionTotals, meanOf, sum, wilsonInterval } from "../statistics.ts";
import type { ReportData } from "../types.ts";

/** Classes above this many get a denser confusion matrix. */
const denseFrom = 13;

/** Accuracy, loss, per-class recall and precision, and who is taken for whom. */
export function evaluationSection({ data, evaluation }: ReportData, say: Say): Html {
  const { correct, total } = confusionTotals(evaluation.confusion);
  const [low, high] = wilsonInterval(correct, total);
  const facts: [Html, string][] = [
    [say("chart.accuracy"), percent(evaluation.accuracy)],
    [say("interval"), `${percent(low)} – ${percent(high)}`],
    [say("chart.loss"), fixed(evaluation.loss, 3)],
    [say("evaluation.meanRecall"), percent(meanOf(evaluation.perClass.map((c) => c.recall)))],
    [say("evaluation.meanPrecision"), percent(meanOf(evaluation.perClass.map((c) => c.precision)))],
  ];
  return html`
<section id="evaluation" aria-labelledby="evaluation-title">
  <h2 id="evaluation-title">${say("evaluation.title")}</h2>
  <dl class="facts">${facts.map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>
  <figure class="chart-figure"><figcaption>${say("evaluation.byClass")}
    <span class="legend"><span class="key bar">${say("evaluation.recallKey")}</span>
    <span class="key diamond">${say("evaluation.precisionKey")}</span></span></figcaption>
    ${perClassChart(evaluation, say)}</figure>
  ${confusionTable(data.classNames, evaluation, say)}
  ${worstConfusion(data.classNames, evaluation.confusion, say)}
</section>`;
}

function confusionTable(
  classNames: readonly string[],
  { confusion, perClass }: ReportData["evaluation"],
  say: Say,
): Html {
  return html`
  <div class="scroll" tabindex="0" role="region" aria-label="${say("evaluation.confusion")}">
  <table class="confusion${classNames.length >= denseFrom && " dense"}">
    <caption><span>${say("evaluation.confusionCaption")}</span></caption>
    <thead><tr><th scope="col" class="corner">${say("true class")}</th>${classNames.map((name) => html`<th scope="col" class="turned"><span>${name}</span></th>`)}<th scope="col" class="turned score"><span>${say("evaluation.recall%")}</span></th></tr></thead>
    <tbody>${confusion.map((row, i) => {
      const support = sum(row);
      return html`<tr><th scope="row">${classNames[i]}</th>${row.map((n, j) => confusionCell(n, support, i === j))}<td class="score">${wholePercent(perClass[i].recall)}</td></tr>`;
    })}</tbody>
    <tfoot><tr><th scope="row">${say("evaluation.precision%")}</th>${perClass.map((c) => html`<td class="score">${wholePercent(c.precision)}</td>`)}<td class="score"></td></tr></tfoot>
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
function worstConfusion(
  classNames: readonly string[],
  confusion: readonly (readonly number[])[],
  say: Say,
): Html | null {
  let worst = { n: 0, i: 0, j: 0 };
  confusion.forEach((row, i) => {
    row.forEach((n, j) => {
      if (i !== j && n > worst.n) worst = { n, i, j };
    });
  });
  if (worst.n === 0) return null;
  const support = sum(confusion[worst.i]);
  return html`<p>${say("evaluation.worst", worst.n, support, classNames[worst.i], classNames[worst.j])}</p>`;
}
