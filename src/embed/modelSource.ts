import { FileError, WeightsError } from "../engine/errors.ts";
import { type FileSource, fetchBytes } from "../interop/decode.ts";
import type { ClassifierDescription } from "../nn/classifier.ts";
import { inspectWeights } from "../nn/formats/inspect.ts";
import { type Model, parseModel } from "../nn/formats/model.ts";
import { parseSafetensors, toFloat32 } from "../nn/formats/safetensors.ts";
import type { WeightSet, WeightTensor } from "../nn/formats/weightSet.ts";

/**
 * A model: the address of the folder or `model.json` that `tepal train` wrote, its two files, or a safetensors file of MobileNetV2
 * (address, bytes, `File`).
 */
export type ModelSource = FileSource | { readonly json: FileSource; readonly safetensors: FileSource };

export interface ModelSourceOptions {
  readonly classNames?: readonly string[];
  readonly signal?: AbortSignal;
}

/** The edge in pixels of the images that Keras' published weights were trained on. */
const DEFAULT_SIZE = 224;

const isPair = (source: ModelSource): source is { json: FileSource; safetensors: FileSource } =>
  typeof source === "object" && "safetensors" in source;

/** The two files beside each other that an address means, or null for any other source. */
function filesAt(source: ModelSource): { json: FileSource; safetensors: FileSource } | null {
  if (isPair(source)) return source;
  const address = typeof source === "string" || source instanceof URL ? String(source) : null;
  if (address === null || !/(^|\/)model\.json$|\/$/.test(address)) return null;
  const folder = address.replace(/model\.json$/, "");
  return { json: `${folder}model.json`, safetensors: `${folder}model.safetensors` };
}

/**
 * Reads what a classifier is made of.
 * @throws FileError when a file cannot be had or is damaged; WeightsError for weights of no network that Tepal knows.
 */
export async function readModelSource(
  source: ModelSource,
  { classNames, signal }: ModelSourceOptions = {},
): Promise<ClassifierDescription> {
  const files = filesAt(source);
  if (files) {
    const [json, safetensors] = await Promise.all([
      fetchBytes(files.json, signal),
      fetchBytes(files.safetensors, signal),
    ]);
    return describeModel(await parseModel(new TextDecoder().decode(json), safetensors), classNames);
  }
  return describeWeights(parseWeights(await fetchBytes(source as FileSource, signal)), classNames);
}

/** A saved model as a classifier's description. */
export function describeModel({ manifest, tensors }: Model, classNames?: readonly string[]): ClassifierDescription {
  const { architecture, preprocessing } = manifest;
  return { architecture, preprocessing, classNames: classNames ?? manifest.classNames, tensors };
}

function parseWeights(bytes: Uint8Array): WeightSet {
  if (bytes[0] === 0x89 || bytes[0] === 0x50)
    throw new FileError(
      "expected safetensors, found a file of Keras; convert it with `tepal weights convert` and load the result",
    );
  const file = parseSafetensors(bytes);
  const tensors = new Map<string, WeightTensor>(
    [...file.tensors].map(([name, tensor]) => [name, { shape: tensor.shape, data: toFloat32(tensor) }]),
  );
  return { tensors, source: "safetensors", metadata: file.metadata };
}

/**
 * Weights of MobileNetV2 as a classifier's description, for images of 224 px.
 * @throws WeightsError for weights of another network.
 */
export function describeWeights(set: WeightSet, classNames?: readonly string[]): ClassifierDescription {
  const { width, classes, preprocessing } = inspectWeights(set);
  if (width === null)
    throw new WeightsError(
      "expected weights of MobileNetV2, found those of another network; load the folder that holds its model.json",
    );
  const inputSize = [DEFAULT_SIZE, DEFAULT_SIZE] as const;
  const architecture = { name: "mobilenetV2", width, inputSize, classes, head: "gap-dense" } as const;
  return { architecture, preprocessing, classNames: classNames ?? null, tensors: set.tensors };
}
