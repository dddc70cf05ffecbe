/** Robustness in one number: the mean corruption error of Hendrycks and Dietterich (ICLR 2019). */
import { DataError } from "../engine/errors.ts";
import { type BootstrapOptions, resampledStatistic } from "./significance.ts";

/** For each image 1 where one model was wrong, else 0: clean, and of each family at each measured severity. */
export interface CorruptionErrors {
  readonly clean: ArrayLike<number>;
  readonly families: Record<string, readonly ArrayLike<number>[]>;
}

export interface FamilyError {
  readonly name: string;
  /** 1 − accuracy at each severity. */
  readonly errors: readonly number[];
  /** Σ errors / Σ errors of the baseline; null where the baseline makes none. */
  readonly corruptionError: number | null;
  /** Σ (error − clean error) over the same of the baseline; null where the baseline loses nothing. */
  readonly relativeError: number | null;
}

export interface CorruptionSummary {
  /** Means over the families that have one; null where none has. 1 for the baseline itself. */
  readonly mce: number | null;
  readonly relativeMce: number | null;
  readonly cleanError: number;
  /** Mean of 1 − accuracy over families and severities. */
  readonly meanError: number;
  readonly families: readonly FamilyError[];
}

const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);
const meanOf = (values: readonly (number | null)[]): number | null => {
  const known = values.filter((value): value is number => value !== null);
  return known.length > 0 ? sum(known) / known.length : null;
};

/** Less than this is nothing to divide by: no test set has so many images. */
const smallest = 1e-9;
const ratio = (part: number, whole: number): number | null => (whole > smallest ? part / whole : null);

function checkAlike(model: CorruptionErrors, baseline: CorruptionErrors): void {
  const [names, others] = [model, baseline].map(({ families }) => Object.keys(families).sort());
  const alike = names.every((name) => baseline.families[name]?.length === model.families[name].length);
  if (names.length === 0 || names.join() !== others.join() || !alike || model.clean.length !== baseline.clean.length)
    throw new DataError(
      `expected a model and a baseline measured on the same images and corruptions, found ${names.join(", ")} and ${others.join(", ")}`,
    );
}

/**
 * The corruption errors of a model relative to a baseline measured on the same images, families and severities.
 * @throws DataError without families, or when the two were not measured alike
 */
export function corruptionErrors(model: CorruptionErrors, baseline: CorruptionErrors): CorruptionSummary {
  checkAlike(model, baseline);
  const errorOf = (wrong: ArrayLike<number>): number => sum(wrong) / wrong.length;
  const families = Object.keys(model.families).map((name): FamilyError => {
    const [errors, others] = [model, baseline].map((each) => each.families[name].map(errorOf));
    const lost = (values: readonly number[], { clean }: CorruptionErrors): number =>
      sum(values) - values.length * errorOf(clean);
    return {
      name,
      errors,
      corruptionError: ratio(sum(errors), sum(others)),
      relativeError: ratio(lost(errors, model), lost(others, baseline)),
    };
  });
  return {
    mce: meanOf(families.map(({ corruptionError }) => corruptionError)),
    relativeMce: meanOf(families.map(({ relativeError }) => relativeError)),
    cleanError: errorOf(model.clean),
    meanError: sum(families.map(({ errors }) => sum(errors) / errors.length)) / families.length,
    families,
  };
}

/** The bootstrap interval of the mean corruption error: images are drawn again, with all their corruptions, for both models alike. */
export function mceInterval(
  model: CorruptionErrors,
  baseline: CorruptionErrors,
  options: BootstrapOptions = {},
): { readonly low: number; readonly high: number } {
  checkAlike(model, baseline);
  const perImage = (lists: readonly ArrayLike<number>[]): Float64Array =>
    Float64Array.from(lists[0], (_, image) => lists.reduce((total, wrong) => total + wrong[image], 0));
  const pairs = Object.keys(model.families).map((name) =>
    [model, baseline].map((each) => perImage(each.families[name])),
  );
  const mceOf = (drawn: Uint32Array): number => {
    const ratios = pairs.map(([own, other]) => {
      let [part, whole] = [0, 0];
      for (const image of drawn) {
        part += own[image];
        whole += other[image];
      }
      return ratio(part, whole);
    });
    return meanOf(ratios) ?? Number.NaN;
  };
  return resampledStatistic(model.clean.length, mceOf, options);
}
