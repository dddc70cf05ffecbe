/** Where MobileNetV2's plans use a kernel, and with which grid and tile: from graphs alone, without a GPU. */
import { gradients } from "../../engine/autodiff.ts";
import type { Graph, Node } from "../../engine/graph.ts";
import type { AdapterTraits, KernelCall, OpEntry } from "../../engine/op.ts";
import { sum } from "../../engine/ops/reduce.ts";
import { registry } from "../../engine/ops/registry.ts";
import { input } from "../../engine/ops/sources.ts";
import { runPasses } from "../../engine/passes/index.ts";
import { contextOf } from "../../engine/plan/encoding.ts";
import { schedule } from "../../engine/plan/schedule.ts";
import { BATCH, type Shape, sizeOf } from "../../engine/types.ts";
import { mobileNetV2 } from "../../nn/mobilenetV2.ts";
import { workgroupOf } from "./anatomy.ts";
import { hardware, software } from "./catalogue.ts";

/** One specialisation of a kernel on one size of tensors. */
export interface Placement {
  readonly call: KernelCall;
  readonly output: Shape;
  /** The network's layers with exactly this dispatch; empty for a case of the op's tests. */
  readonly layers: readonly string[];
  readonly origin: "inference" | "backward pass" | "tests";
  readonly workgroup: readonly [number, number, number];
  /** Outputs of one invocation. */
  readonly tile: Tile;
}

/** Outputs of one invocation along the rows and columns of a grid of two dimensions, or only how many on a flat grid. */
export type Tile = { readonly rows: number; readonly columns: number } | { readonly outputs: number };

const size = 224;

/** MobileNetV2 with 1,000 classes on images of 224 px: the graph that classifies. */
export function inferenceGraph(): Graph {
  const { logits } = mobileNetV2(input("images", [BATCH, size, size, 3]), { classes: 1000 });
  return { outputs: { logits: logits! } };
}

/** The same with the gradients of all weights and of the image. */
export function backwardGraph(): Graph {
  const images = input("images", [BATCH, size, size, 3]);
  const { logits, trainable } = mobileNetV2(images, { classes: 1000 });
  const wrt = [images, ...trainable.values()];
  const results = gradients(sum(logits!, [1]), wrt);
  return { outputs: Object.fromEntries([logits!, ...results].map((tensor, index) => [`y${index}`, tensor])) };
}

function tileOf(call: KernelCall, output: Shape, [x, y]: readonly number[]): Tile {
  const columns = output.at(-1) ?? 1;
  const elements = sizeOf(output);
  const rows = elements / columns;
  const [gridX, gridY, gridZ] = call.grid;
  // On a grid of two dimensions x goes along the columns; a split or a matrix of its own lies along z.
  if ((y > 1 || gridY > 1 || gridZ > 1) && (gridX - 1) * x < columns)
    return { rows: Math.ceil(rows / gridZ / (gridY * y)), columns: Math.ceil(columns / (gridX * x)) };
  return { outputs: Math.ceil(elements / (gridX * x * gridY * y * gridZ)) };
}

function placementOf(call: KernelCall, output: Shape, origin: Placement["origin"], layers: string[]): Placement {
  const workgroup = workgroupOf(call.shader.code, call.entryPoint, call.overrides ?? {});
  return { call, output, layers, origin, workgroup, tile: tileOf(call, output, workgroup) };
}

const nameOf = (node: Node): string => {
  const source = node.inputs.map((operand) => operand.node).find(({ op }) => op.traits.source === "parameter");
  return node.label ?? source?.attributes.name.split("/")[0] ?? node.op.name;
};

function inGraph(graph: Graph, adapter: AdapterTraits, origin: Placement["origin"]): Placement[] {
  const { prologue, main } = schedule(runPasses(graph, { optimise: true }));
  const found = new Map<string, Placement & { layers: string[] }>();
  for (const node of [...prologue, ...main]) {
    const context = contextOf(node, 1, adapter);
    const call = node.op.kernel!(context);
    const output = context.outputs[0]?.shape ?? context.inputs[0].shape;
    const { shader, entryPoint, overrides = {}, grid } = call;
    const key = JSON.stringify([shader.name, entryPoint, Object.entries(overrides).sort(), grid, output]);
    const known = found.get(key);
    if (known) known.layers.push(nameOf(node));
    else {
      const layers = [nameOf(node)];
      found.set(key, { ...placementOf(call, output, origin, layers), layers });
    }
  }
  return [...found.values()];
}

function inTests({ op, cases }: OpEntry, adapter: AdapterTraits): Placement[] {
  if (!op.kernel) return [];
  return cases.map(({ inputs, attributes = {} }) => {
    const types = inputs.map(({ shape, dtype = "f32" as const }) => ({ dtype, shape }));
    const outputs = op.infer(types, attributes);
    const call = op.kernel!({ inputs: types, outputs, attributes, adapter });
    return placementOf(call, outputs[0]?.shape ?? types[0].shape, "tests", []);
  });
}

/** The best known use of each entry point: `shader.entryPoint` to placements, those of the network before those of tests. */
export function placements(): Map<string, Placement[]> {
  const found = new Map<string, Placement[]>();
  const take = (all: readonly Placement[], isWanted: (known: readonly Placement[]) => boolean): void => {
    const earlier = new Map(found);
    for (const placement of all) {
      const key = `${placement.call.shader.name}.${placement.call.entryPoint}`;
      if (isWanted(earlier.get(key) ?? [])) found.set(key, [...(found.get(key) ?? []), placement]);
    }
  };
  const isNew = (known: readonly Placement[]): boolean => known.length === 0;
  const graphs = [
    [inferenceGraph(), "inference"],
    [backwardGraph(), "backward pass"],
  ] as const;
  for (const [graph, origin] of graphs)
    for (const adapter of [hardware, software]) take(inGraph(graph, adapter, origin), isNew);
  for (const entry of registry)
    for (const adapter of [hardware, software]) take(inTests(entry, adapter).slice(0, 1), isNew);
  // An entry point that only an odd case of the tests reaches.
  for (const entry of registry) take(inTests(entry, hardware), isNew);
  return found;
}
