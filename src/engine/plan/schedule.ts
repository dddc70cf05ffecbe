import { GraphError } from "../errors.ts";
import { type Graph, type Node, nodesOf, storageOf, type Tensor } from "../graph.ts";
import { varyingNodes } from "../passes/foldChannelAffine.ts";
import { byteSizeOf, typeAtBatch } from "../types.ts";

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
  // A node without inputs (a fill) is cheaper to run again than to keep, unless the prologue itself reads it.
  const isFree = (node: Node): boolean => node.inputs.length === 0;
  const kept = new Set(computed.filter((node) => !varying.has(node) && !isFree(node)));
  for (const node of [...kept])
    for (const { node: read } of node.inputs.map(storageOf)) if (isFree(read)) kept.add(read);
  return {
    sources: order.filter(({ op }) => op.traits.source),
    prologue: computed.filter((node) => kept.has(node)),
    main: insertUpdates(
      byMemory(
        computed.filter((node) => !kept.has(node)),
        new Set(Object.values(graph.outputs).map(storageOf)),
      ),
      order,
      graph.updates ?? [],
    ),
    storageOf,
  };
}

/**
 * The same nodes with less alive between them: one that writes less than it lets go runs right behind its inputs, one that writes
 * more right before its first reader.
 */
function byMemory(main: readonly Node[], outputs: ReadonlySet<Tensor>): Node[] {
  const order = [...main];
  const computed = new Set(main);
  const readers = new Map<Tensor, Node[]>();
  for (const node of main)
    for (const read of new Set(node.inputs.map(storageOf))) readers.set(read, [...(readers.get(read) ?? []), node]);
  const bytes = (tensor: Tensor): number => byteSizeOf(typeAtBatch(tensor.type, 1));
  const sum = (tensors: readonly Tensor[]): number => tensors.reduce((total, tensor) => total + bytes(tensor), 0);
  /** Bytes more that are alive after the node than before it, if it runs where `at` runs now. */
  const growth = (node: Node, at: Node): number => {
    const letsGo = (read: Tensor): boolean =>
      computed.has(read.node) &&
      !outputs.has(read) &&
      readers.get(read)!.every((reader) => reader === node || order.indexOf(reader) < order.indexOf(at));
    return sum(node.outputs) - sum([...new Set(node.inputs.map(storageOf))].filter(letsGo));
  };
  const move = (node: Node, to: number): void => {
    const from = order.indexOf(node);
    order.splice(from, 1);
    order.splice(from < to ? to - 1 : to, 0, node);
  };
  for (const node of main) {
    const inputs = new Set(node.inputs.map((read) => storageOf(read).node));
    if (growth(node, node) < 0) move(node, order.findLastIndex((other) => inputs.has(other)) + 1);
  }
  for (const node of [...order].reverse()) {
    const own = new Set(node.outputs.flatMap((output) => readers.get(output) ?? []));
    const first = order.find((other) => own.has(other));
    if (first && growth(node, first) > 0) move(node, order.indexOf(first));
  }
  return order;
}

/** What a value is stored in: parameters by name, because two nodes may stand for one. */
function storageKey(tensor: Tensor): Node | string {
  const { node } = storageOf(tensor);
  return node.op.traits.source === "parameter" ? (node.attributes.name as string) : node;
}

/** Each update goes right after the last node or update that reads one of its parameters or computes one of its inputs. */
function insertUpdates(main: readonly Node[], order: readonly Node[], updates: readonly Node[]): Node[] {
  if (updates.length === 0) return [...main];
  const position = new Map<Node | string, number>(main.map((node, index) => [node, index]));
  const lastReader = new Map<Node | string, number>();
  const read = (node: Node, at: number): void => {
    for (const input of node.inputs) {
      const key = storageKey(input);
      lastReader.set(key, Math.max(lastReader.get(key) ?? -1, at));
    }
  };
  for (const node of order) {
    const at = position.get(node);
    if (at !== undefined) read(node, at);
  }
  const after = new Map<number, Node[]>();
  for (const update of readersFirst(updates)) {
    const keys = update.inputs.map(storageKey);
    const at = Math.max(...keys.map((key) => Math.max(position.get(key) ?? -1, lastReader.get(key) ?? -1)));
    after.set(at, [...(after.get(at) ?? []), update]);
    read(update, at);
  }
  return [...(after.get(-1) ?? []), ...main.flatMap((node, index) => [node, ...(after.get(index) ?? [])])];
}

const updatedBy = (update: Node): (Node | string)[] =>
  (update.op.traits.updates ?? []).map((index) => storageKey(update.inputs[index]));

/** The updates in an order in which none changes a parameter before another has read it; throws where there is none. */
function readersFirst(updates: readonly Node[]): Node[] {
  const waiting = [...updates];
  const ready: Node[] = [];
  while (waiting.length > 0) {
    const index = waiting.findIndex((update) => {
      const changed = updatedBy(update);
      return !waiting.some(
        (other) => other !== update && other.inputs.some((input) => changed.includes(storageKey(input))),
      );
    });
    if (index < 0)
      throw new GraphError(
        `updates of ${waiting.flatMap(updatedBy).join(", ")} read each other's parameters, so one would read a new value; update them in one op`,
      );
    ready.push(...waiting.splice(index, 1));
  }
  return ready;
}
