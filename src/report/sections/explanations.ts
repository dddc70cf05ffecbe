import { percent, small } from "../format.ts";
import { type Html, html } from "../html.ts";
import { colourBar, picture } from "../images.ts";
import { maskSummary } from "../statistics.ts";
import type { EncodePng, ExplainedImage, ReportData } from "../types.ts";

const target = 160;

/** Test images with GradCAM and Integrated Gradients for the predicted class. */
export function explanationsSection({ explanations, colormaps }: ReportData, encodePng: EncodePng): Html {
  return html`
<section id="explanations" aria-labelledby="explanations-title">
  <h2 id="explanations-title">Why it answered so</h2>
  ${
    explanations.length === 0
      ? html`<p>No image was explained in this run.</p>`
      : html`
  <p>Both methods explain the answer that the network gave, right or wrong.</p>
  <p class="legend"><span class="legend-item">GradCAM ${colourBar(colormaps?.heatmap ?? "ember", "no evidence", "most")}</span>
    <span class="legend-item">Integrated Gradients ${colourBar(colormaps?.attribution ?? "balance", "against the answer", "for it")}</span></p>
  ${maskParagraph(explanations)}
  <div class="cards">${explanations.map((explained) => card(explained, encodePng))}</div>`
  }
</section>`;
}

function card(explained: ExplainedImage, encodePng: EncodePng): Html {
  const { name, image, predicted, actual, gradcam, integratedGradients: ig } = explained;
  const right = predicted === actual;
  const of = `for the answer ${predicted} on ${name}`;
  return html`
  <article class="card">
    <h3><span class="verdict ${right ? "right" : "wrong"}"><span aria-hidden="true">${right ? "✓" : "✗"}</span> ${right ? "right" : "wrong"}</span>
      ${predicted} <span class="probability">${percent(explained.predictedProbability)}</span>${!right && html` <span class="truth">true class ${actual}</span>`}</h3>
    <p class="file">${name}</p>
    <div class="pictures${gradcam.heatmap && " four"}">
      <figure>${picture(image, encodePng, { alt: `${name}, true class ${actual}`, target })}
        <figcaption><b>Original</b><br>true class ${actual}</figcaption></figure>
      ${
        gradcam.heatmap &&
        html`<figure>${picture(gradcam.heatmap, encodePng, { alt: `GradCAM heat map ${of}`, target })}
        <figcaption><b>GradCAM</b><br>the map alone</figcaption></figure>`
      }
      <figure>${picture(gradcam.overlay, encodePng, { alt: `GradCAM over the image ${of}`, target })}
        <figcaption><b>${gradcam.heatmap ? "Overlay" : "GradCAM"}</b><br>${gradcamCaption(gradcam)}</figcaption></figure>
      <figure>${picture(ig.image, encodePng, { alt: `Integrated Gradients ${of}`, target })}
        <figcaption><b>Integrated Gradients</b><br>completeness gap ${small(ig.completenessGap)}<br>${ig.steps} steps, ${ig.rule}${ig.baseline && html`, from ${ig.baseline}`}${
          isShare(ig.massInMask) && html`<br>inside the mask ${percent(ig.massInMask, 0)}`
        }</figcaption></figure>
    </div>
  </article>`;
}

function gradcamCaption({ status, pointingHit, massInMask }: ExplainedImage["gradcam"]): Html {
  const lines: Html[] = [];
  if (status !== "ok") lines.push(html`<span class="status">${status}</span>`);
  if (pointingHit !== undefined && status === "ok")
    lines.push(html`peak ${pointingHit ? "on the object" : "beside the object"}`);
  if (isShare(massInMask)) lines.push(html`inside the mask ${percent(massInMask, 0)}`);
  if (lines.length === 0) lines.push(html`for the answer`);
  return html`${lines.map((line, i) => html`${i > 0 && html`<br>`}${line}`)}`;
}

/** The score against known masks, beside what a map without knowledge would reach. */
function maskParagraph(explanations: readonly ExplainedImage[]): Html | null {
  const summary = maskSummary(explanations);
  if (!summary) return null;
  const { hits, pointingCount, meanMass, meanArea } = summary;
  const parts = [
    pointingCount > 0 &&
      html`the peak of GradCAM lies on the object in <strong>${hits} of ${pointingCount}</strong> images (the pointing game)`,
    meanMass !== null &&
      html`on average <strong>${percent(meanMass, 0)}</strong> of its relevance lies inside the mask`,
  ].filter((part): part is Html => part !== false);
  return html`<p>Here the outline of the object is known, so the maps can be scored: ${parts.map((part, i) => html`${i > 0 && ", and "}${part}`)}.
  ${meanArea !== null && html`The masks cover ${percent(meanArea, 0)} of the pictures, which is what a map without any knowledge would score.`}</p>`;
}

function isShare(value: number | undefined): value is number {
  return value !== undefined && Number.isFinite(value);
}
