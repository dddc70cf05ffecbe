import { compile } from "../engine/compile.ts";
import { WeightsError } from "../engine/errors.ts";
import type { Tensor } from "../engine/graph.ts";
import type { Plan } from "../engine/plan/plan.ts";
import type { Classifier } from "./classifier.ts";
import { computeFeatures, featureChannels } from "./features.ts";
import { denseHead } from "./headTraining.ts";
import { batchesOf, type PixelSource } from "./pixelSource.ts";

/** Images that are fetched together, and of them those that go to the GPU together. */
const FETCHED_BATCH = 64;
const PREDICTION_BATCH = 16;

/** Predictions of all images of a source with the weights that the classifier has at the time. */
export class Predictor {
  private constructor(
    readonly source: { readonly count: number },
    readonly classes: number,
    readonly plan: Plan,
    private readonly batches: () => ReturnType<typeof batchesOf>,
  ) {}

  /** @throws WeightsError when the classifier has no head; ShapeError when the pixels do not fit its input. */
  static async create(classifier: Classifier, source: PixelSource): Promise<Predictor> {
    const { device, parameters, inputSize } = classifier;
    const { logits } = classifier.build(classifier.preprocess(source.build(inputSize).pixels));
    if (logits === null)
      throw new WeightsError("expected weights with a classification head, found none; train a head first");
    const plan = await compile(device, { outputs: { logits } }, { parameters, maxBatch: PREDICTION_BATCH });
    return new Predictor(source, classifier.classes as number, plan, () => batchesOf(source, FETCHED_BATCH));
  }

  /** The same where nothing but the head will change: the features are computed once, here. */
  static async ofHead(classifier: Classifier, source: PixelSource, signal?: AbortSignal): Promise<Predictor> {
    const [classes, channels] = [classifier.classes as number, featureChannels(classifier)];
    const features = await computeFeatures(classifier, source, { signal });
    const logits = denseHead(channels, classes).logits as Tensor;
    const { device, parameters } = classifier;
    const plan = await compile(device, { outputs: { logits } }, { parameters, maxBatch: FETCHED_BATCH });
    async function* batches(): ReturnType<typeof batchesOf> {
      const indices = Uint32Array.from({ length: source.count }, (_, index) => index);
      yield { indices, start: 0, inputs: { features } };
    }
    return new Predictor(source, classes, plan, batches);
  }

  /** [N, classes]. */
  async logits(onProgress?: (done: number, total: number) => void): Promise<Float32Array> {
    const { count } = this.source;
    const all = new Float32Array(count * this.classes);
    for await (const { indices, start, inputs } of this.batches()) {
      const { logits } = await this.plan.run(inputs);
      all.set(logits as Float32Array, start * this.classes);
      onProgress?.(start + indices.length, count);
    }
    return all;
  }

  dispose(): void {
    this.plan.dispose();
  }
}

/** Logits of all images of a source, [N, classes]. Throws as `Predictor.create`. */
export async function predictAll(
  classifier: Classifier,
  source: PixelSource,
  onProgress?: (done: number, total: number) => void,
): Promise<Float32Array> {
  const predictor = await Predictor.create(classifier, source);
  try {
    return await predictor.logits(onProgress);
  } finally {
    predictor.dispose();
  }
}
