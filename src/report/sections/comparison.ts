import type { ComparisonResult, PolicyResult } from "../comparison.ts";
import { accuracyChart, policyCurves } from "../comparisonCharts.ts";
import { fixed, percent, small } from "../format.ts";
import { type Html, html } from "../html.ts";
import { seriesLegend } from "../series.ts";

const points = (share: number): string => `${share >= 0 ? "+" : "−"}${Math.abs(100 * share).toFixed(1)}`;

/** Whether augmentation helps: every policy with the same budget and seeds, against the baseline. */
export function comparisonSection(result: ComparisonResult): Html {
  const { policies, seeds, settings, chosen, test } = result;
  return html`
<section id="comparison" aria-labelledby="comparison-title">
  <h2 id="comparison-title">Does augmentation help?</h2>
  <p>${policies.length} policies, each trained with ${seeds.length} seeds for ${settings.epochs} epochs on the same images.
  The epoch to keep and the policy were chosen on the validation images (<strong>${chosen}</strong>); the ${test.count} test images were read once, after that.
  ${verdict(result)}</p>
  ${result.robustness && html`<p>${robustnessVerdict(result)}</p>`}
  ${seriesLegend(policies.map(({ name }) => name))}
  <div class="pair">
    <figure><figcaption>Test accuracy: mean over seeds with its 95&nbsp;% interval, and each seed</figcaption>${accuracyChart(result)}</figure>
    <figure><figcaption>Validation accuracy by epoch: mean and range over seeds</figcaption>${policyCurves(result)}</figure>
  </div>
  ${table(result)}
  <details><summary>Every run</summary>${runsTable(result)}</details>
</section>`;
}

/** What the paired difference of the chosen policy says, from the figures alone. */
function verdict({ policies, chosen }: ComparisonResult): Html {
  const [baseline] = policies;
  const best = policies.find(({ name }) => name === chosen) as PolicyResult;
  const { difference } = best;
  if (difference === null)
    return html`No augmentation did better than ${baseline.name} on the validation images with this budget.`;
  const interval = html`${points(difference.mean)} points against ${baseline.name} on the test images (95 % interval ${points(difference.low)} to ${points(difference.high)})`;
  if (difference.low > 0) return html`It gains ${interval}: more than chance.`;
  if (difference.high < 0) return html`It loses ${interval}: what the validation images promised did not hold.`;
  return html`It differs by ${interval}: these images cannot tell it from no difference.`;
}

/** Whether what was gained under corruptions is more than what was practised: the policy that gains most. */
function robustnessVerdict({ policies, seeds }: ComparisonResult): Html {
  const [baseline] = policies;
  const measured = policies.filter(
    (policy): policy is PolicyResult & { foreignMce: number; foreignInterval: { low: number; high: number } } =>
      policy.foreignMce !== null && policy.foreignInterval !== null,
  );
  if (measured.length === 0)
    return html`Every measured corruption is an operation of a policy: robustness to others is not known.`;
  const best = measured.reduce((a, b) => (b.foreignMce < a.foreignMce ? b : a));
  const { name, foreignMce, foreignInterval, ownCorruptions, runs } = best;
  const { low, high } = foreignInterval;
  const word = foreignMce <= 1 ? "fewer" : "more";
  const certainty = high < 1 || low > 1 ? "more than chance" : "these images cannot tell it from no difference";
  return html`Under corruptions that are no operation of the policy, <strong>${name}</strong> makes ${percent(Math.abs(1 - foreignMce))} ${word} errors than ${baseline.name}
  (foreign mCE ${fixed(foreignMce, 3)}, 95 % interval ${fixed(low, 3)} to ${fixed(high, 3)}; ${seeds.length} seeds ${runs.map(({ foreignMce }) => fixed(foreignMce, 3)).join(", ")}): ${certainty}.
  ${ownCorruptions.length > 0 && html`Left out, because it trains on them or their relatives: ${ownCorruptions.join(", ")}.`}`;
}

function table({ policies, robustness }: ComparisonResult): Html {
  return html`
  <div class="scroll" tabindex="0" role="region" aria-label="Policies">
  <table class="numbers"><caption><span>Accuracies are means over seeds; differences are in percentage points, images and seeds in pairs.${
    robustness &&
    " mCE: errors under corruptions relative to the baseline; foreign: without those that are operations of the policy."
  }</span></caption>
    <thead><tr><th scope="col">policy</th><th scope="col">validation</th><th scope="col">test</th><th scope="col">95 % interval</th><th scope="col">between seeds</th><th scope="col">against baseline</th>${robustness && html`<th scope="col">mCE</th><th scope="col">foreign mCE</th>`}</tr></thead>
    <tbody>${policies.map(
      ({ name, valAccuracy, accuracy, deviation, difference, foreignMce, foreignInterval }, place) =>
        html`<tr><th scope="row">${name}</th><td>${percent(valAccuracy)}</td><td>${percent(accuracy.mean)}</td><td>${percent(accuracy.low)} to ${percent(accuracy.high)}</td><td>± ${fixed(100 * deviation, 1)}</td><td>${
          difference ? `${points(difference.mean)} (${points(difference.low)} to ${points(difference.high)})` : "–"
        }</td>${robustness && html`<td>${fixed(robustness.models[place].mce, 3)}</td><td>${fixed(foreignMce, 3)}${foreignInterval && ` (${fixed(foreignInterval.low, 3)} to ${fixed(foreignInterval.high, 3)})`}</td>`}</tr>`,
    )}</tbody>
  </table></div>`;
}

function runsTable({ policies, robustness }: ComparisonResult): Html {
  return html`
  <div class="scroll" tabindex="0" role="region" aria-label="Runs">
  <table class="numbers dense"><caption><span>McNemar’s exact test compares with the baseline of the same seed: images that only one of the two answers rightly</span></caption>
    <thead><tr><th scope="col">policy</th><th scope="col">seed</th><th scope="col">kept epoch</th><th scope="col">validation</th><th scope="col">test</th><th scope="col">test loss</th><th scope="col">only baseline : only this</th><th scope="col">p</th>${robustness && html`<th scope="col">foreign mCE</th>`}</tr></thead>
    <tbody>${policies.flatMap(({ name, runs }) =>
      runs.map(
        (run) =>
          html`<tr><th scope="row">${name}</th><td>${run.seed}</td><td>${run.bestEpoch}</td><td>${percent(run.valAccuracy)}</td><td>${percent(run.testAccuracy)}</td><td>${fixed(run.testLoss, 3)}</td><td>${run.mcNemar ? `${run.mcNemar.onlyFirst} : ${run.mcNemar.onlySecond}` : "–"}</td><td>${run.mcNemar ? small(run.mcNemar.p) : "–"}</td>${robustness && html`<td>${fixed(run.foreignMce, 3)}</td>`}</tr>`,
      ),
    )}</tbody>
  </table></div>`;
}
