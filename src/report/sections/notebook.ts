import type { NotebookRow } from "../answers.ts";
import { fixed, percent, small } from "../format.ts";
import { type Html, html } from "../html.ts";
import type { Say } from "../language.ts";

/** What each choice of the original notebook costs, beside the right one. */
export function notebookSection(rows: readonly NotebookRow[], say: Say): Html {
  const preprocessing = rows.find(({ choice }) => choice === "preprocessing")?.measured;
  return html`
<section id="notebook" aria-labelledby="notebook-title">
  <h2 id="notebook-title">${say("notebook.title")}</h2>
  <p>${say("notebook.what")} ${preprocessing && html`<strong>${say("notebook.fall", percent(preprocessing.correct), percent(preprocessing.notebook))}</strong>`}</p>
  <div class="scroll" tabindex="0" role="region" aria-label="${say("notebook.title")}">
  <table class="numbers choices">
    <thead><tr>${(["choice", "measure", "correct", "notebook", "cost"] as const).map((key) => html`<th scope="col">${say(`notebook.${key}`)}</th>`)}<th scope="col">${say("images")}</th></tr></thead>
    <tbody>${rows.map((row) => choiceRow(row, say))}</tbody>
  </table></div>
</section>`;
}

function choiceRow({ choice, measured }: NotebookRow, say: Say): Html {
  const words = html`<th scope="row">${say(`choice.${choice}`)}</th>`;
  if (!measured) return html`<tr>${words}<th scope="row" colspan="5" class="quiet">${say("notebook.cannot")}</th></tr>`;
  const { correct, notebook, unit, count } = measured;
  const show = (value: number): string => (unit === "share" ? percent(value) : small(value));
  const difference = notebook - correct;
  const sign = difference < 0 ? "−" : "+";
  const size = unit === "share" ? fixed(100 * Math.abs(difference), 1) : small(Math.abs(difference));
  return html`<tr>${words}<th scope="row" class="quiet">${say(`measure.${choice}`)}</th><td>${show(correct)}</td><td>${show(notebook)}</td><td>${sign}${size}</td><td>${count}</td></tr>`;
}
