import { compile } from "../../engine/compile.ts";
import type { Device } from "../../engine/device.ts";
import { FileError, ShapeError } from "../../engine/errors.ts";
import { input } from "../../engine/ops/sources.ts";
import { formatShape, type Shape } from "../../engine/types.ts";
import { type SafetensorsFile, type StoredTensor, toFloat32 } from "../../nn/formats/safetensors.ts";
import { recordedCase } from "./referenceCases.ts";

/** The share of values that must be within the tolerance. */
export const requiredShare = 0.999;

export interface TensorResult {
  readonly name: string;
  readonly values: number;
  readonly tolerance: number;
  /** Part of the values that differ by the tolerance at most; a NaN never does. */
  readonly share: number;
  /** Largest difference; infinite where either side is not finite. */
  readonly worst: number;
  readonly ok: boolean;
  /** Why it could not be run. */
  readonly error?: string;
}

/** Tensors that others are made from. */
const sources = new Set(["images", "resize/input"]);

function compare(name: string, got: ArrayLike<number>, want: Float32Array, tolerance: number): TensorResult {
  let within = 0;
  let worst = 0;
  for (let index = 0; index < want.length; index++) {
    const difference = Math.abs(got[index] - want[index]);
    if (difference <= tolerance) within++;
    worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(worst, difference);
  }
  const share = want.length === 0 ? 0 : within / want.length;
  return { name, values: want.length, tolerance, share, worst, ok: share >= requiredShare };
}

/** Pixels as [N, H, W, C]: a single image becomes a batch of one. */
const batched = (shape: Shape): Shape => (shape.length === 3 ? [1, ...shape] : shape);

async function runTensor(
  device: Device,
  name: string,
  stored: StoredTensor,
  file: SafetensorsFile,
  parameters: object,
): Promise<TensorResult> {
  const recorded = recordedCase(name, parameters as Record<string, unknown>);
  const from = file.tensors.get(recorded.input);
  if (!from) throw new FileError(`expected the tensor ${recorded.input}, from which ${name} is made; add it`);
  const y = recorded.build(input("x", batched(from.shape)));
  if (batched(stored.shape).join() !== y.shape.join())
    throw new ShapeError(`expected ${name} of shape ${formatShape(y.shape)}, found ${formatShape(stored.shape)}`);
  const plan = await compile(device, { outputs: { y } });
  try {
    const result = await plan.run({ x: toFloat32(from) });
    return compare(name, result.y, toFloat32(stored), recorded.tolerance);
  } finally {
    plan.dispose();
    plan.parameters.dispose();
  }
}

/**
 * Makes every tensor of a file again on the GPU with the recorded parameters, and compares. A tensor that cannot be run counts
 * as a failure and says why.
 * @throws FileError when the file holds nothing to compare
 */
export async function verifyAugmentations(
  device: Device,
  file: SafetensorsFile,
  parameters: object,
  onResult: (result: TensorResult) => void = () => {},
): Promise<TensorResult[]> {
  const results: TensorResult[] = [];
  for (const [name, stored] of file.tensors) {
    if (sources.has(name)) continue;
    let result: TensorResult;
    try {
      result = await runTensor(device, name, stored, file, parameters);
    } catch (error) {
      if (!(error instanceof FileError || error instanceof ShapeError)) throw error;
      const worst = Number.POSITIVE_INFINITY;
      result = { name, values: 0, tolerance: 0, share: 0, worst, ok: false, error: error.message };
    }
    results.push(result);
    onResult(result);
  }
  if (results.length === 0)
    throw new FileError("expected tensors such as rotation/reflect beside images, found none; name them so");
  return results;
}
