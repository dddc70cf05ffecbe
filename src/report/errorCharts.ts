import * as Plot from "@observablehq/plot";
import { svg } from "./charts.ts";
import type { CalibrationResult } from "./errors.ts";
import { percent } from "./format.ts";
import type { Html } from "./html.ts";
import type { Say } from "./language.ts";

/** The reliability diagram: accuracy of the answers by their confidence, beside the line of a model that knows how sure it may be. */
export function reliabilityDiagram({ bins, ece }: CalibrationResult, say: Say): Html {
  const rows = bins.flatMap(({ low, high, count, confidence, accuracy }) =>
    confidence === null || accuracy === null ? [] : [{ low, high, count, confidence, accuracy }],
  );
  const axis = { domain: [0, 1], ticks: 5, tickSize: 0, tickFormat: (value: number) => percent(value, 0) } as const;
  return svg({
    width: 440,
    height: 380,
    marginLeft: 48,
    marginRight: 18,
    marginTop: 16,
    marginBottom: 40,
    ariaLabel: say("chart.reliability", percent(ece)).text,
    x: { ...axis, label: say("chart.confidence").text, labelArrow: "none" },
    y: { ...axis, label: null },
    marks: [
      Plot.gridY({ stroke: "var(--rule)", strokeOpacity: 1 }),
      Plot.rect(rows, {
        x1: "low",
        x2: "high",
        y1: 0,
        y2: "accuracy",
        fill: "var(--train)",
        fillOpacity: 0.75,
        inset: 1,
      }),
      // What is missing to the confidence, or too much.
      Plot.rect(rows, {
        x1: "low",
        x2: "high",
        y1: "accuracy",
        y2: "confidence",
        fill: "var(--validation)",
        fillOpacity: 0.25,
        stroke: "var(--validation)",
        inset: 1,
      }),
      Plot.line([0, 1], {
        x: (value: number) => value,
        y: (value: number) => value,
        stroke: "var(--ink)",
        strokeDasharray: "4 3",
      }),
    ],
  });
}

/** How many answers have each confidence. */
export function confidenceHistogram({ bins, count }: CalibrationResult, say: Say): Html {
  const rows = bins.map(({ low, high, count: images }) => ({ low, high, share: images / count }));
  return svg({
    width: 440,
    height: 130,
    marginLeft: 48,
    marginRight: 18,
    marginTop: 10,
    marginBottom: 38,
    ariaLabel: say("chart.confidences").text,
    x: {
      domain: [0, 1],
      ticks: 5,
      tickSize: 0,
      tickFormat: (value: number) => percent(value, 0),
      label: say("chart.confidence").text,
      labelArrow: "none",
    },
    y: { ticks: 2, tickSize: 0, tickFormat: (value: number) => percent(value, 0), label: null },
    marks: [
      Plot.rect(rows, {
        x1: "low",
        x2: "high",
        y1: 0,
        y2: "share",
        fill: "var(--ink-soft)",
        fillOpacity: 0.6,
        inset: 1,
      }),
      Plot.ruleY([0], { stroke: "var(--rule-strong)" }),
    ],
  });
}
