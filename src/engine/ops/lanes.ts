import { flatGrid } from "../kernel.ts";
import type { AdapterTraits, KernelCall } from "../op.ts";
import { type Shape, sizeOf } from "../types.ts";

const maxWorkgroups = 65535;

/** Vectors of four that one invocation of a `…Vectors` entry point walks, a grid apart, unless the grid is at its limit. */
const vectorsPerInvocation = ({ software }: AdapterTraits): number => (software ? 16 : 4);

/**
 * The rung of a flat kernel, which treats all elements alike: whole vectors of four where every sample has them, so that the
 * choice does not depend on the batch; else one element per invocation. `items` is what the kernel counts.
 */
export function flatRung(
  entryPoint: string,
  shape: Shape,
  adapter: AdapterTraits,
): Pick<KernelCall, "entryPoint" | "grid"> & { items: number } {
  const count = sizeOf(shape);
  if (sizeOf(shape.slice(1)) % 4 !== 0) return { entryPoint, items: count, grid: flatGrid(count) };
  const [items, workgroup] = [count / 4, 64];
  const groups = Math.min(Math.ceil(items / (workgroup * vectorsPerInvocation(adapter))), maxWorkgroups);
  return { entryPoint: `${entryPoint}Vectors`, items, grid: groups > 0 ? [groups, 1, 1] : [0, 0, 0] };
}

/** Whether a kernel over columns (channels) can give each invocation four of them. */
export const inVectors = (columns: number): boolean => columns % 4 === 0 && columns <= 4 * maxWorkgroups;

/**
 * A two-dimensional grid over vectors of four columns and over rows: an invocation keeps its columns' numbers and walks rows
 * that lie a grid apart, so neither divides per element nor exceeds a limit. As many neighbours along a row as divide it,
 * so that the grid has its width exactly.
 */
export function columnGrid(
  rows: number,
  columns: number,
  adapter: AdapterTraits,
): Pick<KernelCall, "overrides" | "grid"> {
  const width = columns / 4;
  const across = [16, 8, 4, 2, 1].find((size) => width % size === 0) as number;
  const down = 64 / across;
  const blocks = Math.min(Math.ceil(rows / (down * vectorsPerInvocation(adapter))), maxWorkgroups);
  return { overrides: { WORKGROUP_X: across, WORKGROUP_Y: down }, grid: [width / across, blocks, 1] };
}

/** One invocation for each vector of four sums; small workgroups share few sums among the threads of a software adapter. */
export function sumGrid(vectors: number, { software }: AdapterTraits): Pick<KernelCall, "overrides" | "grid"> {
  const workgroup = software ? 16 : 64;
  return { overrides: { WORKGROUP: workgroup }, grid: flatGrid(vectors, workgroup) };
}

/**
 * How many invocations share one row of a reduction: a power of two up to a workgroup of 64, about 16 elements each.
 * It follows from the row's length alone, so a result does not depend on the batch or the adapter.
 */
export function lanesFor(length: number): number {
  let lanes = 1;
  while (lanes < 64 && 16 * lanes < length) lanes *= 2;
  return lanes;
}

/**
 * Into how many partial sums a reduction over `perSample` elements of each sample is cut: about its square root, so that many
 * invocations share the work. The batch does not count, so the order of a sum over one sample is always the same.
 */
export function splitsFor(perSample: number): number {
  return perSample <= 128 ? 1 : Math.min(512, Math.ceil(Math.sqrt(perSample)));
}
