import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { percent, shorten } from "./format.ts";
import { type Html, markup } from "./html.ts";
import type { Say } from "./language.ts";
import { wilsonInterval } from "./statistics.ts";
import type { EpochRecord, Evaluation } from "./types.ts";

const trainColour = "var(--train)";
const validationColour = "var(--validation)";
const quiet = "var(--rule-strong)";

/** A curve of the history with training and validation, the kept epoch marked. */
export function historyChart(
  history: readonly EpochRecord[],
  bestEpoch: number | undefined,
  measure: "loss" | "accuracy",
  say: Say,
): Html {
  const rows = history.flatMap(({ epoch, loss, accuracy, valLoss, valAccuracy }) => [
    { epoch, split: "training", value: measure === "loss" ? loss : accuracy },
    { epoch, split: "validation", value: measure === "loss" ? valLoss : valAccuracy },
  ]);
  const known = rows.filter((row): row is typeof row & { value: number } => Number.isFinite(row.value));
  const best = known.filter((row) => row.epoch === bestEpoch && row.split === "validation");
  const last = history[history.length - 1].epoch;
  const first = history[0].epoch;
  const lines = (split: string, stroke: string, dash?: string) => [
    Plot.line(
      known.filter((row) => row.split === split),
      { x: "epoch", y: "value", stroke, strokeWidth: 2, strokeDasharray: dash, curve: "linear" },
    ),
    Plot.dot(
      known.filter((row) => row.split === split),
      { x: "epoch", y: "value", fill: stroke, r: history.length > 30 ? 0 : 2.4 },
    ),
  ];
  return svg({
    width: 440,
    height: 260,
    marginLeft: 48,
    marginRight: 18,
    marginTop: 26,
    marginBottom: 38,
    ariaLabel: say("chart.history", say(`chart.${measure}`)).text,
    x: {
      label: say("chart.epoch").text,
      labelArrow: "none",
      domain: epochDomain(first, last),
      ticks: epochTicks(first, last),
      tickFormat: "d",
    },
    y: valueAxis(
      measure,
      known.map((row) => row.value),
    ),
    marks: [
      Plot.gridY({ stroke: "var(--rule)", strokeOpacity: 1 }),
      Plot.ruleX(best, { x: "epoch", stroke: quiet, strokeDasharray: "2 3" }),
      ...lines("training", trainColour, "5 3"),
      ...lines("validation", validationColour),
      Plot.dot(best, { x: "epoch", y: "value", r: 6, stroke: validationColour, strokeWidth: 2 }),
      Plot.text(best, {
        x: "epoch",
        frameAnchor: "top",
        dy: -16,
        text: (row: { epoch: number }) => say("chart.kept", row.epoch).text,
        fill: "var(--ink)",
        textAnchor: anchorWithin(first, last, bestEpoch ?? last),
      }),
    ],
  });
}

/** Recall per class as bars with their 95 % intervals, precision as a mark. */
export function perClassChart({ perClass, confusion }: Evaluation, say: Say): Html {
  const rows = perClass.map(({ name, precision, recall, support }, i) => {
    const [low, high] = support > 0 ? wilsonInterval(confusion[i][i], support) : [0, 0];
    return { key: String(i), name: shorten(name, 20), recall: recall ?? 0, precision, low, high };
  });
  const longest = Math.max(...rows.map((row) => [...row.name].length));
  return svg({
    width: 460,
    height: 62 + rows.length * 22,
    marginLeft: Math.min(160, 18 + longest * 7),
    marginRight: 24,
    marginTop: 8,
    marginBottom: 40,
    ariaLabel: say("chart.perClass").text,
    x: {
      domain: [0, 1],
      label: say("chart.share").text,
      labelArrow: "none",
      tickFormat: (v: number) => percent(v, 0),
      ticks: 5,
    },
    // Classes are told apart by index, so that two of the same shortened name keep their own bars.
    y: {
      domain: rows.map((row) => row.key),
      label: null,
      tickSize: 0,
      tickFormat: (key: string) => rows[Number(key)].name,
      padding: 0.38,
    },
    marks: [
      Plot.gridX({ stroke: "var(--rule)", strokeOpacity: 1 }),
      Plot.barX(rows, { x: "recall", y: "key", fill: trainColour, fillOpacity: 0.8, rx: 2 }),
      Plot.ruleY(rows, { x1: "low", x2: "high", y: "key", stroke: "var(--ink)", strokeWidth: 1.4 }),
      Plot.dot(
        rows.filter((row) => row.precision !== null && Number.isFinite(row.precision)),
        {
          x: "precision",
          y: "key",
          symbol: "diamond2",
          r: 4.5,
          fill: validationColour,
          stroke: "var(--page)",
          strokeWidth: 1.2,
        },
      ),
      Plot.ruleX([0], { stroke: quiet }),
    ],
  });
}

/** The test accuracy on the line from 0 to 1, with its interval and the accuracy of guessing. */
export function accuracyGauge(
  accuracy: number,
  [low, high]: readonly [number, number],
  chance: number,
  say: Say,
): Html {
  const crowded = Math.abs(accuracy - chance) < 0.2;
  return svg({
    width: 440,
    height: 78,
    marginLeft: 12,
    marginRight: 16,
    marginTop: 26,
    marginBottom: 26,
    ariaLabel: say("chart.gauge", percent(accuracy), percent(low), percent(high), percent(chance)).text,
    x: { domain: [0, 1], label: null, ticks: 5, tickSize: 0, tickFormat: (v: number) => percent(v, 0) },
    y: { domain: [0, 1], axis: null },
    marks: [
      Plot.ruleY([0.5], { stroke: "var(--rule)", strokeWidth: 8, strokeLinecap: "round" }),
      Plot.ruleY([0.5], {
        x1: low,
        x2: high,
        stroke: validationColour,
        strokeWidth: 8,
        strokeOpacity: 0.45,
        strokeLinecap: "round",
      }),
      Plot.ruleX([chance], { stroke: "var(--ink-soft)", strokeWidth: 1.5 }),
      Plot.text([chance], {
        x: (v: number) => v,
        frameAnchor: "top",
        dy: -16,
        text: () => say("chart.guessing").text,
        fill: "var(--ink-soft)",
        textAnchor: chance < 0.08 ? "start" : "middle",
      }),
      Plot.dot([accuracy], {
        x: (v: number) => v,
        y: 0.5,
        r: 7,
        fill: validationColour,
        stroke: "var(--page)",
        strokeWidth: 2,
      }),
      Plot.text(crowded ? [] : [accuracy], {
        x: (v: number) => v,
        frameAnchor: "top",
        dy: -16,
        text: () => say("chart.model").text,
        fill: "var(--ink)",
        textAnchor: accuracy > 0.9 ? "end" : "middle",
      }),
    ],
  });
}

/** Draws a plot into its own document and gives the SVG as markup that scales with the page. */
export function svg({ ariaLabel, ...options }: Plot.PlotOptions): Html {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const drawing = Plot.plot({
    ...options,
    document,
    style: { fontSize: "12px", fontFamily: "inherit" },
  } as Plot.PlotOptions);
  // Plot's own style sheet has one class name for all charts and a white background: the page's style replaces it.
  drawing.querySelector("style")?.remove();
  drawing.setAttribute("class", "chart");
  drawing.setAttribute("role", "img");
  drawing.setAttribute("aria-label", String(ariaLabel));
  return markup(drawing.outerHTML);
}

function valueAxis(measure: "loss" | "accuracy", values: number[]): Plot.ScaleOptions {
  const highest = Math.max(...values);
  if (measure === "loss") return { domain: [0, highest > 0 ? highest * 1.06 : 1], label: null, ticks: 5, tickSize: 0 };
  const lowest = Math.min(...values);
  // Accuracy starts at a round tenth below the curves; an axis that always starts at 0 would hide the last epochs.
  const floor = Math.max(0, Math.floor(lowest * 10 - 0.2) / 10);
  return { domain: [floor, 1], label: null, ticks: 5, tickSize: 0, tickFormat: (v: number) => percent(v, 0) };
}

function epochDomain(first: number, last: number): [number, number] {
  return first === last ? [first - 1, last + 1] : [first, last];
}

function epochTicks(first: number, last: number): number[] {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((s) => (last - first) / s <= 10) ?? 1000;
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  return ticks.filter((epoch) => (step === 1 ? true : epoch % step === 0 || (step > 2 && epoch === first)));
}

/** Words over the first or the last epoch must not leave the chart. */
function anchorWithin(first: number, last: number, epoch: number): "start" | "middle" | "end" {
  if (first === last) return "middle";
  const place = (epoch - first) / (last - first);
  return place < 0.15 ? "start" : place > 0.85 ? "end" : "middle";
}
