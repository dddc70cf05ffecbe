import type { ScratchComparison, ScratchSide } from "../answers.ts";
import { learningCurves } from "../comparisonCharts.ts";
import { count, fixed, percent, small } from "../format.ts";
import { type Html, html } from "../html.ts";
import type { Say } from "../language.ts";
import { seriesLegend } from "../series.ts";
import { wilsonInterval } from "../statistics.ts";

/** Transfer learning against the same task from scratch. */
export function scratchSection(comparison: ScratchComparison, say: Say): Html {
  const { transfer, scratch, testCount, trainCount, difference, p } = comparison;
  const points = (share: number): string => `${share < 0 ? "−" : "+"}${fixed(100 * Math.abs(share), 1)}`;
  const { mean, low, high } = difference;
  const verdict = low > 0 ? "transfer" : high < 0 ? "scratch" : "open";
  const better = verdict === "scratch" ? [-mean, -high, -low] : [mean, low, high];
  return html`
<section id="scratch" aria-labelledby="scratch-title">
  <h2 id="scratch-title">${say("scratch.title")}</h2>
  <p>${say("scratch.what", count(trainCount))} <strong>${say(`scratch.${verdict}`, ...better.map(points), small(p))}</strong> ${verdict !== "open" && say(`scratch.${verdict}Why`)}</p>
  <div class="scroll" tabindex="0" role="region" aria-label="${say("scratch.title")}">
  <table class="numbers">
    <thead><tr><th scope="col">${say("model")}</th><th scope="col">${say("headline.testAccuracy")}</th><th scope="col">${say("interval")}</th><th scope="col">${say("scratch.trained")}</th><th scope="col">${say("scratch.all")}</th><th scope="col">${say("scratch.epochs")}</th><th scope="col">${say("scratch.size")}</th></tr></thead>
    <tbody>${sideRow("scratch.head", transfer, testCount, say)}${sideRow("scratch.small", scratch, testCount, say)}</tbody>
  </table></div>
  ${transfer.curve.length + scratch.curve.length > 2 && curves(comparison, say)}
</section>`;
}

const curves = ({ transfer, scratch }: ScratchComparison, say: Say): Html => html`
  ${seriesLegend([say("scratch.small").text, say("scratch.head").text])}
  <figure class="chart-figure"><figcaption>${say("scratch.curves")}</figcaption>${learningCurves([[scratch.curve], [transfer.curve]], { ariaLabel: say("scratch.curves").text, epoch: say("chart.epoch").text })}</figure>`;

function sideRow(name: "scratch.head" | "scratch.small", side: ScratchSide, total: number, say: Say): Html {
  const { correct, parameters, trainedParameters, curve, inputSize } = side;
  const [low, high] = wilsonInterval(correct, total);
  return html`<tr><th scope="row">${say(name)}</th><td>${percent(correct / total)}</td><td>${say("to", percent(low), percent(high))}</td><td>${count(trainedParameters)}</td><td>${count(parameters)}</td><td>${count(curve.length)}</td><td>${inputSize.join(" × ")}</td></tr>`;
}
