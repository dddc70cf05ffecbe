/** What a measurement of robustness leaves on disk, and the picture of one image under every corruption. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Image } from "../../data/images.ts";
import { encodePng } from "../../data/png.node.ts";
import type { Device } from "../../engine/device.ts";
import { shrink } from "../../report/images.ts";
import { pageHeader, renderPage } from "../../report/page.ts";
import { type RobustnessResult, robustnessCsv } from "../../report/robustness.ts";
import { corruptionErrorChart, familyCurves, meanCurves } from "../../report/robustnessCharts.ts";
import { robustnessSection } from "../../report/sections/robustness.ts";
import { standaloneSvg } from "../../report/series.ts";
import { type Cell, drawSheet, type SheetRow } from "../drawing/sheet.ts";
import { toJson } from "../json.ts";
import { corruptImage } from "./guide.ts";

/** Pictures of a sheet are shown at about this width. */
const cellWidth = 96;

/** One image under every corruption at the measured severities, a row for each family. */
export async function corruptionSheet(
  device: Device,
  image: Image,
  corruptions: readonly string[],
  severities: readonly number[],
): Promise<Image> {
  const small = (picture: Image): Image => ({ ...shrink(picture, cellWidth) }) as Image;
  const rows: SheetRow[] = [];
  for (const name of corruptions) {
    const cells: Cell[] = [{ image: small(image), label: "clean" }];
    for (const severity of severities)
      cells.push({ image: small(await corruptImage(device, name, severity, image)), label: `severity ${severity}` });
    rows.push({ title: name, cells });
  }
  return drawSheet(rows);
}

/** Writes robustness.json, .csv and .html, the charts as SVG and the sheet as PNG; the paths by what they are. */
export function writeRobustness(folder: string, result: RobustnessResult, sheet: Image): Record<string, string> {
  const files: Record<string, string | Uint8Array> = {
    "robustness.json": `${toJson(result)}\n`,
    "robustness.csv": robustnessCsv(result),
    "robustness.html": renderPage({
      title: "Robustness",
      header: pageHeader(
        "Robustness",
        `${result.models.map(({ name }) => name).join(", ")}: accuracy on corrupted images`,
      ),
      body: [robustnessSection(result, { sheet, encodePng })],
      figures: { id: "tepal-robustness", value: result },
    }),
    "family-curves.svg": standaloneSvg(familyCurves(result)),
    "mean-curves.svg": standaloneSvg(meanCurves(result)),
    "corruption-errors.svg": standaloneSvg(corruptionErrorChart(result)),
    "corruptions.png": encodePng(sheet),
  };
  const paths: Record<string, string> = {};
  for (const [name, content] of Object.entries(files)) {
    paths[name] = join(folder, name);
    writeFileSync(paths[name], content);
  }
  return paths;
}
