import { count, percent } from "../format.ts";
import { type Html, html } from "../html.ts";
import { picture } from "../images.ts";
import type { Say } from "../language.ts";
import { confusionTotals } from "../statistics.ts";
import type { EncodePng, Mistake, ReportData } from "../types.ts";

const target = 128;

/** The wrong answers, surest first, with what spoke for the answer and what spoke for the truth. */
export function mistakesSection({ mistakes, evaluation }: ReportData, encodePng: EncodePng, say: Say): Html {
  const { correct, total } = confusionTotals(evaluation.confusion);
  const wrong = total - correct;
  const sorted = [...mistakes].sort((a, b) => b.probability - a.probability);
  return html`
<section id="mistakes" aria-labelledby="mistakes-title">
  <h2 id="mistakes-title">${say("mistakes.title")}</h2>
  ${
    wrong === 0
      ? html`<p>${say("mistakes.none", count(total))}</p>`
      : html`<p>${say("mistakes.count", count(wrong), count(total))}
    ${sorted.length > 0 && (sorted.length < wrong ? say("mistakes.some", sorted.length) : say("mistakes.all"))}</p>
  <div class="cards narrow">${sorted.map((mistake) => card(mistake, encodePng, say))}</div>`
  }
</section>`;
}

function card({ name, image, predicted, probability, actual, ...maps }: Mistake, encodePng: EncodePng, say: Say): Html {
  return html`
  <article class="card">
    <h3>${predicted} <span class="probability">${percent(probability)}</span> <span class="truth">${say("mistakes.truth", actual)}</span></h3>
    <p class="file">${name}</p>
    <div class="pictures">
      <figure>${picture(image, encodePng, { alt: say("explanations.image", name, actual).text, target })}<figcaption>${say("mistakes.original")}</figcaption></figure>
      <figure>${picture(maps.gradcamPredicted, encodePng, { alt: say("mistakes.answerAlt", predicted, name).text, target })}<figcaption>${say("mistakes.forAnswer")}<br><b>${predicted}</b></figcaption></figure>
      <figure>${picture(maps.gradcamActual, encodePng, { alt: say("mistakes.truthAlt", actual, name).text, target })}<figcaption>${say("mistakes.forTruth")}<br><b>${actual}</b></figcaption></figure>
    </div>
  </article>`;
}
