import { duration, label } from "../format.ts";
import { type Html, html } from "../html.ts";
import type { ReportData, SettingValue } from "../types.ts";

/** Values that are read character by character. */
const exact = /^[0-9a-f]{16,}$/i;

/** What has to be repeated to repeat the run, and apart from it the times, which need not. */
export function settingsSection({ settings, timings }: ReportData): Html {
  const { command, ...others } = settings;
  const entries = Object.entries(others).filter((entry): entry is [string, SettingValue] => entry[1] !== undefined);
  const times = Object.entries(timings);
  return html`
<section id="settings" aria-labelledby="settings-title">
  <h2 id="settings-title">Repeat this run</h2>
  <p>This command with these settings, on the same adapter, gives the same figures and pictures.</p>
  <pre class="command" tabindex="0"><code>${command}</code></pre>
  <dl class="settings">${entries.map(([key, value]) => html`<div><dt>${label(key)}</dt><dd>${settingValue(value)}</dd></div>`)}</dl>
  ${
    times.length > 0 &&
    html`
  <h3>Times</h3>
  <p class="quiet">Measured once in this run. They depend on the machine and its load and are no part of what repeats.</p>
  <table class="numbers times"><caption>Time by stage</caption>
    <thead><tr><th scope="col">stage</th><th scope="col">time</th></tr></thead>
    <tbody>${times.map(([stage, seconds]) => html`<tr><th scope="row">${label(stage)}</th><td>${duration(seconds)}</td></tr>`)}</tbody>
  </table>`
  }
</section>`;
}

function settingValue(value: SettingValue): Html {
  if (value === null) return html`none`;
  if (typeof value === "boolean") return html`${value ? "yes" : "no"}`;
  if (typeof value === "object") {
    return html`${Object.entries(value).map(([key, v], i) => html`${i > 0 && ", "}<span class="item">${key} ${v}</span>`)}`;
  }
  return exact.test(String(value)) ? html`<code>${value}</code>` : html`${value}`;
}
