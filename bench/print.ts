import type { MemoryFact } from "./engineFacts.ts";
import type { WorkloadResult } from "./measure.ts";
import type { Size } from "./size.ts";
import type { Timing } from "./statistics.ts";

/** Times and ratios of one workload. */
export type WorkloadRow = Pick<WorkloadResult, "name" | "tepal" | "peers" | "ratio">;

export interface BenchReport {
  readonly adapter: string;
  readonly versions: Record<string, string>;
  readonly workloads: readonly WorkloadRow[];
  readonly details: Details;
}

export interface Details {
  /** Where the weights come from. */
  readonly weights: string;
  /** By workload and peer: largest relative difference, cosine, or share of equal pixels. */
  readonly agreement: Record<string, Record<string, number>>;
  /** By workload: who was left out, settings that were chosen, disagreements. */
  readonly notes: Record<string, readonly string[]>;
  /** By workload and engine: the most bytes of GPU buffers during preparation and the first run. */
  readonly peakBytes: Record<string, Record<string, number>>;
  /** What is told of this engine alone. */
  readonly engine?: {
    readonly encodeAndSubmitMilliseconds: number;
    readonly activationMemory: readonly MemoryFact[];
    readonly bundles: Record<string, Size>;
  };
}

/** The report of results: times in `workloads`, the rest in `details`. */
export function reportOf(
  head: Pick<BenchReport, "adapter" | "versions">,
  results: readonly WorkloadResult[],
  details: Pick<Details, "weights" | "engine">,
): BenchReport {
  const byName = <T>(pick: (result: WorkloadResult) => T): Record<string, T> =>
    Object.fromEntries(results.map((result) => [result.name, pick(result)]));
  const notes = byName(({ notes }) => notes);
  return {
    ...head,
    workloads: results.map(({ name, tepal, peers, ratio }) => ({ name, tepal, peers, ratio })),
    details: {
      ...details,
      agreement: byName(({ agreement }) => agreement),
      peakBytes: byName((each) => each.peakBytes),
      notes,
    },
  };
}

export type Cells = readonly (readonly string[])[];

/** Rows with their columns in line; the first row is the head. In Markdown, or plain for a terminal. */
export function table(rows: Cells, markdown: boolean): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const align = (cell: string, column: number): string =>
    column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]);
  if (!markdown) return `${rows.map((row) => row.map(align).join("  ")).join("\n")}\n`;
  const line = (row: readonly string[]): string => `| ${row.map(align).join(" | ")} |`;
  const rule = `|${widths.map((width, column) => (column === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return `${[line(rows[0]), rule, ...rows.slice(1).map(line)].join("\n")}\n`;
}

const time = ({ median, p95 }: Timing): string => `${figure(median)} (${figure(p95)})`;
const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(0)} kB`;
const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** Three significant digits. */
export const figure = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));

function workloadCells(workloads: readonly WorkloadRow[]): Cells {
  const names = [...new Set(workloads.flatMap(({ peers }) => Object.keys(peers)))];
  const rows = workloads.map(({ name, tepal, peers, ratio }) => [
    name,
    time(tepal),
    ...names.map((peer) => {
      if (!peers[peer]) return "–";
      return `${time(peers[peer])}, ${peer in ratio ? `${figure(ratio[peer])}×` : "other result"}`;
    }),
  ]);
  return [["ms: median (p95), peer ÷ tepal", "tepal", ...names], ...rows];
}

function memoryCells(facts: readonly MemoryFact[]): Cells {
  const rows = facts.map(({ workload, plannedBytes, lowerBoundBytes, ratio }) => [
    workload,
    mebibytes(plannedBytes),
    mebibytes(lowerBoundBytes),
    `${ratio.toFixed(2)}×`,
  ]);
  return [["activations", "planned", "lower bound", "ratio"], ...rows];
}

function peakCells(peaks: Details["peakBytes"]): Cells {
  const names = [...new Set(Object.values(peaks).flatMap((each) => Object.keys(each)))];
  const rows = Object.entries(peaks)
    .filter(([, each]) => Object.keys(each).length > 0)
    .map(([workload, each]) => [workload, ...names.map((name) => (name in each ? mebibytes(each[name]) : "–"))]);
  return [["peak of GPU buffers", ...names], ...rows];
}

function bundleCells(bundles: Record<string, Size>): Cells {
  const rows = Object.entries(bundles).map(([name, { gzip, wasm }]) => [
    name,
    kilobytes(gzip) + (wasm ? ` and ${kilobytes(wasm)} of wasm` : ""),
  ]);
  return [["minified, gzipped", "size"], ...rows];
}

/** The report for people. */
export function printReport({ adapter, versions, workloads, details }: BenchReport, markdown: boolean): string {
  const { weights, notes, peakBytes, engine } = details;
  const names = Object.entries(versions).map((pair) => pair.join(" "));
  const parts = [`${adapter}; ${names.join(", ")}; ${weights}\n`, table(workloadCells(workloads), markdown)];
  const lines = Object.entries(notes).flatMap(([name, each]) => each.map((note) => `- ${name}: ${note}\n`));
  if (lines.length > 0) parts.push(lines.join(""));
  if (Object.values(peakBytes).some((each) => Object.keys(each).length > 0))
    parts.push(table(peakCells(peakBytes), markdown));
  if (engine)
    parts.push(
      `Encode and submit on the CPU, per forward: ${figure(engine.encodeAndSubmitMilliseconds)} ms (median)\n`,
      table(memoryCells(engine.activationMemory), markdown),
      table(bundleCells(engine.bundles), markdown),
    );
  return parts.join("\n");
}
