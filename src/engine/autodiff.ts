import { GraphError, ShapeError } from "./errors.ts";
import { describe, type Node, type Tensor, topologicalOrder } from "./graph.ts";
import { add } from "./ops/binary.ts";
import { ones } from "./ops/sources.ts";
import { formatShape, formatType, sameShape } from "./types.ts";

/**
 * Reverse-mode differentiation (Griewank and Walther 2008) as ordinary nodes added to the graph.
 *
 * `y` is any f32 tensor; `seed` (same shape) is the vector of the vector–Jacobian product and defaults to ones, so that
 * for a batch of per-sample scores [N] the result is each sample's own gradient. Returns one tensor per `wrt`, of its
 * shape; only nodes between `wrt` and `y` are visited, so a frozen part costs nothing.
 * Throws a GraphError when `y` does not depend on a `wrt`, or when an op in between has no gradient.
 */
export function gradients(y: Tensor, wrt: readonly Tensor[], seed: Tensor = ones(y.type)): Tensor[] {
  if (!sameShape(seed.shape, y.shape))
    throw new ShapeError(
      `the seed of gradients() must have the shape of y, ${formatShape(y.shape)}, not ${formatShape(seed.shape)}`,
    );
  const order = topologicalOrder([y.node]);
  const between = dependents(order, wrt);
  const collected = new Map<Tensor, Tensor>();
  const accumulate = (tensor: Tensor, gradient: Tensor): void => {
    if (!sameShape(tensor.shape, gradient.shape))
      throw new GraphError(
        `gradient of ${describe(tensor.node)}: expected ${formatType(tensor.type)}, a rule gave ${formatType(gradient.type)}`,
      );
    const known = collected.get(tensor);
    collected.set(tensor, known ? add(known, gradient) : gradient);
  };
  accumulate(y, seed);
  for (const node of order.reverse()) {
    if (!between.has(node) || node.inputs.length === 0) continue;
    const upstream = node.outputs.map((output) => collected.get(output) ?? null);
    if (upstream.every((gradient) => gradient === null)) continue;
    if (!node.inputs.some((input) => isWanted(input, between, wrt))) continue;
    if (!node.op.gradient)
      throw new GraphError(
        `${describe(node)}: ${node.op.name} has no gradient rule; detach it or choose another layer`,
      );
    const results = node.op.gradient({
      inputs: node.inputs,
      outputs: node.outputs,
      attributes: node.attributes,
      upstream,
    });
    node.inputs.forEach((input, index) => {
      const gradient = results[index];
      if (gradient && isWanted(input, between, wrt)) accumulate(input, gradient);
    });
  }
  return wrt.map((tensor) => {
    const gradient = collected.get(tensor);
    if (!gradient)
      throw new GraphError(
        `${describe(y.node)} does not depend on ${describe(tensor.node)}; choose a node between the input and the score`,
      );
    return gradient;
  });
}

/** The nodes of the order that depend on one of the tensors. */
function dependents(order: readonly Node[], tensors: readonly Tensor[]): Set<Node> {
  const targets = new Set(tensors);
  const found = new Set<Node>();
  for (const node of order)
    if (node.inputs.some((input) => targets.has(input) || found.has(input.node))) found.add(node);
  return found;
}

const isWanted = (input: Tensor, between: ReadonlySet<Node>, wrt: readonly Tensor[]): boolean =>
  between.has(input.node) || wrt.includes(input);
