import { fixed, percent } from "../format.ts";
import { type Html, html } from "../html.ts";
import { picture } from "../images.ts";
import { english, type Say, textKey } from "../language.ts";
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
export function robustnessSection(result: RobustnessResult, pictures?: RobustnessPictures, say: Say = english): Html {
  const { models, severities, count } = result;
  const names = models.map(({ name }) => seriesName(name, say));
  return html`
<section id="robustness" aria-labelledby="robustness-title">
  <h2 id="robustness-title">${say("robustness.title")}</h2>
  <p>${say("robustness.what", count, models[0].families.length, severities.join(", "))} ${verdict(models, say)}</p>
  ${summaryTable(models, say)}
  ${seriesLegend(names)}
  <div class="pair">
    <figure><figcaption>${say("robustness.mean")}</figcaption>${meanCurves(result, say)}</figure>
    ${models.length > 1 && html`<figure><figcaption>${say("robustness.errors")}</figcaption>${corruptionErrorChart(result, say)}</figure>`}
  </div>
  <figure class="wide"><figcaption>${say("robustness.families")}</figcaption>
  <div class="scroll" tabindex="0" role="region" aria-label="${say("robustness.families")}">${familyCurves(result, say)}</div></figure>
  ${pictures && html`<figure class="wide"><figcaption>${say("robustness.sheet")}</figcaption>${picture(pictures.sheet, pictures.encodePng, { alt: say("robustness.sheetAlt").text, target: pictures.sheet.width })}</figure>`}
  <details><summary>${say("robustness.numbers")}</summary>
  <div class="scroll" tabindex="0" role="region" aria-label="${say("robustness.numbers")}">${familyTable(result, say)}</div></details>
</section>`;
}

/** Known names in the page's language; a folder's name stays as it is. */
export function seriesName(name: string, say: Say): string {
  const key = textKey(`series.${name}`);
  return key ? say(key).text : name;
}

/** The sentence that matters, from the figures alone. */
function verdict([baseline, ...others]: readonly ModelRobustness[], say: Say): Html {
  const lost = say(
    "robustness.lost",
    seriesName(baseline.name, say),
    percent(baseline.cleanAccuracy),
    percent(baseline.meanAccuracy),
  );
  const known = others.filter((model): model is ModelRobustness & { mce: number } => model.mce !== null);
  if (known.length === 0) return lost;
  const best = known.reduce((a, b) => (b.mce < a.mce ? b : a));
  const change = Math.abs(1 - best.mce);
  const isSure = best.mceInterval !== null && (best.mceInterval.high < 1 || best.mceInterval.low > 1);
  const certainty = say(isSure ? "robustness.certain" : "robustness.uncertain");
  const key = best.mce < 1 ? "robustness.fewer" : "robustness.more";
  return html`${lost} ${say(key, seriesName(best.name, say), percent(change), certainty)}`;
}

function summaryTable(models: readonly ModelRobustness[], say: Say): Html {
  return html`
  <div class="scroll" tabindex="0" role="region" aria-label="${say("robustness.each")}">
  <table class="numbers"><caption><span>${say("robustness.caption", seriesName(models[0].name, say))}</span></caption>
    <thead><tr><th scope="col">${say("model")}</th><th scope="col">${say("robustness.clean")}</th><th scope="col">${say("robustness.corrupted")}</th><th scope="col">mCE</th><th scope="col">${say("interval")}</th><th scope="col">${say("robustness.relative")}</th></tr></thead>
    <tbody>${models.map(
      ({ name, cleanAccuracy, meanAccuracy, mce, mceInterval, relativeMce }) =>
        html`<tr><th scope="row">${seriesName(name, say)}</th><td>${percent(cleanAccuracy)}</td><td>${percent(meanAccuracy)}</td><td>${fixed(mce, 3)}</td><td>${mceInterval ? say("to", fixed(mceInterval.low, 3), fixed(mceInterval.high, 3)) : "–"}</td><td>${fixed(relativeMce, 3)}</td></tr>`,
    )}</tbody>
  </table></div>`;
}

function familyTable({ models, severities }: RobustnessResult, say: Say): Html {
  return html`
  <table class="numbers dense"><caption><span>${say("robustness.numbersCaption", seriesName(models[0].name, say))}</span></caption>
    <thead><tr><th scope="col">${say("robustness.corruption")}</th><th scope="col">${say("model")}</th>${severities.map((severity) => html`<th scope="col">${severity}</th>`)}<th scope="col">CE</th></tr></thead>
    <tbody>${models[0].families.map(({ name, group }, family) =>
      models.map(
        (model, place) =>
          html`<tr><th scope="row">${place === 0 ? html`${name} <span class="quiet">${group}</span>` : ""}</th><th scope="row">${seriesName(model.name, say)}</th>${model.families[family].accuracies.map((accuracy) => html`<td>${fixed(100 * accuracy, 1)}</td>`)}<td>${fixed(model.families[family].corruptionError, 3)}</td></tr>`,
      ),
    )}</tbody>
  </table>`;
}
