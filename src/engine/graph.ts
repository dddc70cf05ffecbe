import { GraphError, ShapeError } from "./errors.ts";
import type { Attributes, Op } from "./op.ts";
import { type DType, formatType, type Shape, type TensorType } from "./types.ts";

let created = 0;

/** One application of an op. Immutable; a graph is whatever can be reached from its outputs. */
export class Node {
  /** Order of creation; only for printing and for a stable order of traversal. */
  readonly id = created++;
  readonly outputs: readonly Tensor[];
  constructor(
    readonly op: Op,
    readonly inputs: readonly Tensor[],
    readonly attributes: Attributes,
    types: readonly TensorType[],
    /** Names people point at, one per output at most (for MobileNetV2, Keras' layer names). */
    readonly label?: string,
  ) {
    this.outputs = types.map((type, index) => new Tensor(this, index, type));
  }
}

/** A value of the graph: an output of a node, with a type but without data. */
export class Tensor {
  constructor(
    readonly node: Node,
    readonly index: number,
    readonly type: TensorType,
  ) {}
  get shape(): Shape {
    return this.type.shape;
  }
  get dtype(): DType {
    return this.type.dtype;
  }
}

/** What is compiled and run: named results, and update nodes that change parameters in place. */
export interface Graph {
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly updates?: readonly Node[];
}

/** Applies an op; throws a ShapeError that names the op and the types it was given. */
export function makeNode(op: Op, inputs: readonly Tensor[], attributes: Attributes = {}, label?: string): Node {
  let types: readonly TensorType[];
  try {
    types = op.infer(
      inputs.map((input) => input.type),
      attributes,
    );
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    const given = inputs.map((input) => formatType(input.type)).join(", ");
    throw new ShapeError(`${label ? `${label}: ` : ""}${op.name}(${given}): ${error.message}`);
  }
  return new Node(op, inputs, attributes, types, label);
}

export const apply = (op: Op, inputs: readonly Tensor[], attributes: Attributes = {}, label?: string): Tensor =>
  makeNode(op, inputs, attributes, label).outputs[0];

/** The same value under a name that can be fetched, differentiated against, and shown. */
export function labelled(tensor: Tensor, label: string): Tensor {
  const { node } = tensor;
  if (node.label === label) return tensor;
  const copy = new Node(
    node.op,
    node.inputs,
    node.attributes,
    node.outputs.map((output) => output.type),
    label,
  );
  return copy.outputs[tensor.index];
}

/**
 * All nodes that the roots need, every node after its inputs, in an order that depends on the structure alone.
 * Nodes are immutable and made after their inputs, so there is no cycle to look for.
 */
export function topologicalOrder(roots: readonly Node[]): Node[] {
  const order: Node[] = [];
  const opened = new Set<Node>();
  const done = new Set<Node>();
  const stack: Node[] = [...roots].reverse();
  while (stack.length > 0) {
    const node = stack[stack.length - 1];
    if (!opened.has(node)) {
      opened.add(node);
      for (let index = node.inputs.length - 1; index >= 0; index--) {
        const input = node.inputs[index].node;
        if (!opened.has(input)) stack.push(input);
      }
      continue;
    }
    stack.pop();
    if (done.has(node)) continue;
    done.add(node);
    order.push(node);
  }
  return order;
}

export const rootsOf = (graph: Graph): Node[] => [
  ...Object.values(graph.outputs).map((tensor) => tensor.node),
  ...(graph.updates ?? []),
];

export const nodesOf = (graph: Graph): Node[] => topologicalOrder(rootsOf(graph));

/** The types of the graph's inputs by name. */
export const inputsOf = (graph: Graph): Map<string, TensorType> =>
  new Map(
    nodesOf(graph).flatMap(({ op, attributes, outputs }) =>
      op.traits.source === "input" ? [[attributes.name as string, outputs[0].type]] : [],
    ),
  );

/** How a node is named in messages: its label, or its op and number. */
export const describe = (node: Node): string => node.label ?? `${node.op.name}#${node.id}`;

/** The tensor whose storage a tensor uses: itself, or what it is a view of. */
export function storageOf(tensor: Tensor): Tensor {
  let current = tensor;
  while (current.node.op.traits.view) current = current.node.inputs[0];
  return current;
}

/** Every labelled value of the graph by its name. */
export function labelsOf(graph: Graph): Map<string, Tensor> {
  const labels = new Map<string, Tensor>();
  for (const node of nodesOf(graph)) if (node.label) labels.set(node.label, node.outputs[0]);
  return labels;
}

/** The value with this label; throws a GraphError that offers the nearest names. */
export function findLabel(graph: Graph, label: string): Tensor {
  const labels = labelsOf(graph);
  const found = labels.get(label);
  if (found) return found;
  const near = [...labels.keys()].filter((name) => name.includes(label) || label.includes(name)).slice(0, 5);
  const hint = near.length > 0 ? near.join(", ") : [...labels.keys()].slice(-5).join(", ");
  throw new GraphError(`no node is labelled "${label}"; choose one of the graph's labels, such as ${hint}`);
}

/**
 * Rebuilds a graph bottom-up. `replace` gets each node with its inputs already rewritten, and returns the values that
 * stand for its outputs, or nothing to keep it.
 */
export function rewrite(
  graph: Graph,
  replace: (node: Node, inputs: readonly Tensor[]) => readonly Tensor[] | undefined,
): Graph {
  const replaced = new Map<Node, readonly Tensor[]>();
  const replacedNodes = new Map<Node, Node>();
  for (const node of nodesOf(graph)) {
    const inputs = node.inputs.map((input) => (replaced.get(input.node) as readonly Tensor[])[input.index]);
    const result = replace(node, inputs);
    if (result) {
      replaced.set(node, result);
      continue;
    }
    const kept = inputs.every((input, index) => input === node.inputs[index])
      ? node
      : new Node(
          node.op,
          inputs,
          node.attributes,
          node.outputs.map((output) => output.type),
          node.label,
        );
    replaced.set(node, kept.outputs);
    replacedNodes.set(node, kept);
  }
  const outputs: Record<string, Tensor> = {};
  for (const [name, tensor] of Object.entries(graph.outputs))
    outputs[name] = (replaced.get(tensor.node) as readonly Tensor[])[tensor.index];
  const updates = graph.updates?.map((node) => replacedNodes.get(node) ?? node);
  return { outputs, updates };
}
