import type { Attributes, Binding, EpilogueStage, KernelCall } from "../op.ts";

const stagesOf = (attributes: Attributes): readonly EpilogueStage[] => attributes.epilogue ?? [];

/** The overrides of every kernel that accepts an epilogue: y = activation(sum + bias[c]) + residual. */
export function epilogueOverrides(attributes: Attributes): Record<string, number> {
  const stages = stagesOf(attributes);
  return {
    BIAS: stages.includes("bias") ? 1 : 0,
    ACTIVATION: stages.includes("relu") ? 1 : stages.includes("relu6") ? 2 : 0,
    RESIDUAL: stages.includes("add") ? 1 : 0,
  };
}

/** The bindings of bias and residual, zeros where a stage is left out; operands follow the `arity` inputs in the order of the stages. */
export const epilogueBindings = (attributes: Attributes, arity = 2): [Binding, Binding] => [
  operandOf("bias", attributes, arity),
  operandOf("add", attributes, arity),
];

function operandOf(stage: "bias" | "add" | "mask", attributes: Attributes, arity: number): Binding {
  const operands: readonly EpilogueStage[] = stagesOf(attributes).filter(
    (other) => other === "bias" || other === "add" || other === "mask",
  );
  return operands.includes(stage) ? { input: arity + operands.indexOf(stage) } : null;
}

/**
 * The call of a kernel that knows one-bit masks: the last stage reads the mask operand, and `attributes.writesMask` asks for a
 * mask of the result as output 1. Their bindings follow all others.
 */
export function withMasks(call: KernelCall, attributes: Attributes, arity = 2): KernelCall {
  const { maskRows, writesMask } = attributes;
  return {
    ...call,
    overrides: {
      ...call.overrides,
      MASK: maskRows ? 1 : 0,
      MASK_ROWS: maskRows ?? 8,
      // Nothing lies between 0 and the smallest number above it.
      MASK_BELOW: writesMask?.below ?? 1,
    },
    bindings: [
      ...(call.bindings as Binding[]),
      operandOf("mask", attributes, arity),
      writesMask ? { output: 1 } : "scratch",
    ],
  };
}
