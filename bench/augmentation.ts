/** The `advanced` policy on a batch: the same drawn numbers for every engine. */
import { Augmentation } from "../src/data/augment/augmentation.ts";
import { builtInPolicies } from "../src/data/augment/policy.ts";
import type { TypedArray } from "../src/engine/types.ts";
import type { Workload } from "./workloads.ts";

export const augmentationOf = (size: number): Augmentation =>
  new Augmentation(builtInPolicies.advanced, { height: size, width: size });

/** The values of the inputs of its graph for samples 0, 1, … of one epoch. */
export const augmentationFeeds = ({ size, batch }: Pick<Workload, "size" | "batch">): Record<string, TypedArray> =>
  augmentationOf(size).feeds(Array.from({ length: batch }, (_, id) => ({ seed: 20, epoch: 0, id })));

/** What a peer needs to do the same: one row for each image. */
export interface AugmentationNumbers {
  /** [N, 8], output pixels to input positions, reflected at the border. */
  readonly matrices: Float32Array;
  /** [N] each: added; factor about the mean; factor about the grey; share of the grey. */
  readonly brightness: Float32Array;
  readonly contrast: Float32Array;
  readonly saturation: Float32Array;
  readonly greyscale: Float32Array;
  /** [N, 4] top, left, height, width in pixels, painted with colours [N, 3]. */
  readonly boxes: Float32Array;
  readonly colours: Float32Array;
}

/** The feeds taken apart: warp, program of brightness, program of the other colours, erasing. */
export function augmentationNumbers(workload: Pick<Workload, "size" | "batch">): AugmentationNumbers {
  const feeds = augmentationFeeds(workload) as Record<string, Float32Array>;
  const amounts = (program: string, steps: number, step: number): Float32Array =>
    Float32Array.from({ length: workload.batch }, (_, image) => feeds[program][2 * (image * steps + step) + 1]);
  return {
    matrices: feeds["augment/0/0"],
    brightness: amounts("augment/1/0", 1, 0),
    contrast: amounts("augment/2/0", 3, 0),
    saturation: amounts("augment/2/0", 3, 1),
    greyscale: amounts("augment/2/0", 3, 2),
    boxes: feeds["augment/3/0"],
    colours: feeds["augment/3/1"],
  };
}
