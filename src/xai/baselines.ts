import { ShapeError, UsageError } from "../engine/errors.ts";
import { CounterRandom } from "../engine/random.ts";

export const baselineNames = ["black", "grey", "white", "zeros"] as const;
export type BaselineName = (typeof baselineNames)[number];

/** A named baseline, one made from the image itself (`blur`) or from a seed (`noise`), or pixels [H, W, 3] of 0 to 255 such as a data mean. */
export type BaselineChoice = BaselineName | "blur" | "noise" | Float32Array;

/**
 * The image without information, as pixels of 0 to 255 [H, W, 3]. `black`, `grey` and `white` are named in pixel space;
 * `zeros` is zero after the model's preprocessing (mid-grey for pixel / 127.5 − 1).
 */
export function baselinePixels(
  name: BaselineName,
  size: readonly [number, number],
  preprocessing: { readonly scale: number; readonly offset: number },
): Float32Array {
  const pixels = new Float32Array(size[0] * size[1] * 3);
  switch (name) {
    case "black":
      return pixels;
    case "grey":
      return pixels.fill(127.5);
    case "white":
      return pixels.fill(255);
    case "zeros":
      return pixels.fill(-preprocessing.offset / preprocessing.scale);
    default:
      throw new UsageError(`baseline must be one of ${baselineNames.join(", ")}, found ${name satisfies never}`);
  }
}

/** A blurred image keeps its colours and loses its shapes: σ is this share of the longer side. */
const blurShare = 0.1;

/**
 * The pixels [H, W, 3] of a chosen baseline for one image. `noise` is uniform in 0 … 255, a pure function of the seed.
 * @throws ShapeError for given pixels of another size.
 */
export function resolveBaseline(
  choice: BaselineChoice,
  image: Float32Array,
  model: {
    readonly inputSize: readonly [number, number];
    readonly preprocessing: { readonly scale: number; readonly offset: number };
  },
  seed = 0,
): Float32Array {
  if (choice === "blur") return gaussianBlur(image, model.inputSize, blurShare * Math.max(...model.inputSize));
  if (choice === "noise") {
    const random = new CounterRandom(seed, 0, 0, 1);
    return image.map(() => random.uniform(0, 255));
  }
  if (typeof choice === "string") return baselinePixels(choice, model.inputSize, model.preprocessing);
  if (choice.length !== image.length)
    throw new ShapeError(`expected a baseline of ${image.length} values, found ${choice.length}; resize it first`);
  return choice;
}

/** The mean of images [N, H, W, 3], pixel by pixel: the baseline `data mean`. */
export function meanPixels(pixels: Float32Array, count: number): Float32Array {
  const mean = new Float64Array(pixels.length / count);
  pixels.forEach((value, at) => {
    mean[at % mean.length] += value / count;
  });
  return Float32Array.from(mean);
}

/** Weights of a Gaussian of width `sigma` (pixels) on 2·radius + 1 places, summing to 1; σ = 0 leaves the centre alone. */
export function gaussianWeights(sigma: number, radius: number): Float64Array {
  const at = (place: number): number => (sigma === 0 ? Number(place === 0) : Math.exp(-0.5 * (place / sigma) ** 2));
  const raw = Float64Array.from({ length: 2 * radius + 1 }, (_, index) => at(index - radius));
  const total = raw.reduce((sum, value) => sum + value, 0);
  return raw.map((value) => value / total);
}

/** A Gaussian blur of one image [H, W, 3]; the border's pixels repeat. */
export function gaussianBlur(
  image: Float32Array,
  [height, width]: readonly [number, number],
  sigma: number,
): Float32Array {
  const radius = Math.ceil(3 * sigma);
  const weights = gaussianWeights(sigma, radius);
  const along = (source: Float32Array, length: number, lines: number, step: number, lineStep: number): Float32Array => {
    const out = new Float32Array(source.length);
    for (let line = 0; line < lines; line++)
      for (let at = 0; at < length; at++)
        for (let c = 0; c < 3; c++) {
          let total = 0;
          for (let k = -radius; k <= radius; k++) {
            const place = Math.min(Math.max(at + k, 0), length - 1);
            total += weights[k + radius] * source[line * lineStep + place * step + c];
          }
          out[line * lineStep + at * step + c] = total;
        }
    return out;
  };
  return along(along(image, width, height, 3, 3 * width), height, width, 3 * width, 3);
}
