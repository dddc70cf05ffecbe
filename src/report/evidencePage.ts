import type { EvidencePictures, EvidenceReport } from "./evidenceTypes.ts";
import { html, markup, scriptJson } from "./html.ts";
import {
  driftSection,
  mapSheet,
  pointingSection,
  randomLabelSection,
  rankingSection,
  shortcutSection,
} from "./sections/evidence.ts";
import { style } from "./style.ts";
import type { EncodePng } from "./types.ts";

/** One self-contained page, like the report: no request, no script; the figures stand once more as JSON. The same data give the same bytes. */
export function renderEvidencePage(
  report: EvidenceReport,
  { ranked, shortcut }: EvidencePictures,
  encodePng: EncodePng,
): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Explanations and their evidence</title>
<style>${markup(style)}</style>
</head>
<body>
<main>
<h1>Explanations and their evidence</h1>
<p>${report.network} on ${report.data}, seed ${report.seed}, ${report.adapter}.</p>
${[
  rankingSection(report, mapSheet(ranked, encodePng)),
  pointingSection(report),
  randomLabelSection(report),
  shortcutSection(report, shortcut && mapSheet(shortcut, encodePng)),
  driftSection(report),
]}
</main>
<script type="application/json" id="tepal-evidence">
${scriptJson(report)}
</script>
</body>
</html>
`.text;
}
