import { type Graph, Node, rewrite, type Tensor } from "../graph.ts";
import type { Attributes, EpilogueStage } from "../op.ts";
import { sameShape } from "../types.ts";
import { countUses } from "./uses.ts";

/** Where a stage may stand: bias, then one activation, then an addition, then a mask. */
const ranks: Readonly<Record<EpilogueStage, number>> = { bias: 0, relu: 1, relu6: 1, add: 2, mask: 3 };

/**
 * Moves bias, activation and residual addition into the kernel that produces their input, when nothing else reads it.
 * A fetched value is read by the caller, so it is a barrier.
 */
export function fuseEpilogues(graph: Graph): Graph {
  const uses = countUses(graph);
  return rewrite(graph, (node, inputs) => {
    const trait = node.op.traits.epilogue;
    if (!trait) return undefined;
    const candidates = node.op.traits.commutative ? [1, 0] : [0];
    for (const main of candidates) {
      if (uses.get(node.inputs[main]) !== 1) continue;
      const operand = trait.operand === undefined ? undefined : inputs[trait.operand === main ? 0 : trait.operand];
      const fused = fuse(inputs[main], trait.stage, operand, node);
      if (fused) return fused.outputs;
    }
    return undefined;
  });
}

/** The producer of `main` with one stage more, whose attributes are added to its own; nothing when it cannot take the stage. */
export function fuse(
  main: Tensor,
  stage: EpilogueStage,
  operand: Tensor | undefined,
  user: Node,
  attributes?: Attributes,
): Node | undefined {
  const producer = main.node;
  if (!producer.op.traits.acceptsEpilogue || !sameShape(main.shape, user.outputs[0].shape)) return undefined;
  const stages: EpilogueStage[] = producer.attributes.epilogue ?? [];
  const last = stages[stages.length - 1];
  if (last && ranks[last] >= ranks[stage]) return undefined;
  if (stage === "add" && !(operand && sameShape(operand.shape, main.shape))) return undefined;
  const inputs = operand ? [...producer.inputs, operand] : producer.inputs;
  const fused = { ...producer.attributes, ...attributes, epilogue: [...stages, stage] };
  return new Node(producer.op, inputs, fused, [main.type], user.label ?? producer.label);
}
