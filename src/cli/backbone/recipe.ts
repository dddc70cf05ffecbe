/** How the embedded backbone is made: everything that its figures depend on besides the photographs and the teacher. */
import type { ResizeMode } from "../../data/resize.ts";
import { dataOptions } from "../dataset.ts";

/** MobileNetV2's smallest published width. */
export const BACKBONE_WIDTH = 0.35;

/** Edge in pixels of the images that the backbone is used on. */
export const BACKBONE_SIZE = 96;

/**
 * Species of `petals` that the backbone never sees: every second one of `petalSpecies`, from poppy on. What its features are worth
 * is measured on these.
 */
export const HELD_OUT_SPECIES: readonly string[] = ["poppy", "lily", "dahlia", "tulip", "lupin"];

/** The seed of the flowers that the backbone is trained on, far from the small ones that people try. */
export const BACKBONE_PETALS_SEED = 20_350_096;

/** Flowers of each species that the student is shown. */
export const PETALS_PER_SPECIES = 200;

export interface SourceSizes {
  /** Edge in pixels at which the teacher sees the images: near 224 for photographs; less where there is no more detail to see. */
  readonly teacher: number;
  readonly resize: ResizeMode;
}

export const sourceSizes = {
  photographs: { teacher: 160, resize: "aspect" },
  petals: { teacher: 96, resize: "tf" },
} as const satisfies Record<string, SourceSizes>;

export type SourceName = keyof typeof sourceSizes;

/** One part of the training: at first small images, which cost least, then the size at which the backbone is used. */
export interface Phase {
  /** Edge in pixels of the student's input; images are kept a twelfth larger, for random crops. */
  readonly size: number;
  readonly epochs: number;
  readonly learningRate: number;
}

export const phases: readonly Phase[] = [
  { size: 64, epochs: 14, learningRate: 2e-3 },
  { size: 96, epochs: 6, learningRate: 1e-3 },
];

export const BACKBONE_BATCH = 32;

/** How the images are read: none may be missing, or the figures would be those of other images. */
export const strictReading = {
  strict: true,
  memory: dataOptions.memory.default,
  cacheLimit: dataOptions.cacheLimit.default,
} as const;
