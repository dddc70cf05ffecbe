import { compile } from "../engine/compile.ts";
import type { Device } from "../engine/device.ts";
import { type Graph, type Node, nodesOf } from "../engine/graph.ts";
import { add } from "../engine/ops/binary.ts";
import { nonFiniteCount } from "../engine/ops/nonFinite.ts";
import type { ParameterStore } from "../engine/parameters.ts";
import type { RunInputs } from "../engine/plan/plan.ts";
import { hasBatch, sizeOf } from "../engine/types.ts";

/**
 * The first node, in the order of computation, with a value that is NaN or infinite; `null` when there is none. Computes the
 * outputs once more as they were built, without updates, counting in every node; only the counts are read back, so it needs
 * hardly more memory than the outputs do.
 * @param inputs values of the inputs that the outputs need.
 */
export async function firstNonFinite(
  device: Device,
  parameters: ParameterStore,
  outputs: Graph["outputs"],
  inputs: RunInputs,
): Promise<Node | null> {
  const all = nodesOf({ outputs });
  const nodes = all.filter((node) => node.outputs.some(({ dtype }) => dtype === "f32"));
  const counts = nodes.map((node) =>
    node.outputs
      .filter(({ dtype }) => dtype === "f32")
      .map((tensor) => nonFiniteCount(tensor))
      .reduce((sum, count) => add(sum, count)),
  );
  const graph: Graph = { outputs: Object.fromEntries(counts.map((count, index) => [String(index), count])) };
  const maxBatch = batchOf(all, inputs);
  const plan = await compile(device, graph, { parameters, maxBatch, optimise: false });
  try {
    const results = await plan.run(inputs);
    return nodes.find((_, index) => results[String(index)][0] !== 0) ?? null;
  } finally {
    plan.dispose();
  }
}

/** The number of samples that the inputs hold. */
function batchOf(nodes: readonly Node[], inputs: RunInputs): number {
  for (const { op, attributes } of nodes) {
    if (op.traits.source !== "input" || !hasBatch(attributes.type.shape)) continue;
    return inputs[attributes.name].length / sizeOf(attributes.type.shape.slice(1));
  }
  return 1;
}

/** A label with its op, or what an unlabelled node is. */
function describeOrigin(node: Node): string {
  const { op, attributes, label } = node;
  if (op.traits.source === "parameter") return `parameter ${attributes.name}`;
  if (op.traits.source === "input") return `input ${attributes.name}`;
  return label ? `${label} (op ${op.name})` : `op ${op.name}`;
}

/** What `firstNonFinite` finds, in words for a message: `NaN or infinity first in block_1_expand (op conv2d)`. */
export async function describeNonFinite(
  device: Device,
  parameters: ParameterStore,
  outputs: Graph["outputs"],
  inputs: RunInputs,
): Promise<string> {
  const node = await firstNonFinite(device, parameters, outputs, inputs);
  return node ? `NaN or infinity first in ${describeOrigin(node)}` : "NaN or infinity";
}
