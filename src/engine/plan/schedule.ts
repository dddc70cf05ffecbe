import { type Graph, type Node, nodesOf, type Tensor } from "../graph.ts";
import { varyingNodes } from "../passes/foldChannelAffine.ts";

/** The nodes that dispatch something, in the order they run. */
export interface Schedule {
  /** What depends on parameters alone: run again only when one of them changed. */
  readonly prologue: readonly Node[];
  readonly main: readonly Node[];
  readonly sources: readonly Node[];
  /** The tensor whose storage a tensor uses: itself, or what it is a view of. */
  readonly storageOf: (tensor: Tensor) => Tensor;
}

export function schedule(graph: Graph): Schedule {
  const order = nodesOf(graph);
  const varying = varyingNodes(graph);
  const computed = order.filter(({ op }) => !op.traits.source && !op.traits.view && !op.traits.updates);
  return {
    sources: order.filter(({ op }) => op.traits.source),
    prologue: computed.filter((node) => !varying.has(node) && !isFree(node)),
    main: insertUpdates(
      computed.filter((node) => varying.has(node) || isFree(node)),
      order,
      graph.updates ?? [],
    ),
    storageOf,
  };
}

// A node without inputs (a fill) is cheaper to run again than to keep.
const isFree = (node: Node): boolean => node.inputs.length === 0;

function storageOf(tensor: Tensor): Tensor {
  let current = tensor;
  while (current.node.op.traits.view) current = current.node.inputs[0];
  return current;
}

/** Each update goes right after the last node that reads one of its parameters or computes one of its inputs. */
function insertUpdates(main: readonly Node[], order: readonly Node[], updates: readonly Node[]): Node[] {
  if (updates.length === 0) return [...main];
  const position = new Map(main.map((node, index) => [node, index]));
  const lastReader = new Map<Node, number>();
  for (const node of order) {
    const at = position.get(node);
    if (at === undefined) continue;
    for (const input of node.inputs) {
      const source = storageOf(input).node;
      lastReader.set(source, Math.max(lastReader.get(source) ?? -1, at));
    }
  }
  const after = new Map<number, Node[]>();
  for (const update of updates) {
    const inputs = update.inputs.map((input) => storageOf(input).node);
    const at = Math.max(...inputs.map((node) => Math.max(position.get(node) ?? -1, lastReader.get(node) ?? -1)));
    after.set(at, [...(after.get(at) ?? []), update]);
  }
  return [...(after.get(-1) ?? []), ...main.flatMap((node, index) => [node, ...(after.get(index) ?? [])])];
}
