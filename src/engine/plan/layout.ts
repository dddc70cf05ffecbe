import { mebibytes } from "../device.ts";
import { LimitError } from "../errors.ts";
import type { Graph, Node, Tensor } from "../graph.ts";
import { describe } from "../graph.ts";
import { byteSizeOf, hasBatch, typeAtBatch } from "../types.ts";
import { type Lifetime, type MemoryPlan, planMemory } from "./memory.ts";
import type { Schedule } from "./schedule.ts";

/** What holds a tensor: a buffer of its own, or a range of a slab. */
export type Storage =
  | { readonly kind: "own"; readonly bytes: number }
  | { readonly kind: "slab"; readonly slab: number; readonly offset: number; readonly bytes: number };

export interface Layout {
  readonly batch: number;
  readonly storage: ReadonlyMap<Tensor, Storage>;
  readonly memory: MemoryPlan;
  /** Bytes of inputs, constants, derived weights and slabs; parameters are the store's. */
  readonly bytes: number;
  /** Bytes behind every value that its bindings cover and nothing may write: without them a stray write is clamped unseen. */
  readonly guard: number;
}

export interface LayoutOptions {
  readonly batch: number;
  readonly maxSlab: number;
  readonly reuse: boolean;
  readonly guard?: number;
}

/** Decides where each value of a schedule lives at this batch size. Derived weights and results of the prologue keep a buffer of their own. */
export function layOut(graph: Graph, { prologue, main, sources, storageOf }: Schedule, options: LayoutOptions): Layout {
  const storage = new Map<Tensor, Storage>();
  const { guard = 0 } = options;
  const bytesOf = (tensor: Tensor): number => byteSizeOf(typeAtBatch(tensor.type, options.batch));
  for (const node of [...sources, ...prologue])
    for (const output of node.outputs) storage.set(output, { kind: "own", bytes: bytesOf(output) });
  const values = main.flatMap((node) => node.outputs);
  const indexOf = new Map(values.map((tensor, index) => [tensor, index]));
  const memory = planMemory(
    lifetimesOf(graph, main, values, indexOf, storageOf, (tensor) => bytesOf(tensor) + guard),
    options.maxSlab,
    options.reuse,
  );
  values.forEach((tensor, index) => {
    storage.set(tensor, { kind: "slab", ...memory.placements[index], bytes: bytesOf(tensor) });
  });
  let bytes = memory.slabs.reduce((sum, slab) => sum + slab, 0);
  for (const [tensor, place] of storage)
    if (place.kind === "own" && tensor.node.op.traits.source !== "parameter") bytes += place.bytes + guard;
  return { batch: options.batch, storage, memory, bytes, guard };
}

function lifetimesOf(
  graph: Graph,
  main: readonly Node[],
  values: readonly Tensor[],
  indexOf: ReadonlyMap<Tensor, number>,
  storageOf: (tensor: Tensor) => Tensor,
  bytesOf: (tensor: Tensor) => number,
): Lifetime[] {
  const from = values.map(() => 0);
  const to = values.map(() => 0);
  const apart: Set<number>[] = values.map(() => new Set());
  main.forEach((node, step) => {
    const written = node.outputs.map((output) => indexOf.get(output) as number);
    for (const index of written) from[index] = to[index] = step;
    for (const input of node.inputs) {
      const read = indexOf.get(storageOf(input));
      if (read === undefined) continue;
      to[read] = Math.max(to[read], step);
      for (const index of written) {
        apart[index].add(read);
        apart[read].add(index);
      }
    }
  });
  for (const tensor of Object.values(graph.outputs)) {
    const index = indexOf.get(storageOf(tensor));
    if (index !== undefined) to[index] = main.length;
  }
  return values.map((tensor, index) => ({
    bytes: bytesOf(tensor),
    from: from[index],
    to: to[index],
    apart: [...apart[index]],
  }));
}

export interface Limits {
  readonly binding: number;
  readonly buffer: number;
  readonly budget: number;
  /** Why the dispatches at a batch size are too large for one submission or grid, or null. */
  readonly overload?: (batch: number) => string | null;
}

export interface FitOptions {
  readonly reuse: boolean;
  /** Cut even a batch whose samples are coupled; the caller answers for it. */
  readonly shrinkBatch: boolean;
  readonly guard?: number;
}

/**
 * The layout of the largest batch, up to `wanted`, at which every value fits a binding, the whole plan the budget, and
 * every dispatch a submission. A graph that
 * couples the samples of a batch is never cut: it is refused, naming the limit and the batch that fits.
 */
export function fittingLayout(
  graph: Graph,
  plan: Schedule,
  wanted: number,
  limits: Limits,
  { reuse, shrinkBatch, guard }: FitOptions,
): Layout {
  const layoutAt = (batch: number): Layout =>
    layOut(graph, plan, { batch, maxSlab: Math.min(limits.buffer, limits.binding * 4), reuse, guard });
  const problemOf = ({ batch, storage, bytes }: Layout): string | null => {
    for (const [tensor, place] of storage)
      if (place.bytes > limits.binding)
        return `${describe(tensor.node)} needs ${mebibytes(place.bytes)}; the binding limit is ${mebibytes(limits.binding)}`;
    if (bytes > limits.budget)
      return `the plan needs ${mebibytes(bytes)}; the memory budget is ${mebibytes(limits.budget)}`;
    return limits.overload?.(batch) ?? null;
  };
  const whole = layoutAt(wanted);
  const problem = problemOf(whole);
  if (!problem) return whole;
  let low = 0;
  let high = wanted;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (problemOf(layoutAt(middle))) high = middle;
    else low = middle;
  }
  const coupled = plan.main.find(couplesBatch) ?? plan.main.find((node) => node.op.traits.updates);
  if (low === 0 || (coupled && !shrinkBatch)) {
    const remedy =
      low === 0 ? "not even one sample fits; use a smaller image or a larger budget" : `use a batch of ${low} or less`;
    throw new LimitError(`${problem}; ${remedy}`);
  }
  return layoutAt(low);
}

/** Whether the node reads several samples at once. */
export function couplesBatch(node: Node): boolean {
  const { couplesBatch: trait } = node.op.traits;
  const inputs = node.inputs.map((input) => input.type);
  if (!inputs.some((type) => hasBatch(type.shape)) && !node.outputs.some((output) => hasBatch(output.shape)))
    return false;
  return typeof trait === "function" ? trait({ inputs, attributes: node.attributes }) : trait === true;
}
