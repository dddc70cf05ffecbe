import { compile } from "./compile.ts";
import type { Device } from "./device.ts";
import { Node } from "./graph.ts";
import type { Choice, KernelContext } from "./op.ts";
import { input } from "./ops/sources.ts";
import { contextOf } from "./plan/encoding.ts";
import type { Plan, RunInputs } from "./plan/plan.ts";
import { type Tuning, type TuningTable, tuningKey } from "./tuning.ts";
import { sizeOf, type TypedArray, typedArray } from "./types.ts";

export interface TuneOptions {
  /** Runs of each candidate in each of two rounds; the lesser of both medians counts. Default 5. */
  readonly repeats?: number;
  /** The name of the one op to tune. */
  readonly only?: string;
  /** Called after each op and shape. */
  readonly progress?: (done: number, total: number, result: TuneResult) => void;
}

/** What was measured of one op and shape. */
export interface TuneResult {
  readonly op: string;
  readonly key: string;
  /** The first dispatch that it was measured for, and how many of the plan it is. */
  readonly name: string;
  readonly dispatches: number;
  readonly candidates: number;
  /** Milliseconds of the kernel's own choice, and of the one that is kept. */
  readonly before: number;
  readonly after: number;
  /** `null`: the kernel's own. */
  readonly choice: Choice | null;
}

/** A choice is kept when it saves more than this: less is noise. */
const leastGain = 0.05;

/**
 * Times every candidate of every op and shape of a plan alone on this device, and keeps in the table
 * those that are faster than the kernel's own choice. Takes from seconds to minutes; the plan itself keeps its choices.
 */
export async function tune(
  device: Device,
  plan: Plan,
  table: TuningTable,
  { repeats = 5, only, progress }: TuneOptions = {},
): Promise<TuneResult[]> {
  const isWanted = (node: Node): boolean =>
    (only === undefined || node.op.name === only) &&
    (node.op.candidates?.(contextOf(node, plan.chunk, device.traits)) ?? []).length > 0;
  const groups = new Map<string, Node[]>();
  for (const node of plan.schedule.main.filter(isWanted))
    groups.set(tuningKey(node), [...(groups.get(tuningKey(node)) ?? []), node]);
  const results: TuneResult[] = [];
  for (const [key, nodes] of groups) {
    const [node] = nodes;
    const context = contextOf(node, plan.chunk, device.traits);
    const { before, after, choice, candidates } = await fastest(device, node, context, repeats);
    table.set(node, context, choice ?? undefined);
    const name = node.label ?? node.op.name;
    results.push({ op: node.op.name, key, name, dispatches: nodes.length, candidates, before, after, choice });
    progress?.(results.length, groups.size, results[results.length - 1]);
  }
  return results;
}

/** Beyond this many times the best of the first round, nothing is timed again. */
const hopeless = 1.3;

/** Two rounds in opposite orders, so that a machine that slows down or speeds up does not decide. */
async function fastest(device: Device, node: Node, context: KernelContext, repeats: number) {
  const choices: (Choice | null)[] = [null, ...(node.op.candidates?.(context) ?? [])];
  const times: number[] = [];
  for (const choice of choices) times.push(await timeOf(device, node, context, choice, repeats));
  const limit = hopeless * Math.min(...times);
  for (const index of [...choices.keys()].reverse())
    if (index === 0 || times[index] <= limit)
      times[index] = Math.min(times[index], await timeOf(device, node, context, choices[index], repeats));
  const best = times.indexOf(Math.min(...times));
  const kept = times[best] < (1 - leastGain) * times[0] ? best : 0;
  return { before: times[0], after: times[kept], choice: choices[kept], candidates: choices.length - 1 };
}

/** Milliseconds of one dispatch: the median of the repeats. */
async function timeOf(
  device: Device,
  node: Node,
  context: KernelContext,
  choice: Choice | null,
  repeats: number,
): Promise<number> {
  const plan = await compile(device, aloneAs(node, context), { optimise: false, tuning: fixed(choice) });
  try {
    return (await plan.profile(feedsOf(context), repeats))[0].milliseconds;
  } finally {
    plan.dispose();
    plan.parameters.dispose();
  }
}

/** The node with its stages as a graph of its own, on inputs x0, x1, …, at the batch of the context. */
function aloneAs(node: Node, { inputs, outputs }: KernelContext) {
  const feeds = inputs.map(({ shape, dtype }, index) => input(`x${index}`, shape, dtype));
  return { outputs: { y: new Node(node.op, feeds, node.attributes, outputs, node.label).outputs[0] } };
}

/** A tuning that gives every kernel the same choice. */
export const fixed = (choice: Choice | null): Tuning => ({
  choose: ({ op }) => (choice && op.candidates ? choice : undefined),
  toJSON: () => ({ choice }),
});

/** Operands; no kernel's time depends on them. */
function feedsOf({ inputs }: KernelContext): RunInputs {
  const feeds: Record<string, TypedArray> = {};
  inputs.forEach(({ shape, dtype }, index) => {
    const data = typedArray(dtype, sizeOf(shape));
    for (let at = 0; at < data.length; at++) data[at] = dtype === "f32" ? (at % 251) / 251 - 0.5 : at;
    feeds[`x${index}`] = data;
  });
  return feeds;
}
