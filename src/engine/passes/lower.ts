import { type Graph, labelled, nodesOf, rewrite } from "../graph.ts";

/** Expands ops that are defined in terms of other ops, until only kernels, views and sources are left. */
export function lower(graph: Graph): Graph {
  let current = graph;
  while (nodesOf(current).some((node) => node.op.lower))
    current = rewrite(current, (node, inputs) => {
      if (!node.op.lower) return undefined;
      const results = node.op.lower(inputs, node.attributes);
      // A view or source keeps its own identity; only a computed result can carry the name.
      return node.label ? [labelled(results[0], node.label), ...results.slice(1)] : results;
    });
  return current;
}
