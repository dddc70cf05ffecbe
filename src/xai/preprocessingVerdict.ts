import { compile } from "../engine/compile.ts";
import { GraphError, ShapeError } from "../engine/errors.ts";
import { topologicalOrder } from "../engine/graph.ts";
import { mean } from "../engine/ops/reduce.ts";
import { input } from "../engine/ops/sources.ts";
import { square } from "../engine/ops/unary.ts";
import type { Plan } from "../engine/plan/plan.ts";
import { BATCH, type Shape } from "../engine/types.ts";
import { applyConvention, type Convention, conventions, invertConvention, twice } from "./conventions.ts";
import { expectedConvention, type StemStatistics } from "./expectedInput.ts";
import { type ExplainableModel, logitsOf } from "./model.ts";
import {
  type NormalisationLayer,
  type NormalisationStatistics,
  normalisationLayers,
  normalisationMismatch,
  readStatistics,
} from "./normalisationLayers.ts";

/** One way to read what the network was given. */
export interface Reading {
  /** What would have been done to the pixels. */
  readonly convention: string;
  /** Share of the values that would then not have been pixels of 0 to 255. */
  readonly impossible: number;
  /** Range of the pixels between the 0.5th and the 99.5th percentile. */
  readonly range: number;
  /** How far the first layer would be from its statistics, had such pixels been given to it in the right way, in nats. */
  readonly mismatch: number | null;
  /** Smaller is likelier; null for an impossible reading. */
  readonly cost: number | null;
}

export interface PreprocessingVerdict {
  readonly status: "right" | "wrong" | "unknown";
  /** One sentence. */
  readonly words: string;
  /** What the network was trained on, as its first layer's statistics say. */
  readonly expected: string;
  /** What was done to this image. */
  readonly found: string;
  /** The mismatch of the first layer with the values as they were given. */
  readonly mismatch: number;
  /** The likeliest first. */
  readonly readings: readonly Reading[];
}

/**
 * A reading is impossible when more than this share of its values lies outside 0 to 255, with some slack for resizing. Few are
 * enough: a bright photograph given as −1 to 1 has one value in 400 below 0, and would else pass for 0 to 1.
 */
const possibleShare = 0.0005;
const slack = 3;

/** Photographs use most of the range: halving the range costs as much as a mismatch four times as large. */
const rangeWeight = 2;

/** A stem's statistics fit a photograph in the right units up to about this mismatch; far above it nothing that is known fits. */
const plausibleMismatch = 20;

/** A picture that uses fewer levels of 255 is no evidence against anybody: dark or flat ones fit other readings as well. */
const fewestLevels = 64;

/**
 * Says what was done to an image before it reached the network, and whether that is what the network was trained on. The
 * expectation comes from the weights alone: the moving mean of the first normalisation is linear in the mean of the training
 * images. What was done is the reading under which the values are possible pixels, use the range as photographs do, and would
 * suit the first layer's statistics. Red and blue exchanged cannot be told from one image and is not looked for, except where
 * it belongs to a convention. Dispose it when done.
 */
export class PreprocessingCheck {
  private constructor(
    private readonly plan: Plan,
    private readonly model: ExplainableModel,
    private readonly layer: NormalisationLayer,
    private readonly statistics: NormalisationStatistics,
    readonly expected: Convention,
  ) {}

  /** @throws GraphError for a network whose first layer is no convolution with normalisation: it has no statistics to compare with */
  static async create(model: ExplainableModel): Promise<PreprocessingCheck> {
    const [height, width] = model.inputSize;
    const x = input("x", [BATCH, height, width, 3]);
    const nodes = topologicalOrder([logitsOf(model.build(x)).node]);
    const layer = normalisationLayers(nodes).find((each) => each.input.node.inputs[0] === x);
    const linear = layer?.input.node.op.traits.linear;
    if (!layer || !linear)
      throw new GraphError("expected a convolution with batch normalisation as the first layer, found none");
    const kernel = layer.input.node.inputs[linear.weights];
    const statistics = await readStatistics(layer, model.parameters);
    const stem: StemStatistics = {
      ...statistics,
      kernel: (await model.parameters.get(kernel.node.attributes.name)) as Float32Array,
      shape: kernel.shape as Shape,
      epsilon: layer.epsilon,
    };
    const outputs = { means: mean(layer.input, [1, 2]), squares: mean(square(layer.input), [1, 2]) };
    const plan = await compile(model.device, { outputs }, { parameters: model.parameters, maxBatch: 4 });
    return new PreprocessingCheck(plan, model, layer, statistics, expectedConvention(stem));
  }

  /**
   * @param values [H, W, 3], exactly as the network's first layer gets them
   * @throws ShapeError when they are no image of the model's size
   */
  async inspect(values: Float32Array): Promise<PreprocessingVerdict> {
    const [height, width] = this.model.inputSize;
    if (values.length !== height * width * 3)
      throw new ShapeError(`expected an image of ${height} × ${width} × 3 values, found ${values.length}`);
    const { expected } = this;
    const known = Object.values<Convention>(conventions).filter(({ name }) => name !== expected.name);
    const candidates = [expected, ...known, twice(expected, expected), twice(conventions.unit, expected)];
    const pixels = candidates.map((candidate) => invertConvention(candidate, values));
    const usable = pixels.map(impossibleShare).map((share) => share <= possibleShare);
    const corrected = pixels.filter((_, at) => usable[at]).map((each) => applyConvention(expected, each));
    const [own, ...others] = await this.#mismatches([values, ...corrected]);
    const readings = candidates.map(({ name }, at): Reading => {
      const range = rangeOf(pixels[at]);
      const mismatch = usable[at] ? (others.shift() as number) : null;
      const cost = mismatch === null ? null : Math.log(mismatch) - rangeWeight * Math.log(Math.max(range, 1));
      return { convention: name, impossible: impossibleShare(pixels[at]), range, mismatch, cost };
    });
    readings.sort((a, b) => (a.cost ?? Number.POSITIVE_INFINITY) - (b.cost ?? Number.POSITIVE_INFINITY));
    return { ...this.#verdict(readings[0]), expected: expected.name, mismatch: own, readings };
  }

  #verdict(best: Reading): Pick<PreprocessingVerdict, "status" | "words" | "found"> {
    const { name } = this.expected;
    if (best.mismatch === null || best.mismatch > plausibleMismatch)
      return {
        status: "unknown",
        found: "none of the known ways",
        words: `The network expects ${name}; what it was given fits no known way to hand over a photograph.`,
      };
    const found = best.convention;
    if (found === name) return { status: "right", found, words: `Preprocessing is right: ${name}.` };
    if (best.range < fewestLevels)
      return {
        status: "unknown",
        found: "a picture with too little contrast to tell",
        words: `The network expects ${name}; the picture is too dark or too flat to tell what was done to it.`,
      };
    return {
      status: "wrong",
      found,
      words: `Wrong preprocessing: the network expects ${name}, the image was given as ${found}.`,
    };
  }

  /** The mismatch of the first layer for each of several images. */
  async #mismatches(images: readonly Float32Array[]): Promise<number[]> {
    const x = new Float32Array(images.length * images[0].length);
    images.forEach((image, index) => {
      x.set(image, index * image.length);
    });
    const { means, squares } = await this.plan.run({ x });
    const channels = this.statistics.mean.length;
    return images.map((_, image) => {
      const row = (list: ArrayLike<number>, channel: number): number => list[image * channels + channel];
      const average = Float64Array.from({ length: channels }, (_, channel) => row(means, channel));
      const variance = average.map((value, channel) => Math.max(0, row(squares, channel) - value * value));
      return normalisationMismatch({ mean: average, variance }, this.statistics, this.layer.epsilon);
    });
  }

  dispose(): void {
    this.plan.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function impossibleShare(pixels: Float32Array): number {
  let outside = 0;
  for (const pixel of pixels) if (!(pixel >= -slack && pixel <= 255 + slack)) outside++;
  return outside / pixels.length;
}

function rangeOf(pixels: Float32Array): number {
  const sorted = Float32Array.from(pixels).sort();
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))];
  return at(0.995) - at(0.005);
}
