import { type Graph, nodesOf, type Tensor } from "../graph.ts";

/** How many inputs, results and fetches read each tensor. */
export function countUses(graph: Graph): Map<Tensor, number> {
  const uses = new Map<Tensor, number>();
  const use = (tensor: Tensor): void => void uses.set(tensor, (uses.get(tensor) ?? 0) + 1);
  for (const node of nodesOf(graph)) node.inputs.forEach(use);
  Object.values(graph.outputs).forEach(use);
  return uses;
}
