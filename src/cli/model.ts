/** Where a command's classifier comes from: a weight file, or the folder of a trained model. */
import type { Device } from "../engine/device.ts";
import { UsageError, WeightsError } from "../engine/errors.ts";
import { halfWeights } from "../engine/halfWeights.ts";
import { type Classifier, type ClassifierDescription, createClassifier } from "../nn/classifier.ts";
import { EMBEDDED, embeddedWeights } from "../nn/formats/embedded.node.ts";
import { loadModel, loadWeights } from "../nn/formats/files.node.ts";
import { inspectWeights } from "../nn/formats/inspect.ts";
import type { Preprocessing } from "../nn/formats/manifest.ts";
import type { WeightTensor } from "../nn/formats/weightSet.ts";
import type { OptionSpec } from "./options.ts";

export { EMBEDDED, embeddedWeights };

/** How commands that train on a backbone name it; without the option they take the package's own. */
export const backboneOption = {
  type: "path",
  exists: "file",
  word: EMBEDDED,
  default: EMBEDDED,
  placeholder: "FILE",
  help: "MobileNetV2's weights, else the small backbone of the package",
} as const satisfies OptionSpec;

/** The edge in pixels of the images that Keras' published weights were trained on. */
const DEFAULT_SIZE = 224;

export interface ModelSource {
  /** A Keras `.h5`, `.keras` or safetensors file, with a head or without; `embedded` is the backbone of the package. */
  readonly weights?: string;
  /** A folder written by `train`. */
  readonly model?: string;
  /** Edge of the input in pixels; by default the model's own, or what the weights state, else 224. */
  readonly size?: number;
  /** How photographs are brought to that size; by default as the model says. */
  readonly resize?: Preprocessing["resize"];
  /** How the device keeps the weights; float32 by default. */
  readonly precision?: string;
}

/** How commands that only look through a network let its weights be kept. */
export const precisionOption = {
  type: "choice",
  choices: ["float32", "float16"],
  default: "float32",
  help: "of the weights of matrix products in memory; sums are float32",
} as const satisfies OptionSpec;

/** Leaves out the head, so that only the features are computed. */
export const withoutHead = (tensors: ReadonlyMap<string, WeightTensor>): Map<string, WeightTensor> =>
  new Map([...tensors].filter(([name]) => !name.startsWith("predictions/")));

/**
 * Reads what a classifier is made of from `--weights FILE` or `--model DIR`.
 * @throws UsageError when neither or both are given; FileError, WeightsError for what the files hold.
 */
export async function readClassifier(source: ModelSource): Promise<ClassifierDescription> {
  const { weights, model } = source;
  if ((weights === undefined) === (model === undefined))
    throw new UsageError(
      `expected one of --weights FILE and --model DIR, found ${weights === undefined ? "neither" : "both"}`,
    );
  return model === undefined ? readWeights(weights as string, source) : readModel(model, source);
}

/** Like `readClassifier`, with the weights put on a device. */
export async function loadClassifier(device: Device, source: ModelSource): Promise<Classifier> {
  const format = source.precision === "float16" ? halfWeights : undefined;
  return createClassifier(device, await readClassifier(source), format);
}

async function readWeights(weights: string, { size, resize }: ModelSource): Promise<ClassifierDescription> {
  const path = weights === EMBEDDED ? embeddedWeights() : weights;
  const set = await loadWeights(path);
  const edge = size ?? statedSize(set.metadata.inputSize, path);
  const { width, classes, preprocessing } = inspectWeights(set);
  if (width === null)
    throw new WeightsError(
      `${path}: expected weights of MobileNetV2, found those of another network; see \`tepal weights info\`, or give a model with --model`,
    );
  return {
    architecture: { name: "mobilenetV2", width, inputSize: [edge, edge], classes, head: "gap-dense" },
    preprocessing: preprocessing && { ...preprocessing, resize: resize ?? preprocessing.resize },
    classNames: null,
    tensors: set.tensors,
  };
}

/** The edge that a safetensors file states as the one that its weights were trained for. */
function statedSize(stated: string | undefined, path: string): number {
  const size = stated === undefined ? DEFAULT_SIZE : Number(stated);
  if (!(Number.isInteger(size) && size >= 32 && size <= 1024))
    throw new WeightsError(`${path}: expected an inputSize of 32 to 1024, found "${stated}"; give --size`);
  return size;
}

async function readModel(folder: string, { size, resize }: ModelSource): Promise<ClassifierDescription> {
  const { manifest, tensors } = await loadModel(folder);
  const { architecture, preprocessing, classNames } = manifest;
  return {
    architecture: size === undefined ? architecture : { ...architecture, inputSize: [size, size] },
    preprocessing: { ...preprocessing, resize: resize ?? preprocessing.resize },
    classNames,
    tensors,
  };
}
