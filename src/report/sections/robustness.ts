import { fixed, percent } from "../format.ts";
import { type Html, html } from "../html.ts";
import { picture } from "../images.ts";
import type { ModelRobustness, RobustnessResult } from "../robustness.ts";
import { corruptionErrorChart, familyCurves, meanCurves } from "../robustnessCharts.ts";
import { seriesLegend } from "../series.ts";
import type { EncodePng, RgbImage } from "../types.ts";

export interface RobustnessPictures {
  /** One image under every corruption, labelled. */
  readonly sheet: RgbImage;
  readonly encodePng: EncodePng;
}

/** How each model bears noise, blur, weather and compression: summary, curves, and every number. */
export function robustnessSection(result: RobustnessResult, pictures?: RobustnessPictures): Html {
  const { models, severities, count } = result;
  const names = models.map(({ name }) => name);
  return html`
<section id="robustness" aria-labelledby="robustness-title">
  <h2 id="robustness-title">How robust it is</h2>
  <p>${count} images were corrupted in ${models[0].families.length} ways at severities ${severities.join(", ")}; every model was shown the same
  corrupted images. ${verdict(models)}</p>
  ${summaryTable(models)}
  ${seriesLegend(names)}
  <div class="pair">
    <figure><figcaption>Accuracy by severity, mean over the corruptions</figcaption>${meanCurves(result)}</figure>
    ${models.length > 1 && html`<figure><figcaption>Errors under each corruption, the baseline’s are 1</figcaption>${corruptionErrorChart(result)}</figure>`}
  </div>
  <figure class="wide"><figcaption>Accuracy by severity for each corruption; 0 is the clean image</figcaption>
  <div class="scroll" tabindex="0" role="region" aria-label="Curves by corruption">${familyCurves(result)}</div></figure>
  ${pictures && html`<figure class="wide"><figcaption>One image under each corruption</figcaption>${picture(pictures.sheet, pictures.encodePng, { alt: "one image under every corruption at each severity", target: pictures.sheet.width })}</figure>`}
  <details><summary>The numbers, corruption by corruption</summary>
  <div class="scroll" tabindex="0" role="region" aria-label="Accuracy by corruption and severity">${familyTable(result)}</div></details>
</section>`;
}

/** The sentence that matters, from the figures alone. */
function verdict([baseline, ...others]: readonly ModelRobustness[]): Html {
  const lost = html`${baseline.name} falls from ${percent(baseline.cleanAccuracy)} on clean images to ${percent(baseline.meanAccuracy)} on average.`;
  const known = others.filter((model): model is ModelRobustness & { mce: number } => model.mce !== null);
  if (known.length === 0) return lost;
  const best = known.reduce((a, b) => (b.mce < a.mce ? b : a));
  const change = Math.abs(1 - best.mce);
  const isSure = best.mceInterval !== null && (best.mceInterval.high < 1 || best.mceInterval.low > 1);
  return html`${lost} ${best.name} makes ${percent(change)} ${best.mce < 1 ? "fewer" : "more"} errors than that
  ${isSure ? "(the 95 % interval leaves out 0)" : "(which these images cannot tell from none)"}, averaged over the kinds of corruption.`;
}

function summaryTable(models: readonly ModelRobustness[]): Html {
  return html`
  <div class="scroll" tabindex="0" role="region" aria-label="Robustness of each model">
  <table class="numbers"><caption><span>mCE: mean corruption error, the errors of each corruption relative to ${models[0].name}’s, averaged; relative mCE
  counts only what corruption adds to the clean errors</span></caption>
    <thead><tr><th scope="col">model</th><th scope="col">clean</th><th scope="col">corrupted, mean</th><th scope="col">mCE</th><th scope="col">95 % interval</th><th scope="col">relative mCE</th></tr></thead>
    <tbody>${models.map(
      ({ name, cleanAccuracy, meanAccuracy, mce, mceInterval, relativeMce }) =>
        html`<tr><th scope="row">${name}</th><td>${percent(cleanAccuracy)}</td><td>${percent(meanAccuracy)}</td><td>${fixed(mce, 3)}</td><td>${mceInterval ? `${fixed(mceInterval.low, 3)} to ${fixed(mceInterval.high, 3)}` : "–"}</td><td>${fixed(relativeMce, 3)}</td></tr>`,
    )}</tbody>
  </table></div>`;
}

function familyTable({ models, severities }: RobustnessResult): Html {
  return html`
  <table class="numbers dense"><caption><span>Accuracy in % by severity, and the corruption error (CE) relative to ${models[0].name}</span></caption>
    <thead><tr><th scope="col">corruption</th><th scope="col">model</th>${severities.map((severity) => html`<th scope="col">${severity}</th>`)}<th scope="col">CE</th></tr></thead>
    <tbody>${models[0].families.map(({ name, group }, family) =>
      models.map(
        (model, place) =>
          html`<tr><th scope="row">${place === 0 ? html`${name} <span class="quiet">${group}</span>` : ""}</th><th scope="row">${model.name}</th>${model.families[family].accuracies.map((accuracy) => html`<td>${fixed(100 * accuracy, 1)}</td>`)}<td>${fixed(model.families[family].corruptionError, 3)}</td></tr>`,
      ),
    )}</tbody>
  </table>`;
}
