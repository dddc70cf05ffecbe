/** What an analysis of errors gives: plain data for its sections. `calibrationOf` and `confusedPairs` of nn make it. */

export interface CalibrationResult {
  readonly count: number;
  /** Expected calibration error, in [0, 1]. */
  readonly ece: number;
  /** The largest gap of a bin. */
  readonly maximum: number;
  /** Mean confidence − accuracy. */
  readonly overconfidence: number;
  readonly bins: readonly {
    readonly low: number;
    readonly high: number;
    readonly count: number;
    readonly confidence: number | null;
    readonly accuracy: number | null;
  }[];
}

export interface ConfusionSummary {
  readonly classNames: readonly string[];
  readonly pairs: readonly {
    /** Class indices. */
    readonly actual: number;
    readonly predicted: number;
    readonly count: number;
    /** Of the images of the true class. */
    readonly share: number;
  }[];
  readonly perClass: readonly {
    readonly name: string;
    readonly precision: number | null;
    readonly recall: number | null;
    readonly f1: number | null;
    readonly support: number;
  }[];
}
