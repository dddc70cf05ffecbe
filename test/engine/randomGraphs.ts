import { relativeL2 } from "../../src/engine/checkOp.ts";
import { compile } from "../../src/engine/compile.ts";
import type { Device } from "../../src/engine/device.ts";
import { type Graph, labelsOf, type Node, nodesOf, type Tensor } from "../../src/engine/graph.ts";
import { references } from "../../src/engine/ops/registry.ts";
import { ParameterStore } from "../../src/engine/parameters.ts";
import { runReference } from "../../src/engine/reference.ts";
import { Generator, type RandomGraph } from "./randomGraph.ts";

/**
 * The error that float32 may make, relative in L2. Each node rounds its result, and a sum of K terms errs by about
 * √K · 2⁻²⁴, by up to K · 2⁻²⁵ where all terms are equal and rounding is biased: 2e-5 per node on the longest path holds
 * for the up to 6,000 terms drawn (the promise: 1e-4 scaled by depth). Where the graph itself magnifies errors (a
 * difference of near equals), so does a float64 run that rounds every node's result to float32: its distance from the
 * exact run is what conditioning makes of single roundings, and is granted 32 times.
 */
const perNode = 2e-5;
const magnification = 32;

export interface Outcome {
  /** What went wrong, or null. */
  readonly fault: string | null;
  readonly nodes: number;
  /** The widest tolerance that was granted: a graph that is granted much is checked weakly. */
  readonly tolerance: number;
  readonly worst: number;
}

/** Runs the random graph of a seed in every way that must agree. */
export async function checkRandomGraph(device: Device, seed: number): Promise<Outcome> {
  const { random, exact, rounded, isNearKink } = drawSmooth(seed);
  const { graph, batch, inputs, parameters, fetch } = random;
  const nodes = nodesOf(graph).length;
  const store = new ParameterStore(device);
  for (const [name, { data, shape }] of Object.entries(parameters)) store.set(name, data, shape);
  let worst = 0;
  let widest = 0;
  const finish = (fault: string | null): Outcome => ({ fault, nodes, tolerance: widest, worst });
  const options = { parameters: store, maxBatch: Math.max(1, batch) };
  const variants = [
    { name: "optimised", fetch, reuse: true, poison: true },
    { name: "optimised, separate", fetch, reuse: false },
    { name: "as built", fetch: [], optimise: false, reuse: false, poison: true },
  ] as const;
  const results: Record<string, Float32Array>[] = [];
  try {
    for (const { name, ...variant } of variants) {
      const plan = await compile(device, graph, { ...options, ...variant });
      try {
        const got = (await plan.run(inputs)) as Record<string, Float32Array>;
        results.push(got);
        const stray = "poison" in variant ? await plan.strayWrites() : null;
        if (stray) return finish(`${name}: ${stray}`);
        for (const [key, want] of Object.entries(exact)) {
          if (!(key in got)) continue;
          const allowed = perNode * longestPath(graph, key) + magnification * relativeL2(rounded[key], want);
          const tolerance = isNearKink ? Number.POSITIVE_INFINITY : allowed;
          const distance = relativeL2(got[key], want);
          widest = Math.max(widest, tolerance);
          worst = Math.max(worst, distance / tolerance);
          if (!(distance <= tolerance))
            return finish(`${name}: ${key} is ${distance} from float64, above ${tolerance}`);
        }
      } finally {
        plan.dispose();
      }
    }
  } finally {
    store.dispose();
  }
  for (const [key, values] of Object.entries(results[0]))
    if (!values.every((value, index) => Object.is(value, results[1][key][index])))
      return finish(`reuse of memory changes bits of ${key}`);
  return finish(null);
}

interface Drawn {
  readonly random: RandomGraph;
  readonly exact: Record<string, Float64Array>;
  readonly rounded: Record<string, Float64Array>;
  /** True where no draw kept its distance: such a graph is checked for stray writes, NaN and reuse alone. */
  readonly isNearKink: boolean;
}

/** Derivatives jump at the kinks of an activation, where rounding decides the side: data that comes this near is drawn again. */
const kinkDistance = 4e-6;

function drawSmooth(seed: number): Drawn {
  for (let draw = 0; draw < 20; draw++) {
    const random = new Generator(seed, draw).generate();
    const outputs = { ...random.graph.outputs };
    const labels = labelsOf(random.graph);
    for (const label of random.fetch) outputs[label] = labels.get(label) as Tensor;
    const feeds = {
      ...random.inputs,
      ...Object.fromEntries(Object.entries(random.parameters).map(([name, { data }]) => [name, data])),
    };
    const run = (observe: (node: Node, results: readonly Float64Array[]) => readonly Float64Array[] | undefined) =>
      runReference({ outputs }, feeds, { references, batch: random.batch, observe }).outputs;
    let isNearKink = false;
    const values = new Map<Node, Float64Array>();
    const exact = run((node, results) => {
      values.set(node, results[0]);
      const clips = node.op.traits.epilogue?.stage.startsWith("relu");
      if (clips && nearKink(node.inputs[0].node, values.get(node.inputs[0].node))) isNearKink = true;
      return undefined;
    });
    if (isNearKink && draw < 19) continue;
    const rounded = run((_, results) => results.map((data) => data.map(Math.fround)));
    return { random, exact, rounded, isNearKink };
  }
  throw new Error("not reached: the last draw is taken as it is");
}

/** A clipped zero is exact on the GPU too; the colour formulas only come to 0 in exact arithmetic, as highest − chroma · 1. */
const isExactAtKink = ({ op }: Node): boolean => !op.name.startsWith("photometric");

function nearKink(producer: Node, values: Float64Array | undefined): boolean {
  if (!values) return false;
  const magnitude = Math.sqrt(values.reduce((total, value) => total + value * value, 0) / Math.max(1, values.length));
  const exempt = isExactAtKink(producer);
  return [0, 6].some((kink) =>
    values.some(
      (value) => !(exempt && value === kink) && Math.abs(value - kink) < kinkDistance * Math.max(magnitude, kink),
    ),
  );
}

function longestPath(graph: Graph, key: string): number {
  const root = graph.outputs[key] ?? (labelsOf(graph).get(key) as Tensor);
  const depth = new Map<Node, number>();
  for (const node of nodesOf({ outputs: { root } }))
    depth.set(node, 1 + Math.max(0, ...node.inputs.map((input) => depth.get(input.node) ?? 0)));
  return depth.get(root.node) as number;
}

export interface Campaign {
  readonly count: number;
  readonly nodes: number;
  readonly weak: number;
  readonly faults: readonly string[];
}

/** Checks `count` graphs from a seed on; each fault carries the seed that replays it alone. */
export async function checkRandomGraphs(device: Device, first: number, count: number): Promise<Campaign> {
  const faults: string[] = [];
  let nodes = 0;
  let weak = 0;
  for (let seed = first; seed < first + count; seed++) {
    const outcome = await checkRandomGraph(device, seed).catch(
      (error): Outcome => ({ fault: `${error.name}: ${error.message}`, nodes: 0, tolerance: 0, worst: 0 }),
    );
    nodes += outcome.nodes;
    if (outcome.tolerance > 1e-3) weak++;
    if (outcome.fault) faults.push(`TEPAL_GRAPH_SEED=${seed}: ${outcome.fault}`);
  }
  return { count, nodes, weak, faults };
}
