import { gradients } from "../../engine/autodiff.ts";
import { relativeL2 } from "../../engine/checkOp.ts";
import { compile } from "../../engine/compile.ts";
import type { Device } from "../../engine/device.ts";
import { FileError, GraphError, LimitError, ShapeError } from "../../engine/errors.ts";
import type { Tensor } from "../../engine/graph.ts";
import { input } from "../../engine/ops/sources.ts";
import { formatShape, sameShape, type TypedArray } from "../../engine/types.ts";
import { type StoredTensor, toFloat32, toFloat64 } from "../../nn/formats/safetensors.ts";
import type { BrokenCase, ReferenceCase } from "./cases.ts";
import { findOp, type Reading } from "./ops.ts";
import { readSettings } from "./settings.ts";

/** Relative L2 distances of the GPU from the file. `Infinity` stands for NaN or an infinity on either side. */
export interface CaseResult {
  readonly name: string;
  readonly forward: number;
  /** By input; null where the file has no gradient. */
  readonly gradients: readonly (number | null)[];
  readonly worst: number;
  readonly ok: boolean;
  /** Stride, padding, axes or ε that were found by trying, because the name leaves a choice. */
  readonly reading?: string;
  /** Why the case could not be run. */
  readonly error?: string;
}

/**
 * Below this share of the cotangent's norm a gradient is what float64 leaves of an exact zero: then the error is measured
 * against the cotangent.
 */
const roundingOfZero = 1e-12;

const norm = (values: ArrayLike<number>): number => Math.sqrt(Array.from(values).reduce((sum, v) => sum + v * v, 0));

/** ‖got − want‖ / ‖want‖; infinite when either side holds something that is not a finite number. */
function distance(got: ArrayLike<number>, want: Float64Array, scale = 0): number {
  const finite = (values: ArrayLike<number>): boolean => Array.from(values).every(Number.isFinite);
  if (!finite(want) || !finite(got)) return Number.POSITIVE_INFINITY;
  const size = norm(want);
  const error = relativeL2(got, want);
  return size > 0 && size < roundingOfZero * scale ? (error * size) / scale : error;
}

/** The values as the op wants them: f32, or whole numbers as i32. */
function operand(tensor: StoredTensor, index: number, integers: readonly number[]): TypedArray {
  if (!integers.includes(index)) return toFloat32(tensor);
  const values = toFloat64(tensor);
  const odd = values.find((value) => (value | 0) !== value);
  if (odd !== undefined) throw new FileError(`expected whole numbers in in${index}, found ${odd}`);
  return Int32Array.from(values);
}

interface Prepared {
  readonly feeds: Record<string, TypedArray>;
  readonly inputs: readonly Tensor[];
  readonly readings: readonly Reading[];
}

function prepare({ op: name, description, inputs: stored, out }: ReferenceCase): Prepared {
  const shapes = stored.map(({ shape }) => shape);
  const op = findOp(name, shapes);
  if (!op.arity.includes(stored.length))
    throw new ShapeError(`expected ${op.arity.join(" or ")} inputs of ${name}, found ${stored.length}`);
  const feeds: Record<string, TypedArray> = {};
  const inputs = stored.map((tensor, index) => {
    const data = operand(tensor, index, op.integers ?? []);
    feeds[`in${index}`] = data;
    return input(`in${index}`, tensor.shape, data instanceof Int32Array ? "i32" : "f32");
  });
  const readings = op.build({ inputs, output: out.shape, settings: readSettings(description) });
  const fitting = readings.filter(({ y }) => sameShape(y.shape, out.shape));
  if (fitting.length === 0)
    throw new ShapeError(
      `expected out of the shape that ${name} gives, ${formatShape(readings[0].y.shape)}, found ${formatShape(out.shape)}`,
    );
  return { feeds, inputs, readings: fitting };
}

async function measure(device: Device, { y }: Reading, { feeds, inputs }: Prepared, reference: ReferenceCase) {
  const outputs: Record<string, Tensor> = { out: y };
  const values = { ...feeds };
  const numbers = [...reference.gradients.keys()];
  if (reference.cotangent && numbers.length > 0) {
    values.cotangent = toFloat32(reference.cotangent);
    const wrt = numbers.map((number) => inputs[number]);
    const found = gradients(y, wrt, input("cotangent", y.shape));
    found.forEach((gradient, index) => {
      outputs[`grad${numbers[index]}`] = gradient;
    });
  }
  const plan = await compile(device, { outputs });
  try {
    const got = await plan.run(values);
    const scale = reference.cotangent ? norm(toFloat64(reference.cotangent)) : 0;
    return {
      forward: distance(got.out, toFloat64(reference.out)),
      gradients: inputs.map((_, index) => {
        const want = reference.gradients.get(index);
        return want ? distance(got[`grad${index}`], toFloat64(want), scale) : null;
      }),
    };
  } finally {
    plan.dispose();
    plan.parameters.dispose();
  }
}

const failure = (name: string, error: string): CaseResult => ({
  name,
  forward: Number.POSITIVE_INFINITY,
  gradients: [],
  worst: Number.POSITIVE_INFINITY,
  ok: false,
  error,
});

/** What a case itself can be guilty of; anything else, such as an error of the GPU, ends the command. */
const isFault = (error: unknown): error is Error =>
  [FileError, ShapeError, GraphError, LimitError].some((kind) => error instanceof kind);

/**
 * Runs the op of one case and its vector–Jacobian products on the GPU. Where the name leaves several readings (stride,
 * padding, axes, ε), the one whose output is nearest counts, and is named in the result.
 * @throws DeviceError from the GPU. A case that cannot be run gives a result with `error`.
 */
export async function runCase(device: Device, reference: ReferenceCase | BrokenCase, tolerance: number) {
  const { name } = reference;
  if ("error" in reference) return failure(name, reference.error);
  try {
    const prepared = prepare(reference);
    const results: CaseResult[] = [];
    for (const reading of prepared.readings) {
      const { forward, gradients: errors } = await measure(device, reading, prepared, reference);
      const worst = Math.max(forward, ...errors.map((error) => error ?? 0));
      const named = prepared.readings.length > 1 ? { reading: reading.reading } : {};
      results.push({ name, forward, gradients: errors, worst, ok: worst <= tolerance, ...named });
      if (worst <= tolerance) break;
    }
    return results.reduce((best, result) => (result.forward < best.forward ? result : best));
  } catch (error) {
    if (isFault(error)) return failure(name, error.message);
    throw error;
  }
}
