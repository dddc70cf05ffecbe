import { caseName, checkOp } from "../../engine/checkOp.ts";
import type { Device } from "../../engine/device.ts";
import { DeviceLostError, TepalError } from "../../engine/errors.ts";
import type { OpEntry } from "../../engine/op.ts";

/** The worst relative L2 distances from float64 over an op's cases. `Infinity` stands for NaN or an infinity where none belongs. */
export interface OpResult {
  readonly name: string;
  readonly cases: number;
  readonly forward: number;
  /** Null for an op without a gradient rule. */
  readonly gradient: number | null;
  readonly worst: number;
  /** The case that the worst error comes from. */
  readonly worstCase: string;
  readonly ok: boolean;
  /** Why a case could not be run. */
  readonly error?: string;
}

interface Measured {
  readonly name: string;
  readonly forward: number;
  readonly gradient: number;
  readonly error?: string;
}

/** A kernel that does not compile is a finding, not the end of the examination; a lost device is the end. */
async function measure(device: Device, entry: OpEntry, opCase: OpEntry["cases"][number], seed: number) {
  try {
    return await checkOp(device, entry, opCase, seed);
  } catch (error) {
    if (!(error instanceof TepalError) || error instanceof DeviceLostError) throw error;
    const infinite = Number.POSITIVE_INFINITY;
    return { name: caseName(entry, opCase), forward: infinite, gradient: 0, error: error.message };
  }
}

/**
 * Every case of an op on the GPU against the float64 reference.
 * @throws DeviceLostError; any other failure is a result with `error`.
 */
export async function testOp(device: Device, entry: OpEntry, seed: number, tolerance: number): Promise<OpResult> {
  const results: Measured[] = [];
  for (const opCase of entry.cases) results.push(await measure(device, entry, opCase, seed));
  const worstOf = (result: Measured): number => Math.max(result.forward, result.gradient);
  const forward = Math.max(0, ...results.map((result) => result.forward));
  const gradient = Math.max(0, ...results.map((result) => result.gradient));
  const worst = Math.max(forward, gradient);
  const worstCase = results.find((result) => worstOf(result) === worst)?.name ?? "";
  const error = results.find((result) => result.error !== undefined)?.error;
  return {
    name: entry.op.name,
    cases: results.length,
    forward,
    gradient: entry.op.gradient ? gradient : null,
    worst,
    worstCase,
    ok: worst <= tolerance,
    ...(error === undefined ? {} : { error }),
  };
}
