import { checkReportData } from "./check.ts";
import { figuresId, reportFigures } from "./figures.ts";
import { type Html, html, markup } from "./html.ts";
import { type Say, speak } from "./language.ts";
import { renderPage } from "./page.ts";
import { answersSection } from "./sections/answers.ts";
import { calibrationSection } from "./sections/calibration.ts";
import { confusionsSection } from "./sections/confusions.ts";
import { dataSection } from "./sections/data.ts";
import { evaluationSection } from "./sections/evaluation.ts";
import { explanationsSection } from "./sections/explanations.ts";
import { guideSection } from "./sections/guide.ts";
import { headlineSection } from "./sections/headline.ts";
import { historySection } from "./sections/history.ts";
import { mistakesSection } from "./sections/mistakes.ts";
import { notebookSection } from "./sections/notebook.ts";
import { robustnessSection } from "./sections/robustness.ts";
import { scratchSection } from "./sections/scratch.ts";
import { settingsSection } from "./sections/settings.ts";
import type { EncodePng, ReportData } from "./types.ts";

/** The sections in their order, under the ids that the contents link to; null where a run has none. */
const sectionsOf = (report: ReportData, encodePng: EncodePng, say: Say) =>
  ({
    answers: answersSection(report, encodePng, say),
    scratch: report.scratch ? scratchSection(report.scratch, say) : null,
    notebook: report.notebook ? notebookSection(report.notebook, say) : null,
    data: dataSection(report, encodePng, say),
    history: historySection(report, say),
    evaluation: evaluationSection(report, say),
    confusions: confusionsSection(report.confusions, say),
    calibration: calibrationSection(report.calibration, say),
    robustness: robustnessSection(report.robustness, undefined, say),
    explanations: explanationsSection(report, encodePng, say),
    guide: guideSection(say),
    mistakes: mistakesSection(report, encodePng, say),
    settings: settingsSection(report, say),
  }) satisfies Record<string, Html | null>;

/**
 * One self-contained HTML page: no request, no script, light and dark, for a screen, a phone and paper, in the report's
 * language. The figures stand once more as JSON in `<script type="application/json" id="tepal-report">`. The same data give
 * the same bytes. Throws ShapeError or DataError where the data contradict themselves.
 */
export function renderReport(report: ReportData, encodePng: EncodePng): string {
  checkReportData(report);
  const language = report.language ?? "en";
  const say = speak(language, report);
  const all = sectionsOf(report, encodePng, say);
  const shown = (Object.keys(all) as (keyof typeof all)[]).filter((id) => all[id] !== null);
  const navigation = html`<nav aria-label="${say("contents.title")}"><ul>${shown.map((id) => html`<li><a href="#${id}">${say(`contents.${id}`)}</a></li>`)}</ul></nav>`;
  return renderPage({
    title: report.title,
    language,
    header: headlineSection(report, say),
    body: [navigation, markup("\n"), ...Object.values(all).filter((section) => section !== null)],
    figures: { id: figuresId, value: reportFigures(report) },
  });
}
