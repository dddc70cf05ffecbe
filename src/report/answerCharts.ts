import * as Plot from "@observablehq/plot";
import type { AugmentationEffect } from "./answers.ts";
import { svg } from "./charts.ts";
import { percent } from "./format.ts";
import type { Html } from "./html.ts";
import type { Improvement } from "./improvements.ts";
import type { Say } from "./language.ts";
import type { RobustnessResult } from "./robustness.ts";
import { seriesColour } from "./series.ts";
import { meanOf, wilsonInterval } from "./statistics.ts";

/** Accuracy of both models on clean images, with intervals, and under each corruption. */
export function effectChart(effect: AugmentationEffect, { models }: RobustnessResult, say: Say): Html {
  const clean = say("chart.clean").text;
  const sides = [effect.baseline, effect.augmented].map(({ testAccuracy, correct }, model) => {
    const [low, high] = wilsonInterval(correct, effect.testCount);
    return { name: clean, model, accuracy: testAccuracy, low, high };
  });
  const corrupted = models
    .slice(0, 2)
    .flatMap(({ families }, model) =>
      families.map(({ name, accuracies }) => ({ name, model, accuracy: meanOf(accuracies) ?? 0 })),
    );
  const rows = [...sides, ...corrupted];
  const names = [...new Set(rows.map(({ name }) => name))];
  const ends = names.map((name) => {
    const [x1, x2] = rows.filter((row) => row.name === name).map(({ accuracy }) => accuracy);
    return { name, x1, x2: x2 ?? x1 };
  });
  return svg({
    width: 520,
    height: 60 + 26 * names.length,
    marginLeft: 116,
    marginRight: 22,
    marginTop: 8,
    marginBottom: 38,
    ariaLabel: say("chart.effect").text,
    x: {
      domain: [0, 1],
      ticks: 5,
      tickSize: 0,
      tickFormat: (value: number) => percent(value, 0),
      label: say("chart.accuracy").text,
      labelArrow: "none",
    },
    y: { domain: names, label: null, tickSize: 0 },
    marks: [
      Plot.gridX({ stroke: "var(--rule)", strokeOpacity: 1 }),
      Plot.ruleY(ends, { x1: "x1", x2: "x2", y: "name", stroke: "var(--rule-strong)", strokeWidth: 1.5 }),
      ...sides.map((side, model) =>
        Plot.ruleY([side], {
          x1: "low",
          x2: "high",
          y: "name",
          stroke: seriesColour(model),
          strokeWidth: 3,
          strokeOpacity: 0.4,
          dy: model === 0 ? -5 : 5,
        }),
      ),
      ...[0, 1].map((model) =>
        Plot.dot(
          rows.filter((row) => row.model === model),
          { x: "accuracy", y: "name", r: 5, fill: seriesColour(model), stroke: "var(--page)" },
        ),
      ),
    ],
  });
}

/** The percentage points that each proposal concerns. */
export function improvementChart(improvements: readonly Improvement[], say: Say): Html {
  const rows = improvements.map(({ kind, stake }) => ({ name: say(`kind.${kind}`).text, points: 100 * stake }));
  return svg({
    width: 520,
    height: 54 + 26 * rows.length,
    marginLeft: 128,
    marginRight: 44,
    marginTop: 8,
    marginBottom: 38,
    ariaLabel: say("chart.improvements").text,
    x: {
      domain: [0, Math.max(...rows.map(({ points }) => points))],
      ticks: 4,
      tickSize: 0,
      label: say("chart.points").text,
      labelArrow: "none",
    },
    y: { domain: rows.map(({ name }) => name), label: null, tickSize: 0, padding: 0.35 },
    marks: [
      Plot.gridX({ stroke: "var(--rule)", strokeOpacity: 1 }),
      Plot.barX(rows, { x: "points", y: "name", fill: "var(--train)", fillOpacity: 0.8, rx: 2 }),
      Plot.text(rows, {
        x: "points",
        y: "name",
        text: ({ points }: { points: number }) => points.toFixed(1),
        dx: 6,
        textAnchor: "start",
        fill: "var(--ink)",
      }),
    ],
  });
}
