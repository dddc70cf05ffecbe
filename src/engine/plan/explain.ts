import { mebibytes } from "../device.ts";
import { describe } from "../graph.ts";
import { formatType } from "../types.ts";
import type { Step } from "./encoding.ts";
import type { Plan } from "./plan.ts";

/** A plan in words: what runs, in which order, where its values live and what each dispatch costs. */
export function explainPlan(
  plan: Plan,
  { prologue, main }: { prologue: readonly Step[]; main: readonly Step[] },
): string {
  const { memory, storage } = plan.layout;
  const flops = main.reduce((sum, { call }) => sum + call.flops, 0);
  const lines = [
    `${main.length} dispatches, ${(flops / 1e6).toFixed(1)} MFLOP at batch ${plan.chunk}; ${prologue.length} more when parameters change`,
    `activations ${mebibytes(memory.slabs.reduce((sum, bytes) => sum + bytes, 0))} in ${memory.slabs.length} slabs (${memory.slabs.map(mebibytes).join(", ")}); lower bound ${mebibytes(memory.lowerBound)}`,
  ];
  main.forEach(({ node, call }, index) => {
    const output = node.outputs[0];
    const place = output && storage.get(output);
    const where = place?.kind === "slab" ? `slab ${place.slab} + ${place.offset}` : "in place";
    const stages: string[] = [...(node.attributes.epilogue ?? []), ...(node.attributes.writesMask ? ["bits"] : [])];
    lines.push(
      [
        String(index).padStart(4),
        describe(node).padEnd(30),
        `${call.shader.name}.${call.entryPoint}${stages.map((stage) => ` +${stage}`).join("")}`.padEnd(40),
        (output ? formatType(output.type) : "update").padEnd(24),
        `${(call.flops / 1e6).toFixed(2)} MFLOP`.padStart(14),
        mebibytes(call.bytes).padStart(10),
        where,
      ].join("  "),
    );
  });
  return lines.join("\n");
}
