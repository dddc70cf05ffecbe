/** Cuts a graph where its frozen part ends, so that what the frozen part gives is computed once for each image. */
import { type Graph, type Node, nodesOf, rewrite, type Tensor } from "../engine/graph.ts";
import { input } from "../engine/ops/sources.ts";
import { hasBatch, sizeOf } from "../engine/types.ts";

export interface FrozenCut {
  /** The values at the cut, as nodes of the frozen part, by the names of the inputs that stand for them in `graph`. */
  readonly frontier: Readonly<Record<string, Tensor>>;
  /** What is left, reading those inputs. */
  readonly graph: Graph;
  /** Bytes of the frontier for each sample. */
  readonly bytesPerSample: number;
}

/**
 * The graph without its largest part that no run changes: what depends neither on the parameters `changing` nor on the inputs
 * `fed` anew. The values at its border become inputs [N, …]. Null when nothing with parameters would be saved.
 */
export function cutFrozenPart(
  graph: Graph,
  { changing, fed }: { readonly changing: ReadonlySet<string>; readonly fed: ReadonlySet<string> },
): FrozenCut | null {
  const varying = new Set<Node>();
  const weighted = new Set<Node>();
  for (const node of nodesOf(graph)) {
    const { source, updates } = node.op.traits;
    const isChanged = source === "parameter" && changing.has(node.attributes.name);
    const isFed = source === "input" && fed.has(node.attributes.name);
    const from = node.inputs.map((tensor) => tensor.node);
    if (isChanged || isFed || updates || from.some((one) => varying.has(one))) varying.add(node);
    if (source === "parameter" || from.some((one) => weighted.has(one))) weighted.add(node);
  }
  const border = new Map<Tensor, Tensor>();
  const visit = (tensor: Tensor): void => {
    if (varying.has(tensor.node) || !hasBatch(tensor.shape) || border.has(tensor)) return;
    border.set(tensor, input(`frozen_${border.size}`, tensor.shape, tensor.dtype));
  };
  for (const node of varying) node.inputs.forEach(visit);
  for (const tensor of Object.values(graph.outputs)) visit(tensor);
  const tensors = [...border.keys()];
  if (tensors.some(({ dtype, node }) => dtype !== "f32" || !weighted.has(node)) || tensors.length === 0) return null;
  const borderNodes = new Set(tensors.map(({ node }) => node));
  return {
    frontier: Object.fromEntries([...border].map(([tensor, stand]) => [stand.node.attributes.name, tensor])),
    graph: rewrite(graph, (node) =>
      borderNodes.has(node) ? node.outputs.map((output) => border.get(output) ?? output) : undefined,
    ),
    bytesPerSample: tensors.reduce((bytes, { shape }) => bytes + 4 * sizeOf(shape.slice(1)), 0),
  };
}
