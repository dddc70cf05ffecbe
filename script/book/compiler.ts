/** The running example of the compiler's chapter: MobileNetV2 before and after each pass, and its values in memory. */
import { openSubject } from "../../src/cli/kernels/measure.ts";
import { backwardGraph, inferenceGraph } from "../../src/cli/kernels/placement.ts";
import { Device } from "../../src/engine/device.ts";
import { describe, type Graph, nodesOf } from "../../src/engine/graph.ts";
import { runPasses } from "../../src/engine/passes/index.ts";
import { layOut } from "../../src/engine/plan/layout.ts";
import type { Plan } from "../../src/engine/plan/plan.ts";
import { schedule } from "../../src/engine/plan/schedule.ts";
import { openNullGpu } from "../../src/engine/softwareAdapter.node.ts";
import { formatShape } from "../../src/engine/types.ts";

/** What a graph would cost if the compiler stopped here. */
export interface Stage {
  readonly name: string;
  readonly nodes: number;
  readonly sources: number;
  readonly dispatches: number;
  readonly prologue: number;
  /** Bytes of activations at batch 1: as planned, with a buffer for each value, and the bound below which no plan gets. */
  readonly slabs: number;
  readonly separate: number;
  readonly lowerBound: number;
  /** The nodes of one block, in order. */
  readonly block: readonly string[];
}

export interface SlabUse {
  readonly name: string;
  readonly slab: number;
  readonly offset: number;
  readonly bytes: number;
  /** The first and last dispatch that the value lives in. */
  readonly from: number;
  readonly to: number;
}

/** The block whose nodes are shown: the first with an expansion and a residual addition. */
export const shownBlock = "block_2_";

const maxSlab = 2 ** 30;

function blockOf(graph: Graph): string[] {
  const isShown = (label: string | undefined): boolean => label?.startsWith(shownBlock) === true;
  return nodesOf(graph)
    .filter(({ op, label }) => !op.traits.source && isShown(label))
    .map((node) => {
      const stages: string[] = [...(node.attributes.epilogue ?? []), ...(node.attributes.writesMask ? ["bits"] : [])];
      const name = `${node.op.name}${stages.map((stage) => ` +${stage}`).join("")}`;
      return `${describe(node).padEnd(26)} ${name.padEnd(34)} ${formatShape(node.outputs[0].shape)}`;
    });
}

function stageOf(name: string, graph: Graph): Stage {
  const plan = schedule(graph);
  const { memory } = layOut(graph, plan, { batch: 1, maxSlab, reuse: true });
  const separate = layOut(graph, plan, { batch: 1, maxSlab, reuse: false }).memory;
  const total = (slabs: readonly number[]): number => slabs.reduce((sum, bytes) => sum + bytes, 0);
  return {
    name,
    nodes: nodesOf(graph).length - plan.sources.length,
    sources: plan.sources.length,
    dispatches: plan.main.length,
    prologue: plan.prologue.length,
    slabs: total(memory.slabs),
    separate: total(separate.slabs),
    lowerBound: memory.lowerBound,
    block: blockOf(graph),
  };
}

/** The graph as it was built and after each pass. */
function stagesOf(graph: Graph): Stage[] {
  const stages: Stage[] = [];
  runPasses(graph, { optimise: true, onPass: (name, after) => stages.push(stageOf(name, after)) });
  return stages;
}

/** Where each value of a plan lies, and from its dispatch to its last reader. */
function slabUsesOf({ graph, schedule: { main, storageOf }, layout }: Plan): SlabUse[] {
  const last = new Map(main.flatMap((node, step) => node.outputs.map((output) => [output, step])));
  main.forEach(({ inputs }, step) => {
    for (const operand of inputs.map(storageOf)) if (last.has(operand)) last.set(operand, step);
  });
  for (const output of Object.values(graph.outputs)) last.set(storageOf(output), main.length - 1);
  return main.flatMap((node, from) =>
    node.outputs.flatMap((output) => {
      const place = layout.storage.get(output);
      if (place?.kind !== "slab") return [];
      return [{ ...place, name: describe(node), from, to: last.get(output) ?? from }];
    }),
  );
}

export interface CompilerExample {
  readonly inference: readonly Stage[];
  readonly backward: readonly Stage[];
  readonly explain: string;
  readonly slabs: readonly number[];
  readonly uses: readonly SlabUse[];
  readonly dispatches: number;
}

/** Compiles MobileNetV2 with seeded weights on Dawn's null adapter, which computes nothing and is everywhere. */
export async function compilerExample(): Promise<CompilerExample> {
  const { adapter, description } = await openNullGpu();
  const { plan, dispose } = await openSubject(await Device.open(adapter, description), 224, 1);
  try {
    return {
      inference: stagesOf(inferenceGraph()),
      backward: stagesOf(backwardGraph()),
      explain: plan.explain(),
      slabs: plan.layout.memory.slabs,
      uses: slabUsesOf(plan),
      dispatches: plan.dispatches,
    };
  } finally {
    dispose();
  }
}
