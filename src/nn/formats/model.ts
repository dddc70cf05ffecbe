import { FileError } from "../../engine/errors.ts";
import { checkManifest, type ModelManifest, parseJson } from "./manifest.ts";
import { parseSafetensors, serializeSafetensors, type TensorToStore, toFloat32 } from "./safetensors.ts";
import type { WeightTensor } from "./weightSet.ts";

export type { Architecture, ModelManifest, Preprocessing, Splits } from "./manifest.ts";

/** A trained model in memory: what it is, and its weights under canonical names. */
export interface Model {
  readonly manifest: ModelManifest;
  readonly tensors: Map<string, WeightTensor>;
}

/** A model to be written; the hash of the weights is computed, not given. */
export interface ModelToStore {
  readonly manifest: Omit<ModelManifest, "weightsSha256">;
  readonly tensors: ReadonlyMap<string, WeightTensor>;
}

/** SHA-256 in hexadecimal. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  // Types only: the DOM's digest does not take views of shared memory, which these never are.
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Float32 tensors as they go into a safetensors file. */
export function asFloat32Tensors(tensors: ReadonlyMap<string, WeightTensor>): Record<string, TensorToStore> {
  const stored: Record<string, TensorToStore> = Object.create(null);
  for (const [name, { shape, data }] of tensors) stored[name] = { dtype: "F32", shape, data };
  return stored;
}

/**
 * A model as the text of `model.json` and the bytes of `model.safetensors`; equal models give equal bytes.
 *
 * @throws FileError where the manifest is not valid; ShapeError where a tensor's data does not fill its shape.
 */
export async function serializeModel(model: ModelToStore): Promise<{ json: string; safetensors: Uint8Array }> {
  const safetensors = serializeSafetensors(asFloat32Tensors(model.tensors), { format: "tepal-model" });
  const manifest = checkManifest({ ...model.manifest, weightsSha256: await sha256(safetensors) });
  return { json: `${JSON.stringify(manifest, null, 2)}\n`, safetensors };
}

/**
 * Reads what `serializeModel` wrote.
 *
 * @param json the text of `model.json`.
 * @param safetensors the bytes of `model.safetensors`; their SHA-256 must be the one that the manifest names.
 * @throws FileError where the manifest or the weights are damaged or do not belong together.
 */
export async function parseModel(json: string, safetensors: Uint8Array): Promise<Model> {
  const manifest = checkManifest(parseJson(json, "model.json"));
  const found = await sha256(safetensors);
  if (found !== manifest.weightsSha256) {
    throw new FileError(
      `model.safetensors: expected SHA-256 ${manifest.weightsSha256.slice(0, 12)}…; found ${found.slice(0, 12)}…; ` +
        "restore the file that was saved with model.json",
    );
  }
  const tensors = new Map<string, WeightTensor>();
  for (const [name, tensor] of parseSafetensors(safetensors).tensors) {
    tensors.set(name, { shape: tensor.shape, data: toFloat32(tensor) });
  }
  return { manifest, tensors };
}
