import { peakBytesOf } from "./bufferWatch.ts";
import type { Engine, Work } from "./engines/engine.ts";
import type { Material } from "./material.ts";
import { cosine, relativeDifference, rounded, shareOfEqualPixels, type Timing, timingOf } from "./statistics.ts";
import type { Agreement, Workload } from "./workloads.ts";

/** Results further apart than this are no results of the same computation, and have no ratio. */
export const bounds = { values: 1e-4, directions: 0.999, pixels: 0.999 } as const;

export interface WorkloadResult {
  readonly name: string;
  readonly tepal: Timing;
  readonly peers: Record<string, Timing>;
  /** Peer's median ÷ this engine's; only where both computed the same. */
  readonly ratio: Record<string, number>;
  /** How far each peer is from this engine: largest relative difference, cosine, or share of equal pixels. */
  readonly agreement: Record<string, number>;
  /** Peers that were left out, settings that they chose, disagreements. */
  readonly notes: readonly string[];
  /** By engine: the most bytes of GPU buffers during preparation and the first run, where they are counted. */
  readonly peakBytes: Record<string, number>;
  /** How many peers failed or disagreed. */
  readonly faults: number;
}

export interface MeasureOptions {
  readonly rounds: number;
  /** Rounds end early after this many seconds, but not before `leastRounds`. */
  readonly budgetSeconds: number;
  readonly leastRounds: number;
  readonly log: (line: string) => void;
  /** Called after each round; the first is 1. */
  readonly onRound?: (round: number) => void;
}

interface Contender {
  readonly name: string;
  readonly work: Work;
  readonly times: number[];
}

const measures = { values: relativeDifference, directions: cosine, pixels: shareOfEqualPixels } as const;

export const agreementOf = (rule: Agreement, got: Float32Array, want: Float32Array): number =>
  measures[rule](got, want);

/** NaN agrees with nothing. */
export const agrees = (rule: Agreement, measure: number): boolean =>
  rule === "values" ? measure <= bounds.values : measure >= bounds[rule];

const firstLine = (error: unknown): string => String((error as Error)?.message ?? error).split("\n")[0];

async function timed(work: Work): Promise<number> {
  const start = performance.now();
  await work.run();
  return performance.now() - start;
}

async function firstRun(engine: Engine, workload: Workload, material: Material) {
  const work = await engine.prepare(workload, material);
  return typeof work === "string" ? work : { work, got: Float32Array.from(await (work.check ?? work.run)()) };
}

/** Prepares the peers that can do this workload and have the same results as the first engine, which must succeed. */
async function contend(engines: readonly Engine[], workload: Workload, material: Material, options: MeasureOptions) {
  const contenders: Contender[] = [];
  const agreement: Record<string, number> = {};
  const disagreeing = new Set<string>();
  const notes: string[] = [];
  const peakBytes: Record<string, number> = {};
  let failures = 0;
  let want: Float32Array | undefined;
  for (const engine of engines) {
    const { name } = engine;
    try {
      options.log(`${workload.name}: ${name} starts`);
      const { result, bytes } = await peakBytesOf(() => firstRun(engine, workload, material));
      if (typeof result === "string") {
        notes.push(`${name}: ${result}`);
        continue;
      }
      const { work, got } = result;
      if (bytes !== null) peakBytes[name] = bytes;
      if (work.note) notes.push(`${name}: ${work.note}`);
      contenders.push({ name, work, times: [] });
      if (!want) {
        want = got;
        continue;
      }
      agreement[name] = agreementOf(workload.agreement, got, want);
      if (agrees(workload.agreement, agreement[name])) continue;
      disagreeing.add(name);
      notes.push(`${name}: its result differs from this engine's (${agreement[name]}), so there is no ratio`);
    } catch (error) {
      if (!want) throw error;
      failures++;
      notes.push(`${name}: failed: ${firstLine(error)}`);
    }
  }
  return { contenders, agreement, disagreeing, notes, peakBytes, faults: failures + disagreeing.size };
}

/**
 * Times all engines on one workload in turn, round by round, each round beginning with another engine, so that whatever else
 * the machine does falls on all of them. The first engine is this one.
 */
export async function measureWorkload(
  engines: readonly Engine[],
  workload: Workload,
  material: Material,
  options: MeasureOptions,
): Promise<WorkloadResult> {
  const { contenders, disagreeing, ...rest } = await contend(engines, workload, material, options);
  try {
    // The first run compiled; the second fills caches and pools.
    for (const { work } of contenders) if (work.check) await work.run();
    const end = performance.now() + options.budgetSeconds * 1000;
    for (let round = 0; round < options.rounds; round++) {
      if (round >= options.leastRounds && performance.now() > end) break;
      for (let turn = 0; turn < contenders.length; turn++) {
        const { work, times } = contenders[(round + turn) % contenders.length];
        times.push(await timed(work));
      }
      options.log(`${workload.name}: round ${round + 1} of ${options.rounds}`);
      options.onRound?.(round + 1);
    }
  } finally {
    for (const { work } of contenders) work.dispose();
  }
  return { name: workload.name, ...summarise(contenders, disagreeing), ...rest };
}

/** Medians, p95 and ratios; those whose results disagree have no ratio. */
export function summarise(
  [own, ...others]: readonly { readonly name: string; readonly times: readonly number[] }[],
  disagreeing: ReadonlySet<string>,
): Pick<WorkloadResult, "tepal" | "peers" | "ratio"> {
  const tepal = timingOf(own.times);
  const peers: Record<string, Timing> = {};
  const ratio: Record<string, number> = {};
  for (const { name, times } of others) {
    peers[name] = timingOf(times);
    if (!disagreeing.has(name)) ratio[name] = rounded(peers[name].median / tepal.median);
  }
  return { tepal, peers, ratio };
}
