import * as Plot from "@observablehq/plot";
import type { DriftRow } from "../xai/evidence/drift.ts";
import type { RankedMethod } from "../xai/evidence/ranking.ts";
import { svg } from "./charts.ts";
import { percent } from "./format.ts";
import type { Html } from "./html.ts";

/** Mean rank against the passes through the network that one map costs. */
export function costChart(ranked: readonly RankedMethod[]): Html {
  const rows = ranked.map((row) => ({ ...row, passes: Math.max(1, row.forwards + row.gradients) }));
  const most = Math.max(10, ...rows.map(({ passes }) => passes));
  return svg({
    width: 640,
    height: 340,
    marginLeft: 48,
    marginRight: 110,
    marginTop: 18,
    marginBottom: 42,
    ariaLabel: "mean rank of each method against the passes that a map costs",
    x: {
      type: "log",
      domain: [0.8, most * 1.2],
      label: "passes through the network for one map",
      labelArrow: "none",
      ticks: 5,
      tickFormat: "~d",
    },
    y: { label: "mean rank", labelArrow: "none", reverse: true, ticks: 6, tickSize: 0 },
    marks: [
      Plot.gridY({ stroke: "var(--rule)", strokeOpacity: 1 }),
      Plot.dot(rows, {
        x: "passes",
        y: "meanRank",
        r: 5,
        stroke: "var(--train)",
        strokeWidth: 2,
        fill: (row: RankedMethod) => (row.sane ? "var(--train)" : "var(--page)"),
      }),
      Plot.text(spread(rows), {
        x: "passes",
        y: "meanRank",
        text: "method",
        dx: 10,
        dy: 0,
        textAnchor: "start",
        fill: "var(--ink)",
      }),
    ],
  });
}

/** Names of marks that are near each other are moved apart, in units of the rank. */
function spread<T extends { passes: number; meanRank: number }>(rows: readonly T[]): T[] {
  const placed: T[] = [];
  const heights = rows.map(({ meanRank }) => meanRank);
  const gap = Math.max(Math.max(...heights) - Math.min(...heights), 0.5) / 16;
  for (const row of [...rows].sort((a, b) => a.meanRank - b.meanRank)) {
    let { meanRank } = row;
    for (const other of placed)
      if (Math.abs(Math.log10(other.passes / row.passes)) < 0.5) meanRank = Math.max(meanRank, other.meanRank + gap);
    placed.push({ ...row, meanRank });
  }
  return placed;
}

/** One mark for each change: how like the map remained, against what the change cost in accuracy. */
export function driftChart(rows: readonly DriftRow[]): Html {
  const known = rows.filter(({ rankCorrelation }) => rankCorrelation !== null);
  const corrupted = known.filter(({ severity }) => severity !== null);
  const last = corrupted.filter(({ severity }) => severity === Math.max(...corrupted.map((row) => row.severity ?? 0)));
  return svg({
    width: 640,
    height: 340,
    marginLeft: 48,
    marginRight: 110,
    marginTop: 18,
    marginBottom: 42,
    ariaLabel: "rank correlation of maps against the drop in accuracy, for each change of the picture",
    x: { label: "drop in accuracy", labelArrow: "none", tickFormat: (v: number) => percent(v, 0), ticks: 6 },
    y: { label: "rank correlation", labelArrow: "none", ticks: 6, tickSize: 0 },
    marks: [
      Plot.gridY({ stroke: "var(--rule)", strokeOpacity: 1 }),
      Plot.line(corrupted, {
        x: "accuracyDrop",
        y: "rankCorrelation",
        z: "name",
        stroke: "var(--rule-strong)",
        strokeWidth: 1,
      }),
      Plot.dot(corrupted, {
        x: "accuracyDrop",
        y: "rankCorrelation",
        r: (row: DriftRow) => 1 + (row.severity ?? 0),
        fill: "var(--train)",
        fillOpacity: 0.7,
      }),
      Plot.dot(
        known.filter(({ severity }) => severity === null),
        {
          x: "accuracyDrop",
          y: "rankCorrelation",
          symbol: "diamond2",
          r: 5,
          fill: "var(--validation)",
        },
      ),
      Plot.text(apart([...last, ...known.filter(({ severity }) => severity === null)]), {
        x: "accuracyDrop",
        y: "rankCorrelation",
        text: "name",
        dx: 9,
        textAnchor: "start",
        fill: "var(--ink-soft)",
        fontSize: 10,
      }),
    ],
  });
}

/** Names of marks that are near each other are moved apart, downwards, in units of the axes. */
function apart(rows: readonly DriftRow[]): DriftRow[] {
  const extent = (of: (row: DriftRow) => number): number => Math.max(...rows.map(of)) - Math.min(...rows.map(of)) || 1;
  const near = extent(({ accuracyDrop }) => accuracyDrop) / 9;
  const gap = extent(({ rankCorrelation }) => rankCorrelation ?? 0) / 28;
  const placed: DriftRow[] = [];
  for (const row of [...rows].sort((a, b) => (b.rankCorrelation ?? 0) - (a.rankCorrelation ?? 0))) {
    const above = placed.filter((other) => Math.abs(other.accuracyDrop - row.accuracyDrop) < near);
    const limit = Math.min(...above.map(({ rankCorrelation }) => (rankCorrelation ?? 0) - gap));
    placed.push({ ...row, rankCorrelation: Math.min(row.rankCorrelation ?? 0, limit) });
  }
  return placed;
}
