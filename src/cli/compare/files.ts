/** What a comparison leaves on disk: figures, page and charts. */
import { join } from "node:path";
import { writeAtomically } from "../../nn/formats/atomicFile.node.ts";
import type { ComparisonResult } from "../../report/comparison.ts";
import { accuracyChart, policyCurves } from "../../report/comparisonCharts.ts";
import { pageHeader, renderPage } from "../../report/page.ts";
import { familyCurves } from "../../report/robustnessCharts.ts";
import { comparisonSection } from "../../report/sections/comparison.ts";
import { robustnessSection } from "../../report/sections/robustness.ts";
import { standaloneSvg } from "../../report/series.ts";

/** Writes compare.html and the charts; the paths by name. */
export async function writeComparison(folder: string, result: ComparisonResult): Promise<Record<string, string>> {
  const { robustness } = result;
  const names = result.policies.map(({ name }) => name).join(", ");
  const files: Record<string, string> = {
    "compare.html": renderPage({
      title: "Augmentation compared",
      header: pageHeader(
        "Augmentation compared",
        `${names}: one budget, ${result.seeds.length} seeds, ${result.settings.data}`,
      ),
      body: [comparisonSection(result), ...(robustness ? [robustnessSection(robustness)] : [])],
      figures: { id: "tepal-comparison", value: result },
    }),
    "accuracy.svg": standaloneSvg(accuracyChart(result)),
    "learning-curves.svg": standaloneSvg(policyCurves(result)),
    ...(robustness ? { "family-curves.svg": standaloneSvg(familyCurves(robustness)) } : {}),
  };
  const paths: Record<string, string> = {};
  for (const [name, content] of Object.entries(files)) {
    paths[name] = join(folder, name);
    await writeAtomically(paths[name], content);
  }
  return paths;
}
