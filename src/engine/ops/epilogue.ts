import type { Attributes, Binding, EpilogueStage } from "../op.ts";

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
export function epilogueBindings(attributes: Attributes, arity = 2): [Binding, Binding] {
  const operands = stagesOf(attributes).filter((stage): stage is "bias" | "add" => stage === "bias" || stage === "add");
  const bindingOf = (stage: "bias" | "add"): Binding =>
    operands.includes(stage) ? { input: arity + operands.indexOf(stage) } : null;
  return [bindingOf("bias"), bindingOf("add")];
}
