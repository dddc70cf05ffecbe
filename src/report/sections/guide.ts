import { type Html, html } from "../html.ts";

/** What the two kinds of picture say, and what they do not, in plain words. */
export function guideSection(): Html {
  return html`
<section id="guide" aria-labelledby="guide-title">
  <h2 id="guide-title">How to read the pictures</h2>
  <div class="guide">
  <div>
    <h3>GradCAM</h3>
    <p>It asks: in which regions did the network's last layer of features speak for this class? Bright places carry
    evidence for it; places without colour carry none, or evidence against it, which is cut off.</p>
    <p>The map has only as many cells as that layer, often 7 by 7, and is smoothed up to the picture. Its border is
    therefore not the border of the object. Each map is scaled to its own peak: brightness compares places within a
    picture, never one picture with another. “No positive evidence” means that nothing spoke for the class.</p>
  </div>
  <div>
    <h3>Integrated Gradients</h3>
    <p>It walks from an empty picture, the baseline, to the photograph and adds up how each pixel moves the score on
    the way. Orange pixels pushed the score up, blue ones pushed it down. The contributions should add up to the whole
    change of the score; by how much they miss it is the completeness gap, and a small gap means the sum was done
    finely enough, not that the explanation is good.</p>
    <p>The picture depends on the baseline: what looks like the baseline gets little credit, however important it is.
    The strongest hundredth of the pixels is shown as equally strong.</p>
  </div>
  <div>
    <h3>What neither shows</h3>
    <p>Both describe this network on this picture. They say where the score came from, not whether the reason is a good
    one, nor what the network would have answered had that part looked different. A map on the flower does not prove that
    the flower's shape was understood, and a wrong answer often comes with a map that looks reasonable.</p>
  </div>
  </div>
</section>`;
}
