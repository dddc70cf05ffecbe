/** What `npm run bench -- kernels --json` measured: the gains that the book and `tepal kernels NAME --explain` quote. */
import llvmpipe from "../../../docs/figures/kernels-llvmpipe.json";
import type { Roofline } from "../../engine/roofline.ts";

export interface Rung {
  readonly kernel: string;
  readonly milliseconds: number;
  readonly gflopsPerSecond: number;
  readonly gigabytesPerSecond: number;
  /** Of the nearer of the adapter's two measured roofs at this intensity. */
  readonly roofline: number;
}

export interface LadderResult {
  readonly op: string;
  readonly layer: string;
  /** How many layers of the network have these shapes. */
  readonly layers: number;
  readonly shapes: readonly string[];
  /** What must be computed and moved at least, the same on every rung. */
  readonly flops: number;
  readonly bytes: number;
  readonly naive: Rung;
  /** What an adapter without subgroups of one size gets, where that is another kernel. */
  readonly between: Rung | null;
  readonly fast: Rung;
  readonly speedup: number;
  /** Of this engine's product of 1024 × 1024 matrices. */
  readonly ofProduct: number;
  readonly sameBits: boolean;
}

export interface KernelReport {
  readonly adapter: string;
  /** Times are medians of this many runs, for naive rungs of at most two. */
  readonly repeats: number;
  /** Processors of the machine and how many programs wanted one on average, when the measurement began and when it ended. */
  readonly processors: number;
  readonly load: readonly number[];
  readonly roofline: Roofline;
  /** GFLOP/s of this engine's product of 1024 × 1024 matrices. */
  readonly productGflopsPerSecond: number;
  /** Of a product of 1 × 4 and 4 × 4: what the dispatch itself takes. */
  readonly dispatchMilliseconds: number;
  readonly ladders: readonly LadderResult[];
}

/** One measurement for each adapter in `docs/figures`. */
export const measurements: readonly KernelReport[] = [llvmpipe];

/** The rungs of a ladder from the naive one up. */
export const rungsOf = ({ naive, between, fast }: LadderResult): Rung[] => [naive, ...(between ? [between] : []), fast];

const shaderOf = ({ kernel }: Rung): string => kernel.split(".")[0];

/** The ladders that have a rung in this shader, of one adapter. */
export const laddersOf = ({ ladders }: KernelReport, shader: string): LadderResult[] =>
  ladders.filter((ladder) => rungsOf(ladder).some((rung) => shaderOf(rung) === shader));

/** How many times faster than the naive rung the rungs of a shader are: the least, the median and the greatest. */
export interface Gain {
  readonly kernel: string;
  readonly shapes: number;
  readonly least: number;
  readonly median: number;
  readonly greatest: number;
}

/** The gains over the naive rung of a shader's entry points; for a naive shader those of all rungs above it. */
export function gainsOf(report: KernelReport, shader: string): Gain[] {
  const gains = new Map<string, number[]>();
  for (const ladder of laddersOf(report, shader))
    for (const rung of rungsOf(ladder).slice(1))
      if (shaderOf(ladder.naive) === shader || shaderOf(rung) === shader)
        gains.set(rung.kernel, [...(gains.get(rung.kernel) ?? []), ladder.naive.milliseconds / rung.milliseconds]);
  return [...gains].map(([kernel, unsorted]) => {
    const sorted = unsorted.sort((a, b) => a - b);
    const middle = (sorted.length - 1) / 2;
    const median = (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
    return { kernel, shapes: sorted.length, least: sorted[0], median, greatest: sorted[sorted.length - 1] };
  });
}

/** The driver and its version, without what the packager added. */
export const shortName = (adapter: string): string => /^[^(]*?\d+(\.\d+)+/.exec(adapter)?.[0] ?? adapter;
