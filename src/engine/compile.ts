import type { Device } from "./device.ts";
import { GraphError } from "./errors.ts";
import { findLabel, type Graph, inputsOf } from "./graph.ts";
import { ParameterStore } from "./parameters.ts";
import { runPasses } from "./passes/index.ts";
import { Plan } from "./plan/plan.ts";
import type { Tuning } from "./tuning.ts";
import { yieldToHost } from "./yieldToHost.ts";

/** Bytes that a plan may allocate unless told otherwise: 2 GiB. */
export const defaultMemoryBudget = 2 * 2 ** 30;

export interface CompileOptions {
  /** Where the graph's parameters live; shared between plans. */
  readonly parameters?: ParameterStore;
  /** The largest batch of one run; larger ones are cut when nothing couples the samples. Default 1. */
  readonly maxBatch?: number;
  /** Take a smaller batch than `maxBatch` where memory asks for it, even if the graph couples samples: the caller follows `plan.chunk`. */
  readonly shrinkBatch?: boolean;
  /** Labels of nodes whose values each run returns beside the outputs. They are barriers to fusion, and change no other bit. */
  readonly fetch?: readonly string[];
  /** Bytes that the plan may allocate; default `defaultMemoryBudget`. */
  readonly memoryBudget?: number;
  /** Folding, sharing and fusion; `false` runs the graph as it was built (the oracle of the optimised plan). */
  readonly optimise?: boolean;
  /** Keep one bit of a clipped activation for the backward instead of its value where that saves memory or time; no other bit changes. Default true. */
  readonly bitMasks?: boolean;
  /** Workgroups and tiles to use; by default those of the device. */
  readonly tuning?: Tuning | null;
  /** For tests: give every value memory of its own, or fill memory with NaN before each run and watch the gaps between values. */
  readonly reuse?: boolean;
  readonly poison?: boolean;
}

/**
 * Compiles a graph into a plan: passes, schedule, memory, pipelines (in parallel) and bind groups. Nothing but uniforms and
 * inputs is written at run time.
 * @throws GraphError, ShapeError for a faulty graph; LimitError when memory does not suffice; DeviceError from the GPU.
 */
export async function compile(device: Device, graph: Graph, options: CompileOptions = {}): Promise<Plan> {
  const outputs = { ...graph.outputs };
  for (const label of options.fetch ?? []) outputs[label] ??= findLabel(graph, label);
  if (Object.keys(outputs).length === 0 && (graph.updates ?? []).length === 0)
    throw new GraphError("a graph needs at least one output or update; nothing would be computed");
  const maxBatch = options.maxBatch ?? 1;
  if (!Number.isInteger(maxBatch) || maxBatch < 1)
    throw new GraphError(`maxBatch must be a whole number of at least 1, found ${maxBatch}`);
  const optimised = runPasses(
    { ...graph, outputs },
    { optimise: options.optimise ?? true, bitMasks: options.bitMasks },
  );
  await yieldToHost();
  const plan = new Plan(device, optimised, options.parameters ?? new ParameterStore(device), {
    maxBatch,
    shrinkBatch: options.shrinkBatch ?? false,
    memoryBudget: options.memoryBudget ?? defaultMemoryBudget,
    reuse: options.reuse ?? true,
    poison: options.poison ?? false,
    tuning: options.tuning === undefined ? device.tuning : options.tuning,
    inputs: inputsOf({ ...graph, outputs }),
  });
  try {
    await plan.prepare();
  } catch (error) {
    plan.dispose();
    throw error;
  }
  return plan;
}
