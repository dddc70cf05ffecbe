import { percent, small } from "../format.ts";
import { type Html, html } from "../html.ts";
import { colourBar, picture } from "../images.ts";
import type { Say } from "../language.ts";
import { maskSummary } from "../statistics.ts";
import type { EncodePng, ExplainedImage, ReportData } from "../types.ts";

const target = 160;

/** Test images with the map and Integrated Gradients for the predicted class. */
export function explanationsSection({ explanations, colormaps }: ReportData, encodePng: EncodePng, say: Say): Html {
  return html`
<section id="explanations" aria-labelledby="explanations-title">
  <h2 id="explanations-title">${say("explanations.title")}</h2>
  ${
    explanations.length === 0
      ? html`<p>${say("explanations.nothing")}</p>`
      : html`
  <p>${say("explanations.both")}</p>
  <p class="legend"><span class="legend-item">${say("map")} ${colourBar(colormaps?.heatmap ?? "ember", say("explanations.noEvidence").text, say("explanations.most").text)}</span>
    <span class="legend-item">${say("explanations.ig")} ${colourBar(colormaps?.attribution ?? "balance", say("explanations.against").text, say("explanations.for").text)}</span></p>
  ${maskParagraph(explanations, say)}
  <div class="cards">${explanations.map((explained) => card(explained, encodePng, say))}</div>`
  }
</section>`;
}

function card(explained: ExplainedImage, encodePng: EncodePng, say: Say): Html {
  const { name, image, predicted, actual, gradcam, coarse, integratedGradients: ig } = explained;
  const right = predicted === actual;
  return html`
  <article class="card">
    <h3><span class="verdict ${right ? "right" : "wrong"}"><span aria-hidden="true">${right ? "✓" : "✗"}</span> ${say(right ? "right" : "wrong")}</span>
      ${predicted} <span class="probability">${percent(explained.predictedProbability)}</span>${!right && html` <span class="truth">${say("mistakes.truth", actual)}</span>`}</h3>
    <p class="file">${name}</p>
    <div class="pictures${(gradcam.heatmap || coarse) && " four"}">
      <figure>${picture(image, encodePng, { alt: say("explanations.image", name, actual).text, target })}
        <figcaption><b>${say("explanations.original")}</b><br>${say("mistakes.truth", actual)}</figcaption></figure>
      ${
        gradcam.heatmap &&
        html`<figure>${picture(gradcam.heatmap, encodePng, { alt: say("explanations.heatAlt", predicted, name).text, target })}
        <figcaption><b>${say("map")}</b><br>${say("explanations.mapAlone")}</figcaption></figure>`
      }
      ${
        coarse &&
        html`<figure>${picture(coarse, encodePng, { alt: say("explanations.coarseAlt", predicted, name).text, target })}
        <figcaption><b>GradCAM</b><br>${say("explanations.coarse")}</figcaption></figure>`
      }
      <figure>${picture(gradcam.overlay, encodePng, { alt: say("explanations.overlayAlt", predicted, name).text, target })}
        <figcaption><b>${gradcam.heatmap ? say("explanations.overlay") : say("map")}</b><br>${gradcamCaption(gradcam, say)}</figcaption></figure>
      <figure>${picture(ig.image, encodePng, { alt: say("explanations.igAlt", predicted, name).text, target })}
        <figcaption><b>${say("explanations.ig")}</b><br>${say("explanations.gap", small(ig.completenessGap))}<br>${say("explanations.steps", ig.steps, ig.rule)}${ig.baseline && say("explanations.from", ig.baseline)}${
          isShare(ig.massInMask) && html`<br>${say("explanations.inside", percent(ig.massInMask, 0))}`
        }</figcaption></figure>
    </div>
  </article>`;
}

function gradcamCaption({ status, pointingHit, massInMask }: ExplainedImage["gradcam"], say: Say): Html {
  const lines: Html[] = [];
  if (status !== "ok")
    lines.push(
      html`<span class="status">${status === "no positive evidence" ? say("explanations.empty") : status}</span>`,
    );
  if (pointingHit !== undefined && status === "ok")
    lines.push(say(pointingHit ? "explanations.on" : "explanations.beside"));
  if (isShare(massInMask)) lines.push(say("explanations.inside", percent(massInMask, 0)));
  if (lines.length === 0) lines.push(say("explanations.forAnswer"));
  return html`${lines.map((line, i) => html`${i > 0 && html`<br>`}${line}`)}`;
}

/** The score against known masks, beside what a map without knowledge would reach. */
function maskParagraph(explanations: readonly ExplainedImage[], say: Say): Html | null {
  const summary = maskSummary(explanations);
  if (!summary) return null;
  const { hits, pointingCount, meanMass, meanArea } = summary;
  const parts = [
    pointingCount > 0 && say("explanations.peaks", hits, pointingCount),
    meanMass !== null && say("explanations.mass", percent(meanMass, 0)),
  ].filter((part): part is Html => part !== false);
  return html`<p>${say("explanations.scored", html`${parts.map((part, i) => html`${i > 0 && say("explanations.and")}${part}`)}`)}
  ${meanArea !== null && say("explanations.area", percent(meanArea, 0))}</p>`;
}

function isShare(value: number | undefined): value is number {
  return value !== undefined && Number.isFinite(value);
}
