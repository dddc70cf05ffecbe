/** Where a command's classifier comes from: a weight file, or the folder of a trained model. */
import type { Device } from "../engine/device.ts";
import { UsageError, WeightsError } from "../engine/errors.ts";
import { type Classifier, type ClassifierDescription, createClassifier } from "../nn/classifier.ts";
import { loadModel, loadWeights } from "../nn/formats/files.node.ts";
import { inspectWeights } from "../nn/formats/inspect.ts";
import type { Preprocessing } from "../nn/formats/manifest.ts";
import type { WeightTensor } from "../nn/formats/weightSet.ts";

/** The edge in pixels of the images that Keras' published weights were trained on. */
const DEFAULT_SIZE = 224;

export interface ModelSource {
  /** A Keras `.h5`, `.keras` or safetensors file, with a head or without. */
  readonly weights?: string;
  /** A folder written by `train`. */
  readonly model?: string;
  /** Edge of the input in pixels; by default the model's own, 224 for weights. */
  readonly size?: number;
  /** How photographs are brought to that size; by default as the model says. */
  readonly resize?: Preprocessing["resize"];
}

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
  return createClassifier(device, await readClassifier(source));
}

async function readWeights(path: string, { size = DEFAULT_SIZE, resize }: ModelSource): Promise<ClassifierDescription> {
  const set = await loadWeights(path);
  const { width, classes, preprocessing } = inspectWeights(set);
  if (width === null)
    throw new WeightsError(
      `${path}: expected weights of MobileNetV2, found those of another network; see \`tepal weights info\`, or give a model with --model`,
    );
  return {
    architecture: { name: "mobilenetV2", width, inputSize: [size, size], classes, head: "gap-dense" },
    preprocessing: preprocessing && { ...preprocessing, resize: resize ?? preprocessing.resize },
    classNames: null,
    tensors: set.tensors,
  };
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
