import type { Material } from "../material.ts";
import type { Workload } from "../workloads.ts";

/** A workload made ready on one engine. */
export interface Work {
  /** From numbers on the host to numbers on the host. */
  readonly run: () => Promise<Float32Array>;
  /** What is compared with the other engines, where `run` alone does not give it; called once, before any `run`. */
  readonly check?: () => Promise<Float32Array>;
  readonly dispose: () => void;
  /** A setting that the engine chose, in words. */
  readonly note?: string;
}

/** One engine; `prepare` gives a reason in words for what it cannot do. */
export interface Engine {
  readonly name: string;
  readonly version: string;
  readonly prepare: (workload: Workload, material: Material) => Promise<Work | string>;
}

/** How one step moves parameters: their values after it minus their values before it, end to end. */
export async function changedParameters(
  read: () => Promise<readonly Float32Array[]>,
  step: () => Promise<unknown>,
): Promise<Float32Array> {
  const before = await read();
  await step();
  const after = await read();
  return Float32Array.from(after.flatMap((data, part) => Array.from(data, (value, at) => value - before[part][at])));
}
