import { checkReportData } from "./check.ts";
import { figuresId, reportFigures } from "./figures.ts";
import { html, markup } from "./html.ts";
import { renderPage } from "./page.ts";
import { dataSection } from "./sections/data.ts";
import { evaluationSection } from "./sections/evaluation.ts";
import { explanationsSection } from "./sections/explanations.ts";
import { guideSection } from "./sections/guide.ts";
import { headlineSection } from "./sections/headline.ts";
import { historySection } from "./sections/history.ts";
import { mistakesSection } from "./sections/mistakes.ts";
import { settingsSection } from "./sections/settings.ts";
import type { EncodePng, ReportData } from "./types.ts";

const contents = [
  ["data", "Data"],
  ["history", "Training"],
  ["evaluation", "Evaluation"],
  ["explanations", "Explanations"],
  ["guide", "Reading guide"],
  ["mistakes", "Mistakes"],
  ["settings", "Repeat"],
] as const;

/**
 * One self-contained HTML page: no request, no script, light and dark, for a screen, a phone and paper. The figures
 * stand once more as JSON in `<script type="application/json" id="tepal-report">`. The same data give the same bytes.
 * Throws ShapeError or DataError where the data contradict themselves.
 */
export function renderReport(report: ReportData, encodePng: EncodePng): string {
  checkReportData(report);
  const sections = [
    dataSection(report, encodePng),
    historySection(report),
    evaluationSection(report),
    explanationsSection(report, encodePng),
    guideSection(),
    mistakesSection(report, encodePng),
    settingsSection(report),
  ];
  const navigation = html`<nav aria-label="Contents"><ul>${contents.map(([id, name]) => html`<li><a href="#${id}">${name}</a></li>`)}</ul></nav>`;
  return renderPage({
    title: report.title,
    header: headlineSection(report),
    body: [navigation, markup("\n"), ...sections],
    figures: { id: figuresId, value: reportFigures(report) },
  });
}
