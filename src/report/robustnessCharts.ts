import * as Plot from "@observablehq/plot";
import { svg } from "./charts.ts";
import { percent } from "./format.ts";
import type { Html } from "./html.ts";
import { english, type Say } from "./language.ts";
import type { RobustnessResult } from "./robustness.ts";
import { seriesColour, seriesDash } from "./series.ts";
import { meanOf } from "./statistics.ts";

const columnsOfPanels = 5;

interface CurvePoint {
  readonly model: number;
  readonly panel: number;
  readonly severity: number;
  readonly accuracy: number;
}

function curvePoints({ models, severities }: RobustnessResult): CurvePoint[] {
  return models.flatMap(({ cleanAccuracy, families }, model) =>
    families.flatMap(({ accuracies }, panel) => [
      { model, panel, severity: 0, accuracy: cleanAccuracy },
      ...accuracies.map((accuracy, index) => ({ model, panel, severity: severities[index], accuracy })),
    ]),
  );
}

/** Lines and dots of each model. */
const curves = (points: readonly CurvePoint[], models: number, facets: object = {}) =>
  Array.from({ length: models }, (_, model) => {
    const own = points.filter((point) => point.model === model);
    const stroke = seriesColour(model);
    return [
      Plot.line(own, {
        x: "severity",
        y: "accuracy",
        z: "panel",
        stroke,
        strokeWidth: 2,
        strokeDasharray: seriesDash(model),
        ...facets,
      }),
      Plot.dot(own, { x: "severity", y: "accuracy", fill: stroke, r: 2.4, ...facets }),
    ];
  }).flat();

const severityAxis = { domain: [0, 5], ticks: [0, 1, 2, 3, 4, 5], tickFormat: "d", label: null, tickSize: 0 } as const;
const accuracyAxis = {
  domain: [0, 1],
  label: null,
  ticks: [0, 0.5, 1],
  tickSize: 0,
  tickFormat: (value: number) => percent(value, 0),
};

/** Accuracy by severity, a panel for each family, a curve for each model; severity 0 is the clean image. */
export function familyCurves(result: RobustnessResult, say: Say = english): Html {
  const names = result.models[0].families.map(({ name }) => name);
  const columns = Math.min(columnsOfPanels, names.length);
  const rows = Math.ceil(names.length / columns);
  const facets = {
    fx: (point: { panel: number }) => point.panel % columns,
    fy: (point: { panel: number }) => Math.floor(point.panel / columns),
  };
  const points = curvePoints(result);
  return svg({
    width: 60 + 186 * columns,
    height: 40 + 142 * rows,
    marginLeft: 44,
    marginRight: 10,
    marginTop: 26,
    marginBottom: 28,
    ariaLabel: say("chart.familyCurves").text,
    fx: { axis: null, padding: 0.12 },
    fy: { axis: null, padding: 0.28 },
    x: severityAxis,
    y: accuracyAxis,
    marks: [
      Plot.gridY({ stroke: "var(--rule)", strokeOpacity: 1 }),
      Plot.text(
        names.map((name, panel) => ({ name, panel })),
        {
          ...facets,
          text: "name",
          frameAnchor: "top-left",
          dy: -18,
          fill: "var(--ink)",
          fontWeight: 600,
          textAnchor: "start",
        },
      ),
      ...curves(points, result.models.length, facets),
    ],
  });
}

/** The same averaged over the families. */
export function meanCurves(result: RobustnessResult, say: Say = english): Html {
  const points = result.models.flatMap(({ cleanAccuracy, families }, model) => [
    { model, panel: 0, severity: 0, accuracy: cleanAccuracy },
    ...result.severities.map((severity, index) => ({
      model,
      panel: 0,
      severity,
      accuracy: meanOf(families.map(({ accuracies }) => accuracies[index])) as number,
    })),
  ]);
  return svg({
    width: 440,
    height: 260,
    marginLeft: 48,
    marginRight: 18,
    marginTop: 16,
    marginBottom: 38,
    ariaLabel: say("chart.meanCurves").text,
    x: { ...severityAxis, label: say("chart.severity").text, labelArrow: "none" },
    y: { ...accuracyAxis, ticks: 5 },
    marks: [Plot.gridY({ stroke: "var(--rule)", strokeOpacity: 1 }), ...curves(points, result.models.length)],
  });
}

/** The corruption error of each family relative to the baseline: left of the line is more robust. */
export function corruptionErrorChart({ models }: RobustnessResult, say: Say = english): Html {
  const names = models[0].families.map(({ name }) => name);
  const rows = models
    .slice(1)
    .flatMap(({ families }, place) =>
      families.flatMap(({ name, corruptionError }) =>
        corruptionError === null ? [] : [{ name, model: place + 1, ratio: corruptionError }],
      ),
    );
  const furthest = Math.max(1.25, ...rows.map(({ ratio }) => ratio));
  return svg({
    width: 440,
    height: 54 + names.length * 21,
    marginLeft: 106,
    marginRight: 18,
    marginTop: 10,
    marginBottom: 38,
    ariaLabel: say("chart.corruptionError").text,
    x: {
      domain: [0, furthest * 1.04],
      label: say("chart.relative").text,
      labelArrow: "none",
      ticks: 5,
      tickSize: 0,
    },
    y: { domain: names, label: null, tickSize: 0 },
    marks: [
      Plot.gridX({ stroke: "var(--rule)", strokeOpacity: 1 }),
      Plot.ruleX([1], { stroke: seriesColour(0), strokeWidth: 2 }),
      Plot.ruleY(rows, { x1: 1, x2: "ratio", y: "name", stroke: "var(--rule-strong)" }),
      ...models.slice(1).map((_, place) =>
        Plot.dot(
          rows.filter(({ model }) => model === place + 1),
          { x: "ratio", y: "name", fill: seriesColour(place + 1), r: 4.5 },
        ),
      ),
    ],
  });
}
