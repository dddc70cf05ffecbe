import { GraphError } from "../errors.ts";
import { describe, type Graph, type Node, nodesOf, storageOf } from "../graph.ts";
import { maskType } from "../ops/bitMasks.ts";
import { formatType, hasBatch, sameShape } from "../types.ts";

/** Checks the rules that every pass must keep; `after` names the pass in the message. */
export function validate(graph: Graph, after: string): Graph {
  const fail = (node: Node, rule: string): never => {
    throw new GraphError(`after ${after}: ${describe(node)} (${node.op.name}): ${rule}`);
  };
  const updated = new Map<string, Node>();
  for (const node of nodesOf(graph)) {
    const { traits } = node.op;
    checkTypes(node, fail);
    for (const input of node.inputs)
      if (input.node.op.traits.updates)
        fail(node, `reads ${describe(input.node)}, but an update has no result; read the parameter in another run`);
    for (const index of traits.updates ?? []) {
      const parameter = node.inputs[index].node;
      if (parameter.op.traits.source !== "parameter") fail(node, `updates input ${index}, which is not a parameter`);
      const name: string = parameter.attributes.name;
      const other = updated.get(name);
      if (other && other !== node)
        fail(node, `parameter ${name} is already updated by ${describe(other)}; one update per run`);
      updated.set(name, node);
    }
  }
  for (const [name, tensor] of Object.entries(graph.outputs)) {
    const { node } = storageOf(tensor);
    const update = node.op.traits.source === "parameter" && updated.get(node.attributes.name);
    if (update)
      fail(node, `is output "${name}" and updated by ${describe(update)} in one run; read it from the store instead`);
  }
  for (const node of graph.updates ?? [])
    if (!node.op.traits.updates) fail(node, "is listed as an update but changes no parameter");
  return graph;
}

function checkTypes(node: Node, fail: (node: Node, rule: string) => never): void {
  const inputs = node.inputs.slice(0, node.op.arity).map((input) => input.type);
  const inferred = [...node.op.infer(inputs, node.attributes)];
  if (node.attributes.writesMask) inferred.push(maskType(inferred[0], node.attributes.writesMask.rows));
  const stages: readonly string[] = node.attributes.epilogue ?? [];
  const operands = stages.filter((stage) => ["bias", "add", "mask"].includes(stage)).length;
  if (node.inputs.length !== node.op.arity + operands)
    fail(node, `expected ${node.op.arity + operands} inputs, found ${node.inputs.length}`);
  if (inferred.length !== node.outputs.length)
    fail(node, `expected ${inferred.length} outputs, found ${node.outputs.length}`);
  inferred.forEach((type, index) => {
    const found = node.outputs[index].type;
    if (type.dtype !== found.dtype || !sameShape(type.shape, found.shape))
      fail(node, `output ${index} should be ${formatType(type)}, the node says ${formatType(found)}`);
    if (found.shape.slice(1).some((size) => size < 0))
      fail(node, `only the first dimension may be the batch, found ${formatType(found)}`);
  });
  if (node.op.traits.updates && node.inputs.some((input) => hasBatch(input.shape)))
    fail(node, "an update cannot read a batched value; reduce it first");
}
