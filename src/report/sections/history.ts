import { historyChart } from "../charts.ts";
import { fixed, percent } from "../format.ts";
import { type Html, html } from "../html.ts";
import type { EpochRecord, ReportData } from "../types.ts";

/** Loss and accuracy by epoch, as curves and as numbers. */
export function historySection({ history, bestEpoch }: ReportData): Html {
  return html`
<section id="history" aria-labelledby="history-title">
  <h2 id="history-title">Training</h2>
  ${history.length === 0 ? html`<p>Nothing was trained in this run.</p>` : curves(history, bestEpoch)}
</section>`;
}

function curves(history: readonly EpochRecord[], bestEpoch: number | undefined): Html {
  const best = history.find((row) => row.epoch === bestEpoch);
  return html`
  ${
    best &&
    html`<p>The weights of epoch ${best.epoch} were kept: ${
      best.valAccuracy === null
        ? html`training accuracy ${percent(best.accuracy)}`
        : html`validation accuracy ${percent(best.valAccuracy)}, training accuracy ${percent(best.accuracy)}`
    }.</p>`
  }
  <p class="legend"><span class="key dashed train">training</span> <span class="key validation">validation</span></p>
  <div class="pair">
    <figure><figcaption>Loss (cross-entropy), lower is better</figcaption>${historyChart(history, bestEpoch, "loss")}</figure>
    <figure><figcaption>Accuracy, higher is better</figcaption>${historyChart(history, bestEpoch, "accuracy")}</figure>
  </div>
  <details><summary>The numbers, epoch by epoch</summary>
  <div class="scroll" tabindex="0" role="region" aria-label="Training history">
  <table class="numbers">
    <caption><span>Training history; training figures are means over the epoch, while the weights still change</span></caption>
    <thead><tr><th scope="col">epoch</th><th scope="col">loss</th><th scope="col">accuracy</th><th scope="col">validation loss</th><th scope="col">validation accuracy</th></tr></thead>
    <tbody>${history.map(
      (row) =>
        html`<tr${row.epoch === bestEpoch && html` class="kept"`}><th scope="row">${row.epoch}${row.epoch === bestEpoch && " (kept)"}</th><td>${fixed(row.loss, 4)}</td><td>${percent(row.accuracy)}</td><td>${fixed(row.valLoss, 4)}</td><td>${percent(row.valAccuracy)}</td></tr>`,
    )}</tbody>
  </table></div></details>`;
}
