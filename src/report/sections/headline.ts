import { accuracyGauge } from "../charts.ts";
import { count, percent } from "../format.ts";
import { type Html, html } from "../html.ts";
import type { Say } from "../language.ts";
import { confusionTotals, sum, wilsonInterval } from "../statistics.ts";
import type { ReportData } from "../types.ts";

/** What was trained, on what, and how well: the part that is read when nothing else is. */
export function headlineSection(
  { title, createdAt, headline, data, evaluation, history, bestEpoch }: ReportData,
  say: Say,
): Html {
  const { correct, total } = confusionTotals(evaluation.confusion);
  const interval = wilsonInterval(correct, total);
  const images = sum(Object.values(data.counts).map(sum));
  const facts: [Html, Html | string][] = [
    [say("headline.right"), say("headline.of", count(correct), count(total))],
    [say("headline.guessing"), percent(headline.chance)],
    [say("headline.classes"), count(data.classNames.length)],
    [say("images"), count(images)],
  ];
  if (history.length > 0) {
    facts.push([
      say("headline.epochs"),
      bestEpoch === undefined ? count(history.length) : say("headline.kept", history.length, bestEpoch),
    ]);
  }
  return html`
<header id="headline">
  <p class="overline">Tepal${createdAt && html` <span aria-hidden="true">·</span> ${createdAt}`}</p>
  <h1>${title}</h1>
  <p class="lead">${headline.task}</p>
  <div class="result">
    <p class="figure"><span class="value">${percent(headline.testAccuracy)}</span> <span class="what">${say("headline.testAccuracy")}</span>
      <span class="interval">${say("headline.interval", percent(interval[0]), percent(interval[1]))}</span></p>
    <div class="gauge">${accuracyGauge(headline.testAccuracy, interval, headline.chance, say)}</div>
  </div>
  <dl class="facts">${facts.map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>
</header>`;
}
