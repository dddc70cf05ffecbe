import { compile } from "../engine/compile.ts";
import type { Device } from "../engine/device.ts";
import { ShapeError, WeightsError } from "../engine/errors.ts";
import type { Graph, Tensor } from "../engine/graph.ts";
import type { WeightFormat } from "../engine/halfWeights.ts";
import { normalise } from "../engine/ops/cast.ts";
import { softmax } from "../engine/ops/softmax.ts";
import { input } from "../engine/ops/sources.ts";
import { ParameterStore } from "../engine/parameters.ts";
import type { DeviceValue, Plan } from "../engine/plan/plan.ts";
import { BATCH, type Shape } from "../engine/types.ts";
import {
  checkPreprocessing,
  checkWeights,
  KERAS_MOBILENET_V2_PREPROCESSING,
  NOTEBOOK_PREPROCESSING,
} from "./formats/inspect.ts";
import type { Architecture, ModelManifest, Preprocessing, Splits } from "./formats/manifest.ts";
import type { WeightTensor } from "./formats/weightSet.ts";
import { type BatchNormMode, kerasBatchNorm, type TrainingMode } from "./layers.ts";
import { mobileNetV2 } from "./mobilenetV2.ts";
import type { Network } from "./network.ts";
import { smallCnn, smallCnnBatchNorm } from "./smallCnn.ts";

type MobileNetV2 = Extract<Architecture, { name: "mobilenetV2" }>;
type SmallCnn = Extract<Architecture, { name: "smallCnn" }>;

/** A network's architecture; unlike a saved model's, it may have no head (`classes: null`). */
export type ClassifierArchitecture = (Omit<MobileNetV2, "classes"> & { readonly classes: number | null }) | SmallCnn;

export interface ClassifierDescription {
  readonly architecture: ClassifierArchitecture;
  /** `null` where the weights do not state it, which is refused. */
  readonly preprocessing: Preprocessing | null;
  /** One name a class; `null` where the weights have none. */
  readonly classNames: readonly string[] | null;
  /** Weights under canonical names; the head is `predictions`. */
  readonly tensors: ReadonlyMap<string, WeightTensor>;
}

/** What an explanation needs of a classifier. */
export interface Explainable {
  readonly device: Device;
  readonly parameters: ParameterStore;
  readonly inputSize: readonly [height: number, width: number];
  readonly preprocessing: Preprocessing;
  readonly build: (x: Tensor) => Network;
}

/** Pixels on their way to the GPU; a plan is compiled for each type that is used. */
export type Pixels = Uint8Array | Float32Array;
export type PixelType = "u8" | "f32";

const pixelTypeOf = (pixels: Pixels | DeviceValue): PixelType => (pixels instanceof Uint8Array ? "u8" : "f32");

export interface Predictions {
  /** [N, classes], row-major. */
  readonly logits: Float32Array;
  readonly probabilities: Float32Array;
  readonly classes: number;
}

/** What a saved model says besides what the classifier knows. */
export interface Provenance {
  readonly seed: number;
  readonly splits?: Splits;
  readonly training?: Record<string, unknown>;
}

/** Images of one prediction that go to the GPU together; memory limits may cut them further. */
const PREDICTION_BATCH = 16;

/** A network with its weights on a device, its preprocessing and its class names. */
export class Classifier implements Explainable {
  readonly inputSize: readonly [height: number, width: number];
  readonly #predictors = new Map<PixelType, Promise<Plan>>();
  #device: Device;
  #parameters: ParameterStore;

  constructor(
    device: Device,
    parameters: ParameterStore,
    readonly architecture: ClassifierArchitecture,
    readonly preprocessing: Preprocessing,
    readonly classNames: readonly string[] | null,
    /** Names and shapes of the weights that are the model, in the network's order. */
    readonly weightShapes: ReadonlyMap<string, Shape>,
    /** How the store keeps the weights; by default as they are. */
    readonly weightFormat?: WeightFormat,
  ) {
    this.inputSize = architecture.inputSize;
    this.#device = device;
    this.#parameters = parameters;
  }

  get device(): Device {
    return this.#device;
  }

  get parameters(): ParameterStore {
    return this.#parameters;
  }

  /** After its device was lost: the classifier goes on on another one, with these weights. */
  moveTo(device: Device, tensors: ReadonlyMap<string, WeightTensor>): void {
    this.#predictors.clear();
    this.#device = device;
    this.#parameters = storeOf(device, this.architecture, this.weightShapes, tensors, this.weightFormat);
  }

  get classes(): number | null {
    return this.architecture.classes;
  }

  /** The shape of a batch of images, [N, H, W, 3]. */
  get inputShape(): Shape {
    return [BATCH, ...this.inputSize, 3];
  }

  /** The network as nodes on a preprocessed image tensor [N, H, W, 3]. */
  build(x: Tensor, mode: BatchNormMode | TrainingMode = {}): Network {
    const network = buildNetwork(x, this.architecture, typeof mode === "string" ? { batchNorm: mode } : mode);
    return this.weightFormat ? { ...network, ...this.weightFormat.rewrite(valuesOf(network)).outputs } : network;
  }

  /** The input `pixels` [N, H, W, 3] of 0 to 255. */
  pixelInput(dtype: PixelType = "f32"): Tensor {
    return input("pixels", this.inputShape, dtype);
  }

  /** Pixels [N, H, W, 3] of 0 to 255, u8 or f32, as the first layer wants them: pixel · scale + offset. */
  preprocess(pixels: Tensor): Tensor {
    return normalise(pixels, this.preprocessing.scale, this.preprocessing.offset);
  }

  /** The same device, parameters, preprocessing and network in the form that explanations take. */
  get explainable(): Explainable {
    const { device, parameters, inputSize, preprocessing } = this;
    return { device, parameters, inputSize, preprocessing, build: (x) => this.build(x) };
  }

  /**
   * Logits and probabilities of images.
   * @param pixels [N, H, W, 3], bytes or floats of 0 to 255 (floats where they lie on the device), at the model's input size; N is
   * free.
   * @throws WeightsError without a head; ShapeError when the pixels are not whole images; what the GPU reports.
   */
  async predict(pixels: Pixels | DeviceValue): Promise<Predictions> {
    const { classes } = this;
    if (classes === null)
      throw new WeightsError("expected weights with a classification head, found none; train a head first");
    const size = this.inputSize[0] * this.inputSize[1] * 3;
    if (pixels.length === 0 || pixels.length % size !== 0)
      throw new ShapeError(
        `expected whole images of ${this.inputSize.join(" × ")} × 3, found ${pixels.length} values; resize the images first`,
      );
    const plan = await this.#predictor(pixelTypeOf(pixels));
    const { logits, probabilities } = await plan.run({ pixels });
    return { logits: logits as Float32Array, probabilities: probabilities as Float32Array, classes };
  }

  #predictor(dtype: PixelType): Promise<Plan> {
    const compiled = this.#predictors.get(dtype);
    if (compiled) return compiled;
    const { logits } = this.build(this.preprocess(this.pixelInput(dtype)));
    const outputs = { logits: logits as Tensor, probabilities: softmax(logits as Tensor, "probabilities") };
    const plan = compile(this.device, { outputs }, { parameters: this.parameters, maxBatch: PREDICTION_BATCH });
    this.#predictors.set(dtype, plan);
    plan.catch(() => this.#predictors.delete(dtype));
    return plan;
  }

  /** The current weights, read back from the device. */
  async tensors(): Promise<Map<string, WeightTensor>> {
    const currentOf = (name: string) => this.weightFormat?.read(this.parameters, name) ?? this.parameters.get(name);
    const read = async ([name, shape]: [string, Shape]): Promise<[string, WeightTensor]> => [
      name,
      { shape: [...shape], data: (await currentOf(name)) as Float32Array },
    ];
    return new Map(await Promise.all(Array.from(this.weightShapes, read)));
  }

  /**
   * What `saveModel` writes beside the weights.
   * @throws WeightsError without a head or class names: such a network is no classifier yet.
   */
  manifest(provenance: Provenance): Omit<ModelManifest, "weightsSha256"> {
    const { classes, classNames } = this;
    if (classes === null || classNames === null)
      throw new WeightsError("expected a head with class names to save, found none; train a head first");
    const architecture: Architecture = { ...this.architecture, classes };
    const { preprocessing } = this;
    return { format: "tepal-model", version: 1, architecture, preprocessing, classNames, ...provenance };
  }

  /** Frees the weights and the plans on them. */
  async dispose(): Promise<void> {
    const predictors = [...this.#predictors.values()];
    this.#predictors.clear();
    for (const predictor of predictors) (await predictor.catch(() => null))?.dispose();
    this.parameters.dispose();
  }
}

function buildNetwork(x: Tensor, architecture: ClassifierArchitecture, training: TrainingMode): Network {
  const { batchNorm: mode = "frozen", dropout } = training;
  switch (architecture.name) {
    case "mobilenetV2": {
      const { head: headKind, ...options } = architecture;
      return mobileNetV2(x, { ...options, headKind, dropout, batchNorm: { ...kerasBatchNorm, mode } });
    }
    case "smallCnn":
      return smallCnn(x, { ...architecture, dropout, batchNorm: { ...smallCnnBatchNorm, mode } });
    default:
      return architecture satisfies never;
  }
}

/** What a network computes, as a graph. */
const valuesOf = ({ features, pooled, logits }: Network): Graph => ({
  outputs: logits ? { features, pooled, logits } : { features, pooled },
});

/** Names and shapes of the weights of a network, in the order of its layers. */
export function weightShapesOf(architecture: ClassifierArchitecture): Map<string, Shape> {
  const x = input("pixels", [BATCH, ...architecture.inputSize, 3]);
  return new Map(buildNetwork(x, architecture, {}).parameters);
}

/**
 * Puts weights on a device as a classifier.
 * @throws WeightsError when names or shapes are not the network's, when the preprocessing is not stated or, for MobileNetV2,
 * neither Keras' x / 127.5 − 1 nor by name the notebook's mistake, or when the class names are not as many as the classes.
 * @param format how the device keeps the weights, such as `halfWeights`: two bytes each where that halves a matrix, for inference and
 * explanation.
 */
export function createClassifier(
  device: Device,
  description: ClassifierDescription,
  format?: WeightFormat,
): Classifier {
  const { architecture, preprocessing, classNames, tensors } = description;
  const shapes = weightShapesOf(architecture);
  const expected = new Map([...shapes].map(([name, shape]) => [name, [...shape]]));
  checkWeights({ tensors: new Map(tensors), source: "safetensors", metadata: {} }, expected);
  const isMobileNet = architecture.name === "mobilenetV2";
  const isChosenMistake = preprocessing?.name === NOTEBOOK_PREPROCESSING.name;
  if (preprocessing === null || (isMobileNet && !isChosenMistake))
    checkPreprocessing(preprocessing, KERAS_MOBILENET_V2_PREPROCESSING);
  if (classNames !== null && classNames.length !== architecture.classes)
    throw new WeightsError(
      `expected one name for each of the ${architecture.classes ?? 0} classes, found ${classNames.length}; give as many names as classes`,
    );
  const parameters = storeOf(device, architecture, shapes, tensors, format);
  return new Classifier(device, parameters, architecture, preprocessing as Preprocessing, classNames, shapes, format);
}

function storeOf(
  device: Device,
  architecture: ClassifierArchitecture,
  shapes: ReadonlyMap<string, Shape>,
  tensors: ReadonlyMap<string, WeightTensor>,
  format?: WeightFormat,
): ParameterStore {
  const parameters = new ParameterStore(device);
  if (format) {
    const x = input("pixels", [BATCH, ...architecture.inputSize, 3]);
    format.store(parameters, valuesOf(buildNetwork(x, architecture, {})), tensors);
    return parameters;
  }
  for (const [name, shape] of shapes) parameters.set(name, (tensors.get(name) as WeightTensor).data, shape);
  return parameters;
}
