import { count } from "../format.ts";
import { type Html, html } from "../html.ts";
import { picture, shrink } from "../images.ts";
import { sum } from "../statistics.ts";
import type { EncodePng, ReportData } from "../types.ts";

const thumbnailWidth = 96;

/** Examples, counts per class and split, and the files that could not be used. */
export function dataSection({ data }: ReportData, encodePng: EncodePng): Html {
  const { train, validation, test } = data.counts;
  const total = sum([...train, ...validation, ...test]);
  return html`
<section id="data" aria-labelledby="data-title">
  <h2 id="data-title">The data</h2>
  <p>${data.name}: ${count(total)} images in ${data.classNames.length} classes. ${
    sum(validation) > 0
      ? "The network learns from the training split, the epoch to keep is chosen on the validation split, and the test split is used once, for the figures of this page."
      : "The network learns from the training split; there is no validation split. The figures of this page are those of the test split."
  }</p>
  ${
    data.samples.length > 0 &&
    html`<ul class="thumbnails">${data.samples.map(
      ({ image, label }) =>
        html`<li><figure>${picture(shrink(image, thumbnailWidth), encodePng, { alt: `Example of the class ${label}`, target: thumbnailWidth })}<figcaption>${label}</figcaption></figure></li>`,
    )}</ul>`
  }
  <div class="counts-and-files">
  <div class="scroll" tabindex="0" role="region" aria-label="Images per class and split">
  <table class="numbers${data.classNames.length > 12 && " dense"}">
    <caption>Images per class and split</caption>
    <thead><tr><th scope="col">class</th><th scope="col">training</th><th scope="col">validation</th><th scope="col">test</th><th scope="col">all</th></tr></thead>
    <tbody>${data.classNames.map((name, i) => countsRow(name, [train[i], validation[i], test[i]]))}</tbody>
    <tfoot>${countsRow("all classes", [sum(train), sum(validation), sum(test)])}</tfoot>
  </table></div>
  <div>${brokenImages(data.broken)}</div>
  </div>
</section>`;
}

function countsRow(name: string, counts: number[]): Html {
  return html`<tr><th scope="row">${name}</th>${[...counts, sum(counts)].map((n) => html`<td>${count(n)}</td>`)}</tr>`;
}

function brokenImages(broken: ReportData["data"]["broken"]): Html {
  if (broken.length === 0) return html`<p class="quiet">Every file could be read.</p>`;
  const files = broken.length === 1 ? "One file was" : `${broken.length} files were`;
  return html`
  <h3>Skipped files</h3>
  <p>${files} left out because ${broken.length === 1 ? "it" : "they"} could not be read as an image.</p>
  <ul class="files">${broken.map(({ name, reason }) => html`<li><code>${name}</code> ${reason}</li>`)}</ul>`;
}
