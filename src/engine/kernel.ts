import { LimitError } from "./errors.ts";
import type { Binding, UniformWord } from "./op.ts";

const maxWorkgroups = 65535;

/**
 * The grid of a kernel that numbers its invocations in one line: `id.x + id.y * groups.x * WORKGROUP`.
 * Beyond 65,535 workgroups it folds into a second dimension; kernels guard the rest.
 */
export function flatGrid(items: number, workgroup = 64): readonly [number, number, number] {
  const groups = Math.ceil(items / workgroup);
  if (groups <= maxWorkgroups) return [groups, groups > 0 ? 1 : 0, groups > 0 ? 1 : 0];
  const rows = Math.ceil(groups / maxWorkgroups);
  if (rows > maxWorkgroups) throw new LimitError(`${items} invocations exceed the grid limit; use a smaller batch`);
  return [Math.ceil(groups / rows), rows, 1];
}

export const bindInput = (input: number): Binding => ({ input });
export const bindOutput = (output: number): Binding => ({ output });

export const float = (value: number): UniformWord => ({ f32: value });
