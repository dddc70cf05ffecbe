import { ShapeError } from "../../engine/errors.ts";
import type { Target } from "../explanation.ts";
import type { Score } from "../model.ts";
import { type ImputationOptions, imputeLinearly } from "./imputation.ts";
import type { Scorer } from "./scorer.ts";
import { fallingOrder, mean } from "./statistics.ts";

/** Shares of the pixels that are removed, as in the paper. */
export const roadShares: readonly number[] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9];

export interface RoadEvidence {
  readonly shares: readonly number[];
  /** The score of the untouched image. */
  readonly image: number;
  /** The score with the most relevant pixels removed, at each share: lower is better. */
  readonly mostRelevantFirst: readonly number[];
  /** The score with the least relevant pixels removed: higher is better. */
  readonly leastRelevantFirst: readonly number[];
  /** Half the mean difference of the two; 0 for a map that knows nothing, at most 0.5 for probabilities. */
  readonly combined: number;
  readonly score: Score;
}

export interface RoadOptions extends ImputationOptions {
  readonly shares?: readonly number[];
  /** Default `prob`. */
  readonly score?: Score;
}

/**
 * ROAD, remove and debias (Rong et al. 2022): pixels are removed in the order of the map, and in the opposite one, and replaced
 * by noisy linear imputation; the images of all shares are one batch.
 * @param image [H, W, 3] of 0 to 255
 * @param relevance [H, W]
 * @throws ShapeError for shares outside (0, 1) or sizes that do not fit; NonFiniteError for a map that is not finite
 */
export async function road(
  scorer: Scorer,
  image: Float32Array,
  target: Target,
  relevance: ArrayLike<number>,
  { shares = roadShares, score = "prob", ...imputation }: RoadOptions = {},
): Promise<RoadEvidence> {
  const wrong = shares.find((share) => !(share > 0 && share < 1));
  if (wrong !== undefined || shares.length === 0)
    throw new ShapeError(`expected shares between 0 and 1, found ${wrong ?? "none"}`);
  const order = fallingOrder(relevance);
  const images = [
    image,
    ...[order, order.slice().reverse()].flatMap((places) =>
      shares.map((share) => {
        const removed = new Uint8Array(order.length);
        for (const place of places.subarray(0, Math.round(share * order.length))) removed[place] = 1;
        return imputeLinearly(image, removed, scorer.model.inputSize, imputation);
      }),
    ),
  ];
  const pixels = new Float32Array(images.length * image.length);
  images.forEach((each, index) => {
    pixels.set(each, index * image.length);
  });
  const scores = Array.from((await scorer.score(pixels, new Array<Target>(images.length).fill(target)))[score]);
  const mostRelevantFirst = scores.slice(1, 1 + shares.length);
  const leastRelevantFirst = scores.slice(1 + shares.length);
  const combined = mean(leastRelevantFirst.map((value, index) => value - mostRelevantFirst[index])) / 2;
  return { shares, image: scores[0], mostRelevantFirst, leastRelevantFirst, combined, score };
}
