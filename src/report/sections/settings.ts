import { duration, label } from "../format.ts";
import { type Html, html } from "../html.ts";
import { type Say, textKey } from "../language.ts";
import type { ReportData, SettingValue } from "../types.ts";

/** Values that are read character by character. */
const exact = /^[0-9a-f]{16,}$/i;

/** What has to be repeated to repeat the run, and apart from it the times, which need not. */
export function settingsSection({ settings, timings }: ReportData, say: Say): Html {
  const { command, ...others } = settings;
  const entries = Object.entries(others).filter((entry): entry is [string, SettingValue] => entry[1] !== undefined);
  const times = Object.entries(timings);
  return html`
<section id="settings" aria-labelledby="settings-title">
  <h2 id="settings-title">${say("settings.title")}</h2>
  <p>${say("settings.what")}</p>
  <pre class="command" tabindex="0"><code>${command}</code></pre>
  <dl class="settings">${entries.map(([key, value]) => html`<div><dt>${name(key, say)}</dt><dd>${settingValue(value, say)}</dd></div>`)}</dl>
  ${
    times.length > 0 &&
    html`
  <h3>${say("settings.times")}</h3>
  <p class="quiet">${say("settings.timesWhat")}</p>
  <table class="numbers times"><caption>${say("settings.byStage")}</caption>
    <thead><tr><th scope="col">${say("settings.stage")}</th><th scope="col">${say("settings.time")}</th></tr></thead>
    <tbody>${times.map(([stage, seconds]) => html`<tr><th scope="row">${name(stage, say)}</th><td>${duration(seconds)}</td></tr>`)}</tbody>
  </table>`
  }
</section>`;
}

/** A setting's name in the page's language, where the table has one. */
function name(key: string, say: Say): Html | string {
  const known = textKey(`setting.${key}`);
  return known ? say(known) : label(key);
}

function settingValue(value: SettingValue, say: Say): Html {
  if (value === null) return say("none");
  if (typeof value === "boolean") return say(value ? "yes" : "no");
  if (typeof value === "object") {
    return html`${Object.entries(value).map(([key, v], i) => html`${i > 0 && ", "}<span class="item">${key} ${v}</span>`)}`;
  }
  return exact.test(String(value)) ? html`<code>${value}</code>` : html`${value}`;
}
