import { count, percent } from "../format.ts";
import { type Html, html } from "../html.ts";
import { picture, shrink } from "../images.ts";
import type { Say } from "../language.ts";
import { sum } from "../statistics.ts";
import type { BackboneKnowledge, EncodePng, KnownClasses, ReportData } from "../types.ts";

const thumbnailWidth = 96;

/** Examples, counts per class and split, and the files that could not be used. */
export function dataSection({ data, backbone }: ReportData, encodePng: EncodePng, say: Say): Html {
  const { train, validation, test } = data.counts;
  const total = sum([...train, ...validation, ...test]);
  return html`
<section id="data" aria-labelledby="data-title">
  <h2 id="data-title">${say("data.title")}</h2>
  <p>${say("data.count", data.name, count(total), data.classNames.length)} ${
    sum(validation) > 0 ? say("data.splits") : say("data.noValidation")
  }</p>
  ${backbone && backboneParagraph(backbone, say)}
  ${
    data.samples.length > 0 &&
    html`<ul class="thumbnails">${data.samples.map(
      ({ image, label }) =>
        html`<li><figure>${picture(shrink(image, thumbnailWidth), encodePng, { alt: say("data.example", label).text, target: thumbnailWidth })}<figcaption>${label}</figcaption></figure></li>`,
    )}</ul>`
  }
  <div class="counts-and-files">
  <div class="scroll" tabindex="0" role="region" aria-label="${say("data.counts")}">
  <table class="numbers${data.classNames.length > 12 && " dense"}">
    <caption>${say("data.counts")}</caption>
    <thead><tr><th scope="col">${say("class")}</th><th scope="col">${say("data.training")}</th><th scope="col">${say("data.validation")}</th><th scope="col">${say("data.test")}</th><th scope="col">${say("data.all")}</th></tr></thead>
    <tbody>${data.classNames.map((name, i) => countsRow(name, [train[i], validation[i], test[i]]))}</tbody>
    <tfoot>${countsRow(say("data.allClasses"), [sum(train), sum(validation), sum(test)])}</tfoot>
  </table></div>
  <div>${brokenImages(data.broken, say)}</div>
  </div>
</section>`;
}

/** What the backbone had learnt before, and what the model makes of the classes that it had not. */
function backboneParagraph({ seen, unseen }: BackboneKnowledge, say: Say): Html {
  const share = ({ correct, count: total }: KnownClasses): Html =>
    say("data.share", correct, total, percent(correct / total));
  return html`<p>${say("data.backbone", seen.classNames.join(", "), unseen.classNames.join(", "), share(seen), share(unseen))}</p>`;
}

function countsRow(name: Html | string, counts: number[]): Html {
  return html`<tr><th scope="row">${name}</th>${[...counts, sum(counts)].map((n) => html`<td>${count(n)}</td>`)}</tr>`;
}

function brokenImages(broken: ReportData["data"]["broken"], say: Say): Html {
  if (broken.length === 0) return html`<p class="quiet">${say("data.readable")}</p>`;
  return html`
  <h3>${say("data.skipped")}</h3>
  <p>${broken.length === 1 ? say("data.oneSkipped") : say("data.manySkipped", broken.length)}</p>
  <ul class="files">${broken.map(({ name, reason }) => html`<li><code>${name}</code> ${reason}</li>`)}</ul>`;
}
