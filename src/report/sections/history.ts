import { historyChart } from "../charts.ts";
import { fixed, percent } from "../format.ts";
import { type Html, html } from "../html.ts";
import type { Say } from "../language.ts";
import type { EpochRecord, ReportData } from "../types.ts";

/** Loss and accuracy by epoch, as curves and as numbers. */
export function historySection({ history, bestEpoch }: ReportData, say: Say): Html {
  return html`
<section id="history" aria-labelledby="history-title">
  <h2 id="history-title">${say("history.title")}</h2>
  ${history.length === 0 ? html`<p>${say("history.nothing")}</p>` : curves(history, bestEpoch, say)}
</section>`;
}

function curves(history: readonly EpochRecord[], bestEpoch: number | undefined, say: Say): Html {
  const best = history.find((row) => row.epoch === bestEpoch);
  return html`
  ${
    best &&
    html`<p>${say(
      "history.kept",
      best.epoch,
      best.valAccuracy === null
        ? say("history.trainingAccuracy", percent(best.accuracy))
        : say("history.bothAccuracies", percent(best.valAccuracy), percent(best.accuracy)),
    )}</p>`
  }
  <p class="legend"><span class="key dashed train">${say("chart.training")}</span> <span class="key validation">${say("chart.validation")}</span></p>
  <div class="pair">
    <figure><figcaption>${say("history.loss")}</figcaption>${historyChart(history, bestEpoch, "loss", say)}</figure>
    <figure><figcaption>${say("history.accuracy")}</figcaption>${historyChart(history, bestEpoch, "accuracy", say)}</figure>
  </div>
  <details><summary>${say("history.numbers")}</summary>
  <div class="scroll" tabindex="0" role="region" aria-label="${say("history.label")}">
  <table class="numbers">
    <caption><span>${say("history.caption")}</span></caption>
    <thead><tr><th scope="col">${say("chart.epoch")}</th><th scope="col">${say("chart.loss")}</th><th scope="col">${say("chart.accuracy")}</th><th scope="col">${say("history.valLoss")}</th><th scope="col">${say("history.valAccuracy")}</th></tr></thead>
    <tbody>${history.map(
      (row) =>
        html`<tr${row.epoch === bestEpoch && html` class="kept"`}><th scope="row">${row.epoch}${row.epoch === bestEpoch && say("history.keptMark")}</th><td>${fixed(row.loss, 4)}</td><td>${percent(row.accuracy)}</td><td>${fixed(row.valLoss, 4)}</td><td>${percent(row.valAccuracy)}</td></tr>`,
    )}</tbody>
  </table></div></details>`;
}
