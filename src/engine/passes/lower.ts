import { apply, type Graph, labelled, nodesOf, rewrite, type Tensor } from "../graph.ts";

/** Expands ops that are defined in terms of other ops, until only kernels, views and sources are left. */
export function lower(graph: Graph): Graph {
  let current = graph;
  while (nodesOf(current).some((node) => node.op.lower))
    current = rewrite(current, (node, inputs) => {
      if (!node.op.lower) return undefined;
      const results = node.op.lower(inputs, node.attributes);
      return node.label ? [carryLabel(results[0], node.label), ...results.slice(1)] : results;
    });
  return current;
}

/** The name goes to the result, and through a view to the node that computes it, whose dispatch people will see. */
function carryLabel(tensor: Tensor, label: string): Tensor {
  const { node } = tensor;
  if (!node.op.traits.view) return labelled(tensor, label);
  const inner = node.inputs[0].node.op.traits.source ? node.inputs[0] : carryLabel(node.inputs[0], label);
  return apply(node.op, [inner], node.attributes, label);
}
