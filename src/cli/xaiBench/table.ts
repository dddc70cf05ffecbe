import type { RankedMethod } from "../../xai/evidence/ranking.ts";
import type { RandomLabelEvidence } from "../../xai/evidence/sanity.ts";
import type { PointingRow } from "./pointing.ts";

const number = (value: number | null, digits = 3): string => (value === null ? "" : value.toFixed(digits));

const columns: readonly (readonly [title: string, of: (row: RankedMethod) => string])[] = [
  ["", ({ place }) => String(place)],
  ["method", ({ method }) => method],
  ["mean rank", ({ meanRank }) => meanRank.toFixed(2)],
  ["insertion gain", ({ insertionGain }) => number(insertionGain)],
  ["deletion gain", ({ deletionGain }) => number(deletionGain)],
  ["ROAD", ({ road }) => number(road)],
  ["sanity", ({ sane, remaining }) => `${sane ? "passes" : "FAILS"} ${number(remaining, 2)}`],
  ["sensitivity", ({ sensitivity }) => number(sensitivity, 2)],
  ["pointing", ({ pointing }) => number(pointing, 2)],
  ["mass", ({ relevanceMass }) => number(relevanceMass, 2)],
  ["IoU", ({ intersectionOverUnion }) => number(intersectionOverUnion, 2)],
  ["gap", ({ relativeGap }) => number(relativeGap)],
  ["passes", ({ forwards, gradients }) => `${forwards.toFixed(0)} + ${gradients.toFixed(0)}`],
  ["seconds", ({ seconds }) => number(seconds, 2)],
];

/** The ranking as a table for a terminal. `passes` are forward passes plus passes with gradient, of one map. */
export function rankingTable(ranked: readonly RankedMethod[]): string {
  const rows = [columns.map(([title]) => title), ...ranked.map((row) => columns.map(([, of]) => of(row)))];
  const widths = columns.map((_, at) => Math.max(...rows.map((row) => row[at].length)));
  return rows
    .map((row) => row.map((cell, at) => (at === 1 ? cell.padEnd(widths[at]) : cell.padStart(widths[at]))).join("  "))
    .join("\n");
}

export const randomLabelWords = ({
  method,
  rankCorrelation,
  passed,
}: RandomLabelEvidence & { readonly method: string }): string =>
  passed
    ? `${method} follows the labels: rank correlation ${number(rankCorrelation, 2)} with the maps of a network that learned shuffled ones.`
    : `Do not believe ${method}: rank correlation ${number(rankCorrelation, 2)} with the maps of a network that learned shuffled labels; it shows the picture.`;

export const pointingWords = ({ method, hits, narrow, inside, images }: PointingRow): string =>
  `${method}: pointing game ${(100 * hits).toFixed(1)} % of ${images} peaks (Zhang et al. 2018: on the flower or at most 15 pixels of 224 beside it), ${(100 * narrow).toFixed(1)} % with 15 pixels of 500; strictly on the flower ${(100 * inside).toFixed(1)} %.`;
