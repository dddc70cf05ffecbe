import { toBytes } from "../data/images.ts";
import { fitImage } from "../data/resize.ts";
import { Device } from "../engine/device.ts";
import { DeviceError, UsageError } from "../engine/errors.ts";
import type { DeviceValue } from "../engine/plan/plan.ts";
import { yieldToHost } from "../engine/yieldToHost.ts";
import { decodeFile, type FileSource } from "../interop/decode.ts";
import { FrameReader } from "../interop/frameReader.ts";
import { type FrameSource, type HostDevice, isFrame } from "../interop/textures.ts";
import { type Classifier, createClassifier } from "../nn/classifier.ts";
import { baselinePixels } from "../xai/baselines.ts";
import type { WorkOptions } from "../xai/explanation.ts";
import { GradCam } from "../xai/gradCam.ts";
import { IntegratedGradients } from "../xai/integratedGradients.ts";

import { type Heatmap, type RgbImage, renderAttribution, renderOverlay } from "../xai/overlay.ts";
import { type ModelSource, readModelSource } from "./modelSource.ts";

/** An image file (address, bytes, `File`), decoded RGB, or a frame that lies with the browser or on the GPU. */
export type ImageSource = FileSource | FrameSource | RgbImage;

export interface LoadOptions {
  /** The host's device, which stays the host's; by default one is opened on the browser's adapter. */
  readonly device?: Device | HostDevice;
  /** Names of the classes, for weights that have none. */
  readonly classNames?: readonly string[];
  /** Decodes image files; by default as the browser does. */
  readonly decode?: (source: FileSource, signal?: AbortSignal) => Promise<RgbImage>;
  readonly signal?: AbortSignal;
}

export interface ClassScore {
  readonly index: number;
  readonly name: string;
  /** Softmax over all classes. */
  readonly probability: number;
  readonly logit: number;
}

export interface ClassifyOptions {
  /** How many classes; default 5. */
  readonly top?: number;
  readonly signal?: AbortSignal;
}

/** `signal` and `onProgress` follow Integrated Gradients on its way; Grad-CAM is a single step. */
export interface ExplainOptions extends WorkOptions {
  /** Index or name of the class to explain; the most likely one by default. */
  readonly target?: number | string;
  /** Default `gradcam`. */
  readonly method?: "gradcam" | "ig";
}

export interface ImageExplanation {
  readonly target: ClassScore;
  /** Grad-CAM: [h, w], 0 to 1. Integrated Gradients: the sum over channels [H, W], in units of the logit. */
  readonly heatmap: Heatmap;
  /** The map drawn over what the network saw; Integrated Gradients by itself, signed colours. */
  readonly picture: RgbImage;
  /** Integrated Gradients: what the quadrature missed, as a share of the change of the logit. */
  readonly relativeGap?: number;
}

/** The adapter of the browser, or a DeviceError in plain words. */
export async function openBrowserDevice(): Promise<Device> {
  if (typeof navigator === "undefined" || !navigator.gpu)
    throw new DeviceError(
      "expected WebGPU, this browser or page has none; use a recent browser over https or localhost, or pass a device",
    );
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter)
    throw new DeviceError("expected a GPU, the browser offers none; switch hardware acceleration on, or pass a device");
  return Device.open(adapter);
}

const isRgbImage = (source: FileSource | RgbImage): source is RgbImage =>
  typeof source === "object" && "data" in source && source.data instanceof Uint8Array;

/**
 * A trained classifier for applications: images of any kind in, classes and explanations out.
 * Several share a device; `dispose` frees everything it made.
 */
export class ImageClassifier {
  #reader: Promise<FrameReader> | null = null;
  #gradCam: Promise<GradCam> | null = null;
  #integratedGradients: Promise<IntegratedGradients> | null = null;
  /** Ends when the last Integrated Gradients has: one plan sums the gradients of one path at a time. */
  #lastPath: Promise<unknown> = Promise.resolve();

  private constructor(
    /** The network, for what this class does not cover. */
    readonly classifier: Classifier,
    private readonly ownsDevice: boolean,
    private readonly decode: NonNullable<LoadOptions["decode"]>,
  ) {}

  /**
   * Loads a model: the folder or `model.json` that `tepal train` writes (by address), or a safetensors file with its preprocessing.
   * @throws FileError, WeightsError for what it holds; DeviceError when there is no WebGPU.
   */
  static async load(model: ModelSource, options: LoadOptions = {}): Promise<ImageClassifier> {
    const { device: given, signal, decode = decodeFile } = options;
    const description = await readModelSource(model, options);
    signal?.throwIfAborted();
    const device = given instanceof Device ? given : given ? Device.adopt(given) : await openBrowserDevice();
    try {
      // Reading the weights, handing them to the GPU, and the first compilation are three tasks of the page.
      await yieldToHost();
      const classifier = createClassifier(device, description);
      await yieldToHost();
      return new ImageClassifier(classifier, given === undefined, decode);
    } catch (error) {
      if (!given) device.destroy();
      throw error;
    }
  }

  /** A classifier that exists already. `dispose` frees it, and its device where `ownsDevice` says so. */
  static from(
    classifier: Classifier,
    { decode = decodeFile, ownsDevice = false }: Pick<LoadOptions, "decode"> & { readonly ownsDevice?: boolean } = {},
  ): ImageClassifier {
    return new ImageClassifier(classifier, ownsDevice, decode);
  }

  get device(): Device {
    return this.classifier.device;
  }

  /** The names of the classes; their indices where the model has none. */
  get classNames(): readonly string[] {
    const { classNames, classes } = this.classifier;
    return classNames ?? Array.from({ length: classes ?? 0 }, (_, index) => `class ${index}`);
  }

  /**
   * The most likely classes of an image, best first.
   * @throws FileError, DataError for the image; WeightsError for a network without a head; the signal's reason.
   */
  async classify(image: ImageSource, { top = 5, signal }: ClassifyOptions = {}): Promise<ClassScore[]> {
    const scores = await this.#scores(await this.#pixelsOf(image, signal));
    signal?.throwIfAborted();
    return scores.sort((a, b) => b.logit - a.logit).slice(0, top);
  }

  /**
   * Why the model thinks so: Grad-CAM of the last spatial activation, or Integrated Gradients from black, of a class's logit.
   * Integrated Gradients reports progress, and ends on the way when the signal says so; several wait for each other.
   * @throws UsageError for a class that the model has not, or another method; what `classify` throws.
   */
  async explain(image: ImageSource, options: ExplainOptions = {}): Promise<ImageExplanation> {
    const { method = "gradcam", signal, onProgress } = options;
    if (method !== "gradcam" && method !== "ig")
      throw new UsageError(
        `expected the method gradcam or ig, found "${method satisfies never}"; the function \`explain\` knows all of them`,
      );
    const pixels = isFrame(image) ? await (await this.#frames()).readBack(image) : await this.#fit(image, signal);
    const target = this.#target(await this.#scores(pixels), options.target);
    signal?.throwIfAborted();
    const explanation = await (method === "ig"
      ? this.#byPath(pixels, target, { signal, onProgress })
      : this.#byActivation(pixels, target));
    signal?.throwIfAborted();
    return explanation;
  }

  async #byActivation(pixels: Float32Array, target: ClassScore): Promise<ImageExplanation> {
    this.#gradCam ??= GradCam.create(this.classifier.explainable);
    const { heatmaps, height, width } = await (await this.#gradCam).explain(pixels, Int32Array.of(target.index));
    const heatmap = { values: heatmaps, height, width };
    const [inputHeight, inputWidth] = this.classifier.inputSize;
    const seen = { width: inputWidth, height: inputHeight, data: toBytes(pixels) };
    return { target, heatmap, picture: renderOverlay(seen, heatmap) };
  }

  async #byPath(pixels: Float32Array, target: ClassScore, work: WorkOptions): Promise<ImageExplanation> {
    const { inputSize, preprocessing } = this.classifier;
    this.#integratedGradients ??= IntegratedGradients.create(this.classifier.explainable);
    const method = await this.#integratedGradients;
    const baseline = baselinePixels("black", inputSize, preprocessing);
    const path = this.#lastPath.then(() => method.explain(pixels, baseline, target.index, work));
    this.#lastPath = path.catch(() => undefined);
    const { attribution, relativeGap } = await path;
    const [height, width] = inputSize;
    const values = new Float32Array(height * width);
    attribution.forEach((value, at) => {
      values[Math.floor(at / 3)] += value;
    });
    const picture = renderAttribution(attribution, height, width);
    return { target, heatmap: { values, height, width }, picture, relativeGap };
  }

  async #scores(pixels: Float32Array | DeviceValue): Promise<ClassScore[]> {
    const { logits, probabilities } = await this.classifier.predict(pixels);
    return this.classNames.map((name, index) => ({
      index,
      name,
      probability: probabilities[index],
      logit: logits[index],
    }));
  }

  #target(scores: readonly ClassScore[], wanted?: number | string): ClassScore {
    if (wanted === undefined) return scores.reduce((best, score) => (score.logit > best.logit ? score : best));
    const found = scores.find(({ index, name }) => index === wanted || name === wanted);
    if (found) return found;
    const known = this.classNames.slice(0, 6).join(", ");
    throw new UsageError(
      `expected a class among ${known}${scores.length > 6 ? ", …" : ""}, found ${wanted}; see classNames`,
    );
  }

  /** An image as the network sees it; a frame stays on the GPU. */
  async #pixelsOf(image: ImageSource, signal?: AbortSignal): Promise<Float32Array | DeviceValue> {
    return isFrame(image) ? (await this.#frames()).read(image).pixels : this.#fit(image, signal);
  }

  async #fit(image: Exclude<ImageSource, FrameSource>, signal?: AbortSignal): Promise<Float32Array> {
    const { width, height, data } = isRgbImage(image) ? image : await this.decode(image, signal);
    signal?.throwIfAborted();
    const [inputHeight, inputWidth] = this.classifier.inputSize;
    const { resize } = this.classifier.preprocessing;
    return fitImage({ width, height, data }, { height: inputHeight, width: inputWidth }, resize);
  }

  #frames(): Promise<FrameReader> {
    const { inputSize, preprocessing } = this.classifier;
    this.#reader ??= FrameReader.create(this.device, inputSize, preprocessing.resize);
    return this.#reader;
  }

  /** Frees weights, plans and buffers, and the device where none was given. */
  async dispose(): Promise<void> {
    const made = [this.#reader, this.#gradCam, this.#integratedGradients];
    for (const resource of made) (await resource?.catch(() => null))?.dispose();
    await this.classifier.dispose();
    if (this.ownsDevice) this.device.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}
