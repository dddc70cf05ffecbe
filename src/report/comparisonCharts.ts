import * as Plot from "@observablehq/plot";
import { svg } from "./charts.ts";
import type { ComparisonResult } from "./comparison.ts";
import { percent } from "./format.ts";
import type { Html } from "./html.ts";
import { seriesColour, seriesDash } from "./series.ts";

const percentAxis = { label: null, ticks: 5, tickSize: 0, tickFormat: (value: number) => percent(value, 0) } as const;

export interface CurveLabels {
  /** What the chart shows, for those who do not see it. */
  readonly ariaLabel: string;
  /** Of the axis of epochs. */
  readonly epoch: string;
}

/**
 * Validation accuracy by epoch: the mean over seeds, and the band from the lowest to the highest.
 * @param series for each line its curves, one a seed
 */
export function learningCurves(
  series: readonly (readonly (readonly number[])[])[],
  { ariaLabel, epoch }: CurveLabels,
): Html {
  const rows = series.map((curves) =>
    (curves[0] ?? []).map((_, index) => {
      const values = curves.map((curve) => curve[index]).filter((value) => value !== undefined);
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      return { epoch: index + 1, mean, low: Math.min(...values), high: Math.max(...values) };
    }),
  );
  const all = rows.flat();
  const last = Math.max(...all.map(({ epoch }) => epoch));
  const floor = Math.max(0, Math.floor(Math.min(...all.map(({ low }) => low)) * 10) / 10);
  return svg({
    width: 560,
    height: 300,
    marginLeft: 48,
    marginRight: 18,
    marginTop: 16,
    marginBottom: 38,
    ariaLabel,
    x: {
      label: epoch,
      labelArrow: "none",
      domain: last > 1 ? [1, last] : [0, 2],
      ticks: Math.min(last, 10),
      tickFormat: "d",
    },
    y: { ...percentAxis, domain: [floor, 1] },
    marks: [
      Plot.gridY({ stroke: "var(--rule)", strokeOpacity: 1 }),
      ...rows.map((row, place) =>
        Plot.areaY(row, { x: "epoch", y1: "low", y2: "high", fill: seriesColour(place), fillOpacity: 0.13 }),
      ),
      ...rows.map((row, place) =>
        Plot.line(row, {
          x: "epoch",
          y: "mean",
          stroke: seriesColour(place),
          strokeWidth: 2,
          strokeDasharray: seriesDash(place),
        }),
      ),
    ],
  });
}

/** The learning curves of a comparison's policies. */
export const policyCurves = ({ policies }: ComparisonResult): Html =>
  learningCurves(
    policies.map(({ curves }) => curves),
    { ariaLabel: "validation accuracy by epoch, one curve a policy", epoch: "epoch" },
  );

/** Test accuracy of each policy: the mean with its interval, and each seed. */
export function accuracyChart({ policies }: ComparisonResult): Html {
  const rows = policies.map(({ name, accuracy, runs }, place) => ({ key: String(place), name, ...accuracy, runs }));
  const values = rows.flatMap(({ low, high, runs }) => [low, high, ...runs.map(({ testAccuracy }) => testAccuracy)]);
  const longest = Math.max(...policies.map(({ name }) => [...name].length));
  const step = 0.05;
  const domain = [
    Math.max(0, Math.floor(Math.min(...values) / step) * step),
    Math.min(1, Math.ceil(Math.max(...values) / step) * step),
  ];
  return svg({
    width: 560,
    height: 56 + 34 * rows.length,
    marginLeft: Math.min(170, 18 + longest * 7),
    marginRight: 24,
    marginTop: 8,
    marginBottom: 40,
    ariaLabel: "test accuracy of each policy with its 95 % interval, and of each seed",
    x: { ...percentAxis, domain },
    y: {
      domain: rows.map(({ key }) => key),
      label: null,
      tickSize: 0,
      tickFormat: (key: string) => rows[Number(key)].name,
    },
    marks: [
      Plot.gridX({ stroke: "var(--rule)", strokeOpacity: 1 }),
      Plot.ruleX([rows[0].mean], { stroke: seriesColour(0), strokeDasharray: "3 3" }),
      ...rows.flatMap((row, place) => [
        Plot.ruleY([row], { x1: "low", x2: "high", y: "key", stroke: seriesColour(place), strokeWidth: 3 }),
        Plot.dot([row], { x: "mean", y: "key", r: 6, fill: seriesColour(place), stroke: "var(--page)" }),
        Plot.dot(
          row.runs.map(({ testAccuracy }) => ({ key: row.key, testAccuracy })),
          { x: "testAccuracy", y: "key", dy: 10, r: 2.2, stroke: seriesColour(place) },
        ),
      ]),
    ],
  });
}
