/** The `advanced` policy on a batch: the same drawn numbers for every engine. */
import { Augmentation } from "../src/data/augment/augmentation.ts";
import { augMixDepth, augMixWidth } from "../src/data/augment/mixedLayers.ts";
import { builtInPolicies } from "../src/data/augment/policy.ts";
import { photometricCodes } from "../src/engine/ops/photometric.ts";
import type { TypedArray } from "../src/engine/types.ts";
import type { Workload } from "./workloads.ts";

export const augmentationOf = (size: number): Augmentation =>
  new Augmentation(builtInPolicies.advanced, { height: size, width: size });

/** The values of the inputs of its graph for samples 0, 1, … of one epoch. */
export const augmentationFeeds = ({ size, batch }: Pick<Workload, "size" | "batch">): Record<string, TypedArray> =>
  augmentationOf(size).feeds(Array.from({ length: batch }, (_, id) => ({ seed: 20, epoch: 0, id })));

/** One of the operations of a chain, for each image [N]; at most one of them does something. */
export interface ChainStep {
  /** How far apart the levels are; 0 for no posterising. */
  readonly levels: Float32Array;
  /** From which values are inverted; more than 255 for none. */
  readonly thresholds: Float32Array;
  /** 1 where the histogram is equalised. */
  readonly equalise: Float32Array;
}

/** What a peer needs to do the same: one row for each image. */
export interface AugmentationNumbers {
  /** [N, 8], output pixels to input positions, reflected at the border. */
  readonly matrices: Float32Array;
  /** [N] each: added; factor about the mean; factor about the grey. */
  readonly brightness: Float32Array;
  readonly contrast: Float32Array;
  readonly saturation: Float32Array;
  /** [N] as in a chain's step. */
  readonly levels: Float32Array;
  /** [N], the strength; 0 for none. */
  readonly sharpen: Float32Array;
  /** [N] each: the share of the image itself, and of each chain of AugMix. */
  readonly shares: readonly Float32Array[];
  readonly chains: readonly { readonly matrices: Float32Array; readonly steps: readonly ChainStep[] }[];
}

/** The feeds taken apart: warp, program of brightness, program of the other colours, sharpening, AugMix. */
export function augmentationNumbers(workload: Pick<Workload, "size" | "batch">): AugmentationNumbers {
  const feeds = augmentationFeeds(workload) as Record<string, Float32Array>;
  /** What `read` makes of each image's code and amount at a place of a program. */
  const amounts = (program: Float32Array, steps: number, step: number, read = (_: number, amount: number) => amount) =>
    Float32Array.from({ length: workload.batch }, (_, image) => {
      const at = 2 * (image * steps + step);
      return read(program[at], program[at + 1]);
    });
  const { posterise, solarise } = photometricCodes;
  const levelsOf = (code: number, bits: number): number => (code === posterise ? 2 ** (8 - bits) : 0);
  const thresholdOf = (code: number, threshold: number): number => (code === solarise ? threshold : 1e9);
  const mix = (place: number): Float32Array => feeds[`augment/4/${place}`];
  const chainInputs = 1 + 2 * augMixDepth;
  return {
    matrices: feeds["augment/0/0"],
    brightness: amounts(feeds["augment/1/0"], 1, 0),
    contrast: amounts(feeds["augment/2/0"], 3, 0),
    saturation: amounts(feeds["augment/2/0"], 3, 1),
    levels: amounts(feeds["augment/2/0"], 3, 2, levelsOf),
    sharpen: feeds["augment/3/0"],
    shares: Array.from({ length: 1 + augMixWidth }, (_, branch) => mix(branch)),
    chains: Array.from({ length: augMixWidth }, (_, chain) => {
      const first = 1 + augMixWidth + chain * chainInputs;
      const step = (place: number): ChainStep => ({
        levels: amounts(mix(first + 1 + 2 * place), 1, 0, levelsOf),
        thresholds: amounts(mix(first + 1 + 2 * place), 1, 0, thresholdOf),
        equalise: mix(first + 2 + 2 * place),
      });
      return { matrices: mix(first), steps: Array.from({ length: augMixDepth }, (_, place) => step(place)) };
    }),
  };
}
