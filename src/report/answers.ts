/** What the five answers are made of: plain data, as a run measured them. */
import type { Bounds } from "./comparison.ts";

/** One side of the pair that was trained with equal budget; means over the seeds. */
export interface TrainedSide {
  readonly testAccuracy: number;
  /** Right answers for the first seed, whose model is measured further. */
  readonly correct: number;
  /** At the kept epoch, on the images as training saw them. */
  readonly trainAccuracy: number;
  readonly valAccuracy: number;
  readonly bestEpoch: number;
}

export interface AugmentationEffect {
  /** The augmented side's policy in one line. */
  readonly policy: string;
  readonly epochs: number;
  readonly seeds: readonly number[];
  readonly testCount: number;
  readonly baseline: TrainedSide;
  readonly augmented: TrainedSide;
  /** Test accuracy of augmented − baseline, images in pairs. */
  readonly difference: Bounds;
  /** Exact, of the first seed. */
  readonly mcNemar: { readonly onlyFirst: number; readonly onlySecond: number; readonly p: number };
  /** Whose model the rest of the page describes: the better one on the validation images. */
  readonly chosen: "baseline" | "augmented";
  /** Measured corruptions that are operations of the policy. */
  readonly ownCorruptions: readonly string[];
}

/** One of two ways to a classifier of the same images. */
export interface ScratchSide {
  /** Right answers on the test images. */
  readonly correct: number;
  /** Validation accuracy of each epoch; the test is that of the best. */
  readonly curve: readonly number[];
  readonly parameters: number;
  readonly trainedParameters: number;
  /** Height and width of the images that it sees. */
  readonly inputSize: readonly [number, number];
}

/** A head on a frozen backbone, and a small network from scratch: same images, no augmentation, one seed. */
export interface ScratchComparison {
  readonly testCount: number;
  readonly trainCount: number;
  readonly transfer: ScratchSide;
  readonly scratch: ScratchSide;
  /** Test accuracy of transfer − scratch, images in pairs. */
  readonly difference: Bounds;
  /** McNemar's exact test. */
  readonly p: number;
}

/** Where the maps lie on test images, and whether what they show decides the answer. */
export interface Looking {
  /** Where outlines are known; counts of images whose map is not empty. */
  readonly masks: {
    readonly count: number;
    readonly hits: number;
    /** Share of the maps inside the outline, and of the pictures. */
    readonly mass: number;
    readonly area: number;
    readonly rightAnswers: number;
    /** Right answers whose map has its peak beside the object. */
    readonly rightBeside: number;
  } | null;
  /** The same pointing game for GradCAM at the last activation, where the maps are of another kind; else null. */
  readonly coarse: { readonly count: number; readonly hits: number } | null;
  /** Areas under the curves of the answer's probability, means over images. */
  readonly curves: {
    readonly images: number;
    readonly insertion: number;
    readonly randomInsertion: number;
    readonly deletion: number;
    readonly randomDeletion: number;
  };
}

/** The surest mistake, as the map shows it. */
export interface MistakeAnswer {
  readonly name: string;
  readonly predicted: string;
  readonly actual: string;
  readonly probability: number;
  readonly actualProbability: number;
  /** Σ min / Σ max of the maps for both classes: 1 where they are the same. */
  readonly overlap: number;
  /** Whether the peaks of the maps lie on the object, where its outline is known and the maps are not empty. */
  readonly predictedOnObject: boolean | null;
  readonly actualOnObject: boolean | null;
}

export interface AnswersData {
  readonly augmentation: AugmentationEffect;
  readonly looking: Looking;
  /** Null where every test image was answered rightly. */
  readonly mistake: MistakeAnswer | null;
}

/** One choice of the notebook beside what is right, both measured. */
export interface NotebookRow {
  readonly choice:
    | "preprocessing"
    | "validationIsTest"
    | "notSaved"
    | "resampling"
    | "probabilityScore"
    | "layerByName"
    | "linspace";
  /** What the figures measure; null where this run cannot. */
  readonly measured: {
    readonly correct: number;
    readonly notebook: number;
    readonly unit: "share" | "number";
    /** Images or answers behind the figures. */
    readonly count: number;
  } | null;
}
