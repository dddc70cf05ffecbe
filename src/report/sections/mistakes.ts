import { count, percent } from "../format.ts";
import { type Html, html } from "../html.ts";
import { picture } from "../images.ts";
import { confusionTotals } from "../statistics.ts";
import type { EncodePng, Mistake, ReportData } from "../types.ts";

const target = 128;

/** The wrong answers, surest first, with what spoke for the answer and what spoke for the truth. */
export function mistakesSection({ mistakes, evaluation }: ReportData, encodePng: EncodePng): Html {
  const { correct, total } = confusionTotals(evaluation.confusion);
  const wrong = total - correct;
  const sorted = [...mistakes].sort((a, b) => b.probability - a.probability);
  return html`
<section id="mistakes" aria-labelledby="mistakes-title">
  <h2 id="mistakes-title">The mistakes</h2>
  ${
    wrong === 0
      ? html`<p>None: all ${count(total)} test images were answered rightly.</p>`
      : html`<p>${count(wrong)} of ${count(total)} test images were answered wrongly.
    ${sorted.length > 0 && `${sorted.length < wrong ? `The ${sorted.length} surest of them` : "All of them"}, most confident first, with GradCAM for the answer given and for the true class.`}</p>
  <div class="cards narrow">${sorted.map((mistake) => card(mistake, encodePng))}</div>`
  }
</section>`;
}

function card({ name, image, predicted, probability, actual, ...maps }: Mistake, encodePng: EncodePng): Html {
  return html`
  <article class="card">
    <h3>${predicted} <span class="probability">${percent(probability)}</span> <span class="truth">true class ${actual}</span></h3>
    <p class="file">${name}</p>
    <div class="pictures">
      <figure>${picture(image, encodePng, { alt: `${name}, true class ${actual}`, target })}<figcaption>original</figcaption></figure>
      <figure>${picture(maps.gradcamPredicted, encodePng, { alt: `GradCAM for the wrong answer ${predicted} on ${name}`, target })}<figcaption>for the answer<br><b>${predicted}</b></figcaption></figure>
      <figure>${picture(maps.gradcamActual, encodePng, { alt: `GradCAM for the true class ${actual} on ${name}`, target })}<figcaption>for the truth<br><b>${actual}</b></figcaption></figure>
    </div>
  </article>`;
}
