import { type Html, html } from "../html.ts";
import type { Say } from "../language.ts";

/** What the pictures mean and what they do not. */
export function guideSection(say: Say): Html {
  return html`
<section id="guide" aria-labelledby="guide-title">
  <h2 id="guide-title">${say("guide.title")}</h2>
  <div class="guide">
  <div>
    <h3>${say("map")}</h3>
    <p>${say("guide.cam1")}</p>
    <p>${say("guide.cam2")}</p>
  </div>
  <div>
    <h3>${say("explanations.ig")}</h3>
    <p>${say("guide.ig1")}</p>
    <p>${say("guide.ig2")}</p>
  </div>
  <div>
    <h3>${say("guide.neither")}</h3>
    <p>${say("guide.neither1")}</p>
  </div>
  </div>
</section>`;
}
