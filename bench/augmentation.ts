/** The `advanced` policy on a batch: the same drawn numbers for every engine. */
import { Augmentation } from "../src/data/augment/augmentation.ts";
import type { Operation, Parameters } from "../src/data/augment/layer.ts";
import { augMixDepth, augMixWidth } from "../src/data/augment/mixedLayers.ts";
import type { Drawn, SampleAddress } from "../src/data/augment/parameters.ts";
import { builtInPolicies } from "../src/data/augment/policy.ts";
import type { TypedArray } from "../src/engine/types.ts";
import type { Workload } from "./workloads.ts";

export const augmentationOf = (size: number): Augmentation =>
  new Augmentation(builtInPolicies.advanced, { height: size, width: size });

/** Samples 0, 1, … of one epoch. */
const samplesOf = ({ batch }: Pick<Workload, "batch">): SampleAddress[] =>
  Array.from({ length: batch }, (_, id) => ({ seed: 20, epoch: 0, id }));

/** The values of the inputs of its graph for them. */
export const augmentationFeeds = (workload: Pick<Workload, "size" | "batch">): Record<string, TypedArray> =>
  augmentationOf(workload.size).feeds(samplesOf(workload));

/** A chain's matrix, its steps on pixels, and a switch with its steps on levels. */
const inputsOfChain = 4;

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

const neverInverted = 1e9;
const distance = (bits: number): number => 2 ** (8 - bits);

/** The operation at one place of a chain, for each image; undefined where the chain is shorter. */
function chainStep(operations: readonly (Operation | undefined)[]): ChainStep {
  const amounts = (name: string, read: (amount: number) => number, none: number): Float32Array =>
    Float32Array.from(operations, (operation) => (operation?.name === name ? read(operation.amount) : none));
  return {
    levels: amounts("posterise", distance, 0),
    thresholds: amounts("solarise", (threshold) => threshold, neverInverted),
    equalise: amounts("equalise", () => 1, 0),
  };
}

/** The samples' numbers: matrices and AugMix's shares as the graph gets them, all else as it was drawn. */
export function augmentationNumbers(workload: Pick<Workload, "size" | "batch">): AugmentationNumbers {
  const augmentation = augmentationOf(workload.size);
  const types = augmentation.policy.layers.map(({ type }) => type);
  const drawn = samplesOf(workload).map((sample) => augmentation.draw(sample));
  const column = (type: string, read: (parameters: Parameters) => unknown): Float32Array =>
    Float32Array.from(drawn, (layers) => read(layers[types.indexOf(type)]) as number);
  const chainOf = (layers: Drawn, chain: number): readonly Operation[] =>
    (layers[types.indexOf("augMix")].chains as readonly (readonly Operation[])[])[chain];
  const feeds = augmentationFeeds(workload) as Record<string, Float32Array>;
  const mix = (place: number): Float32Array => feeds[`augment/4/${place}`];
  return {
    matrices: feeds["augment/0/0"],
    brightness: column("brightness", ({ delta }) => delta),
    contrast: column("contrast", ({ factor }) => factor),
    saturation: column("saturation", ({ factor }) => factor),
    levels: column("posterise", ({ active, bits }) => (active ? distance(bits as number) : 0)),
    sharpen: column("sharpen", ({ amount }) => amount),
    shares: Array.from({ length: 1 + augMixWidth }, (_, branch) => mix(branch)),
    chains: Array.from({ length: augMixWidth }, (_, chain) => ({
      matrices: mix(1 + augMixWidth + chain * inputsOfChain),
      steps: Array.from({ length: augMixDepth }, (_, place) =>
        chainStep(drawn.map((layers) => chainOf(layers, chain)[place])),
      ),
    })),
  };
}
