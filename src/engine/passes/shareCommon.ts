import { type Graph, Node, rewrite, type Tensor } from "../graph.ts";

/** JSON writes NaN and the infinities as null and −0 as 0. */
const exactNumbers = (_: string, value: unknown): unknown =>
  typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))
    ? { number: Object.is(value, -0) ? "-0" : String(value) }
    : value;

/** Common subexpression elimination: nodes of one op with equal attributes and inputs become one. Dead code goes by itself. */
export function shareCommon(graph: Graph): Graph {
  const numbers = new Map<Node, number>();
  const numberOf = (node: Node): number => {
    const known = numbers.get(node);
    if (known !== undefined) return known;
    numbers.set(node, numbers.size);
    return numbers.size - 1;
  };
  const seen = new Map<string, readonly Tensor[]>();
  return rewrite(graph, (node, inputs) => {
    const { traits } = node.op;
    // Constants hold arrays: they are one only when they are the same node.
    if (traits.updates || traits.source === "constant") return undefined;
    let operands = inputs.map((input) => `${numberOf(input.node)}.${input.index}`);
    if (traits.commutative) operands = [...operands.slice(0, 2).sort(), ...operands.slice(2)];
    const key = `${node.op.name}(${operands.join()})${JSON.stringify(node.attributes, exactNumbers)}`;
    const known = seen.get(key);
    if (known) return known;
    const unchanged = inputs.every((input, index) => input === node.inputs[index]);
    const types = node.outputs.map((output) => output.type);
    const kept = unchanged ? node : new Node(node.op, inputs, node.attributes, types, node.label);
    seen.set(key, kept.outputs);
    return kept.outputs;
  });
}
