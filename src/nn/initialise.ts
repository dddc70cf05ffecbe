import { uniform } from "../engine/random.ts";
import { type Shape, sizeOf } from "../engine/types.ts";

/**
 * First values of a network's parameters from a seed: kernels uniform in ±√(6 / fan-in) (He et al. 2015), dense kernels uniform in
 * ±√(6 / (fan-in + fan-out)) (Glorot and Bengio 2010), γ and variances 1, the rest 0. The same name, shape and seed give the same numbers.
 */
export function initialise(
  parameters: ReadonlyMap<string, Shape>,
  seed: number,
): Map<string, Float32Array<ArrayBuffer>> {
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  let stream = 0;
  for (const [name, shape] of parameters) values.set(name, initialValue(name, shape, seed, stream++));
  return values;
}

function initialValue(name: string, shape: Shape, seed: number, stream: number): Float32Array<ArrayBuffer> {
  const data = new Float32Array(sizeOf(shape));
  if (/\/(gamma|moving_variance)$/.test(name)) return data.fill(1);
  if (!name.endsWith("/kernel")) return data;
  const bound = boundOf(shape);
  return data.map((_, index) => (2 * uniform(seed, stream, index) - 1) * bound);
}

function boundOf(shape: Shape): number {
  if (shape.length === 2) return Math.sqrt(6 / (shape[0] + shape[1]));
  // A depthwise kernel [h, w, C] sees one channel, a kernel [h, w, Cin, Cout] all of them.
  const fanIn = shape[0] * shape[1] * (shape.length === 4 ? shape[2] : 1);
  return Math.sqrt(6 / fanIn);
}
