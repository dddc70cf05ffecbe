import type { AdapterTraits, OpEntry, Shader } from "../../engine/op.ts";
import { registry } from "../../engine/ops/registry.ts";
import { entryPointsOf, headerOf } from "../../engine/shaderSource.ts";

/** A shader file, and the ops that it serves. */
export interface ShaderEntry {
  readonly shader: Shader;
  /** The first line of its header comment. */
  readonly summary: string;
  readonly entryPoints: readonly string[];
  readonly ops: readonly string[];
}

/** WebGPU's guaranteed minimum, for which every op has a kernel. */
export const hardware: AdapterTraits = { software: false, maxInvocations: 256, subgroupSize: 0, float16: false };
/** An adapter for which some ops have another kernel. */
export const software: AdapterTraits = { software: true, maxInvocations: 256, subgroupSize: 8, float16: false };
const adapters: readonly AdapterTraits[] = [hardware, software];

function shadersOf({ op, cases }: OpEntry): Shader[] {
  const { kernel } = op;
  if (!kernel) return [];
  return cases.flatMap(({ inputs, attributes = {} }) => {
    const types = inputs.map(({ shape, dtype = "f32" }) => ({ dtype, shape }));
    const outputs = op.infer(types, attributes);
    return adapters.map((adapter) => kernel({ inputs: types, outputs, attributes, adapter }).shader);
  });
}

/** Every shader that an op of the registry dispatches, by name; needs no GPU. */
export function catalogue(): Map<string, ShaderEntry> {
  const found = new Map<string, { shader: Shader; ops: Set<string> }>();
  for (const entry of registry)
    for (const shader of shadersOf(entry)) {
      const known = found.get(shader.name) ?? { shader, ops: new Set<string>() };
      known.ops.add(entry.op.name);
      found.set(shader.name, known);
    }
  const sorted = [...found].sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(
    sorted.map(([name, { shader, ops }]) => {
      const summary = headerOf(shader.code)[0] ?? "";
      return [name, { shader, summary, entryPoints: entryPointsOf(shader.code), ops: [...ops] }];
    }),
  );
}
