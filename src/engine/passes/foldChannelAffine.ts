import { apply, type Graph, makeNode, type Node, nodesOf, rewrite, type Tensor } from "../graph.ts";
import { biasAdd, channelScale } from "../ops/channel.ts";
import { hasBatch } from "../types.ts";
import { countUses } from "./uses.ts";

/**
 * Folds y = (W·x)·scale + shift into (W·scale)·x + shift wherever a linear op feeds a per-channel affine map that depends on
 * parameters alone: batch normalisation at inference then costs one addition, which the epilogue takes. The scaled weights
 * are nodes of the plan's prologue, so they follow the parameters' versions. The backward pass folds the same way, from
 * the side of the input.
 */
export function foldChannelAffine(graph: Graph): Graph {
  const uses = countUses(graph);
  const varying = varyingNodes(graph);
  return rewrite(graph, (node, inputs) => {
    const affine = node.op.traits.channelAffine;
    if (affine) {
      const linear = inputs[0].node;
      const isPrivate = uses.get(node.inputs[0]) === 1;
      const factors = node.inputs.slice(1).map((input) => input.node);
      if (isPrivate && linear.op.traits.linear?.scales === "output" && !factors.some((factor) => varying.has(factor))) {
        const scaled = scaleWeights(linear, inputs[affine.scale], linear.inputs[0]);
        return [affine.shift === undefined ? scaled : biasAdd(scaled, inputs[affine.shift], node.label)];
      }
    }
    if (node.op.traits.linear?.scales === "input") {
      const source = node.inputs[0].node;
      const trait = source.op.traits.channelAffine;
      if (trait && trait.shift === undefined && !varying.has(source.inputs[trait.scale].node)) {
        const scaledInput = inputs[0].node;
        if (!scaledInput.op.traits.channelAffine) return undefined;
        const self = makeNode(node.op, inputs, node.attributes, node.label);
        return [scaleWeights(self, scaledInput.inputs[trait.scale], scaledInput.inputs[0])];
      }
    }
    return undefined;
  });
}

/** The linear node again, from another input and with weights scaled along their last axis. */
function scaleWeights(linear: Node, factors: Tensor, x: Tensor): Tensor {
  const weights = linear.op.traits.linear?.weights ?? 1;
  const inputs = linear.inputs.map((input, index) =>
    index === 0 ? x : index === weights ? channelScale(input, factors) : input,
  );
  return apply(linear.op, inputs, linear.attributes, linear.label);
}

/** The nodes whose value can change from run to run without a parameter changing: by an input, or by the size of the batch. */
export function varyingNodes(graph: Graph): Set<Node> {
  const varying = new Set<Node>();
  for (const node of nodesOf(graph)) {
    const ownVariation = node.op.traits.source === "input" || node.op.traits.updates;
    const isBatched = node.outputs.some((output) => hasBatch(output.shape));
    if (ownVariation || isBatched || node.inputs.some((input) => varying.has(input.node))) varying.add(node);
  }
  return varying;
}
