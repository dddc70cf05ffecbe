/** What a comparison of policies gives: plain data for tables, charts and JSON. */
import type { RobustnessResult } from "./robustness.ts";

export interface Bounds {
  readonly mean: number;
  /** 95 % bootstrap over the test images. */
  readonly low: number;
  readonly high: number;
}

export interface ComparedRun {
  readonly seed: number;
  readonly bestEpoch: number;
  readonly valAccuracy: number;
  readonly testAccuracy: number;
  readonly testLoss: number;
  /** Exact McNemar test against the baseline of the same seed; null for the baseline. */
  readonly mcNemar: { readonly onlyFirst: number; readonly onlySecond: number; readonly p: number } | null;
  /** As the policy's, relative to the baseline of the same seed. */
  readonly foreignMce: number | null;
}

export interface PolicyResult {
  readonly name: string;
  /** Its layers in one line. */
  readonly summary: string;
  readonly runs: readonly ComparedRun[];
  /** Mean over seeds. */
  readonly valAccuracy: number;
  readonly accuracy: Bounds;
  /** Standard deviation of the test accuracy between seeds; what an image says is in `accuracy`. */
  readonly deviation: number;
  /** Test accuracy minus the baseline's, images and seeds in pairs; null for the baseline. */
  readonly difference: Bounds | null;
  /** Validation accuracy after each epoch, a list for each seed. */
  readonly curves: readonly (readonly number[])[];
  /** Mean corruption error over the families that are no operation of the policy; null where it was not measured. */
  readonly foreignMce: number | null;
  /** 95 % bootstrap over the test images, each with all its corruptions and seeds; null for the baseline, or not measured. */
  readonly foreignInterval: { readonly low: number; readonly high: number } | null;
  /** The measured families that are operations of the policy. */
  readonly ownCorruptions: readonly string[];
}

export interface ComparisonResult {
  readonly settings: Readonly<Record<string, string | number | null>>;
  readonly seeds: readonly number[];
  /** The first is the baseline. */
  readonly policies: readonly PolicyResult[];
  /** The policy with the best mean validation accuracy: chosen before the test images were read. */
  readonly chosen: string;
  readonly test: { readonly count: number /** How often the test images were read for figures. */; readonly uses: 1 };
  /** Means over seeds, relative to the baseline; null where it was not asked for. */
  readonly robustness: RobustnessResult | null;
}
