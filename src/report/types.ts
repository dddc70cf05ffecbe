import type { ColormapName } from "../xai/colormaps.ts";
import type { RgbImage } from "../xai/overlay.ts";
import type { AnswersData, NotebookRow, ScratchComparison } from "./answers.ts";
import type { CalibrationResult, ConfusionSummary } from "./errors.ts";
import type { Language } from "./language.ts";
import type { RobustnessResult } from "./robustness.ts";

export type { RgbImage } from "../xai/overlay.ts";

/** Turns an image into the bytes of a PNG file; the caller brings the encoder. */
export type EncodePng = (image: RgbImage) => Uint8Array;

/** Everything a report shows: plain data, no tensors, nothing that needs a device. */
export interface ReportData {
  readonly title: string;
  /** Default English. */
  readonly language?: Language;
  /** Shown as given. Leave it out where the same run must give the same page byte for byte. */
  readonly createdAt?: string;
  readonly headline: Headline;
  /** The class activation map of the pictures; default GradCAM. */
  readonly map?: MapName;
  /** What the images show; default flowers. */
  readonly subject?: "flowers" | "objects";
  /** What a backbone that was trained before knew of the classes, where that is known. */
  readonly backbone?: BackboneKnowledge;
  readonly data: DataSummary;
  /** One row per epoch, in order; empty where nothing was trained. */
  readonly history: readonly EpochRecord[];
  /** The epoch whose weights were kept, as it is numbered in `history`. */
  readonly bestEpoch?: number;
  readonly evaluation: Evaluation;
  /** What the five answers are made of, besides the rest of the page. */
  readonly answers: AnswersData;
  readonly confusions: ConfusionSummary;
  readonly calibration: CalibrationResult;
  /** Of the baseline and the augmented model. */
  readonly robustness: RobustnessResult;
  /** Transfer against the same task from scratch, where that was asked for. */
  readonly scratch?: ScratchComparison;
  /** What the original notebook's choices cost, where that was asked for. */
  readonly notebook?: readonly NotebookRow[];
  readonly explanations: readonly ExplainedImage[];
  /** Shown most confident first. May be a selection: the true number of mistakes comes from the confusion matrix. */
  readonly mistakes: readonly Mistake[];
  readonly settings: Settings;
  /** Seconds by stage. Marked on the page as outside any claim of reproducibility. */
  readonly timings: Readonly<Record<string, number>>;
  /** The colour maps the pictures were drawn with, for the legends; default `ember` and `balance`. */
  readonly colormaps?: { readonly heatmap?: ColormapName; readonly attribution?: ColormapName };
}

export type MapName = "GradCAM" | "LayerCAM";

/** Classes that the backbone was trained on and others, with the described model's right answers among the test images of each. */
export interface BackboneKnowledge {
  readonly seen: KnownClasses;
  readonly unseen: KnownClasses;
}

export interface KnownClasses {
  readonly classNames: readonly string[];
  readonly correct: number;
  readonly count: number;
}

export interface Headline {
  /** One sentence: what was trained, on what. */
  readonly task: string;
  /** Share of right answers on the test split, in [0, 1]. */
  readonly testAccuracy: number;
  readonly testCount: number;
  /** Accuracy of guessing, in [0, 1]: usually the share of the largest class. */
  readonly chance: number;
}

export interface DataSummary {
  readonly name: string;
  readonly classNames: readonly string[];
  /** Images per class, in the order of `classNames`. */
  readonly counts: Readonly<Record<"train" | "validation" | "test", readonly number[]>>;
  /** `label` is the class name. */
  readonly samples: readonly { readonly image: RgbImage; readonly label: string }[];
  readonly broken: readonly { readonly name: string; readonly reason: string }[];
}

export interface EpochRecord {
  readonly epoch: number;
  readonly loss: number;
  readonly accuracy: number;
  /** Null where there is no validation split. */
  readonly valLoss: number | null;
  readonly valAccuracy: number | null;
}

export interface Evaluation {
  readonly accuracy: number;
  readonly loss: number;
  /** In the order of the class names. A precision or recall with nothing to divide by is null. */
  readonly perClass: readonly ClassScore[];
  /** Rows are true classes, columns predicted ones. */
  readonly confusion: readonly (readonly number[])[];
}

export interface ClassScore {
  readonly name: string;
  readonly precision: number | null;
  readonly recall: number | null;
  readonly support: number;
}

export interface ExplainedImage {
  readonly name: string;
  readonly image: RgbImage;
  /** Class names. */
  readonly predicted: string;
  readonly predictedProbability: number;
  readonly actual: string;
  /** The class activation map that the report names. */
  readonly gradcam: GradcamPicture;
  /** GradCAM at the last activation, over the image, where the map is another. */
  readonly coarse?: RgbImage;
  readonly integratedGradients: AttributionPicture;
}

export interface GradcamPicture {
  readonly overlay: RgbImage;
  /** The bare map in colours, if it is to be shown beside the overlay. */
  readonly heatmap?: RgbImage;
  /** "ok", or what is wrong: "no positive evidence". */
  readonly status: string;
  /** Where a mask of the object is known: whether the map's peak lies inside it. */
  readonly pointingHit?: boolean;
  /** Where a mask is known: share of the map's sum inside it, in [0, 1]; NaN or absent for an empty map. */
  readonly massInMask?: number;
  /** Share of the picture that the mask covers: what a map without any knowledge would score. */
  readonly maskArea?: number;
}

export interface AttributionPicture {
  readonly image: RgbImage;
  /** |sum of attributions − (score − score of the baseline)|, in units of the score. */
  readonly completenessGap: number;
  readonly steps: number;
  readonly rule: string;
  readonly baseline?: string;
  readonly massInMask?: number;
}

export interface Mistake {
  readonly name: string;
  readonly image: RgbImage;
  readonly predicted: string;
  readonly probability: number;
  readonly actual: string;
  /** Overlays of the map for the predicted and for the true class. */
  readonly gradcamPredicted: RgbImage;
  readonly gradcamActual: RgbImage;
}

export type SettingValue = string | number | boolean | null | Readonly<Record<string, string | number>>;

/** What repeats the run. `command` and `seed` are required; every further entry is shown under its name. */
export interface Settings {
  readonly command: string;
  readonly seed: number;
  readonly [key: string]: SettingValue | undefined;
}
