/** Measures in a thread of its own, so that the page stays awake whatever a workload prepares. */
/// <reference lib="webworker" />
import { tepalEngine } from "../bench/engines/tepal.ts";
import { seededMaterial } from "../bench/material.ts";
import { measureWorkload, type WorkloadResult } from "../bench/measure.ts";
import { type BenchReport, reportOf } from "../bench/print.ts";
import { workloads } from "../bench/workloads.ts";
import { openBrowserDevice } from "../src/embed/imageClassifier.ts";

declare const self: DedicatedWorkerGlobalScope;
declare const PACKAGE_VERSION: string;

export interface BenchRequest {
  /** Names of workloads, measured in the order of the list of workloads. */
  readonly names: readonly string[];
  readonly rounds: number;
}

export type BenchMessage =
  | { readonly kind: "adapter"; readonly adapter: string; readonly software: boolean }
  /** Round 0 is the preparation: compilation, and the first run. */
  | { readonly kind: "round"; readonly name: string; readonly round: number }
  | { readonly kind: "result"; readonly result: WorkloadResult }
  | { readonly kind: "done"; readonly report: BenchReport }
  | { readonly kind: "error"; readonly message: string };

/** A round may take seconds on a processor that plays a graphics card: after so many, three rounds must do. */
const BUDGET_SECONDS = 10;
const LEAST_ROUNDS = 3;

const tell = (message: BenchMessage): void => self.postMessage(message);

async function measure({ names, rounds }: BenchRequest): Promise<void> {
  const device = await openBrowserDevice();
  const { description: adapter, traits } = device;
  tell({ kind: "adapter", adapter, software: traits.software });
  const material = seededMaterial();
  const engine = tepalEngine(device, PACKAGE_VERSION);
  const results: WorkloadResult[] = [];
  for (const workload of workloads.filter(({ name }) => names.includes(name))) {
    const { name } = workload;
    tell({ kind: "round", name, round: 0 });
    const result = await measureWorkload([engine], workload, material, {
      rounds,
      budgetSeconds: BUDGET_SECONDS,
      leastRounds: Math.min(rounds, LEAST_ROUNDS),
      log: () => undefined,
      onRound: (round) => tell({ kind: "round", name, round }),
    });
    results.push(result);
    tell({ kind: "result", result });
  }
  const versions = { tepal: PACKAGE_VERSION, browser: navigator.userAgent };
  tell({ kind: "done", report: reportOf({ adapter, versions }, results, { weights: material.source }) });
}

self.addEventListener("message", ({ data }: MessageEvent<BenchRequest>) => {
  measure(data).catch((error: Error) => tell({ kind: "error", message: error.message }));
});
