/** Robustness in one number: the mean corruption error of Hendrycks and Dietterich (ICLR 2019). */
import { DataError } from "../engine/errors.ts";

/** Accuracies of one model: on clean images, and of each family at each measured severity, in one order for all models. */
export interface CorruptionAccuracies {
  readonly clean: number;
  readonly families: Readonly<Record<string, readonly number[]>>;
}

export interface FamilyError {
  readonly name: string;
  /** Mean over severities of 1 − accuracy. */
  readonly error: number;
  /** Σ errors / Σ errors of the baseline; null where the baseline makes none. */
  readonly corruptionError: number | null;
  /** Σ (error − clean error) over the same of the baseline; null where the baseline loses nothing. */
  readonly relativeError: number | null;
}

export interface CorruptionError {
  /** Means over the families that have one; null where none has. 1 for the baseline itself. */
  readonly mce: number | null;
  readonly relativeMce: number | null;
  /** Mean of 1 − accuracy over families and severities. */
  readonly meanError: number;
  readonly families: readonly FamilyError[];
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const meanOf = (values: readonly (number | null)[]): number | null => {
  const known = values.filter((value): value is number => value !== null);
  return known.length > 0 ? sum(known) / known.length : null;
};

/** Less than this is no loss to divide by: no test set has so many images. */
const smallest = 1e-9;

/**
 * The corruption errors of a model relative to a baseline measured on the same images, families and severities.
 * @throws DataError without families, or when the two were not measured alike
 */
export function corruptionError(model: CorruptionAccuracies, baseline: CorruptionAccuracies): CorruptionError {
  const names = Object.keys(model.families);
  const alike = names.every((name) => baseline.families[name]?.length === model.families[name].length);
  if (names.length === 0 || names.length !== Object.keys(baseline.families).length || !alike)
    throw new DataError(
      `expected a model and a baseline measured on the same corruptions, found ${names.join(", ")} and ${Object.keys(baseline.families).join(", ")}`,
    );
  const families = names.map((name) => {
    const errors = (accuracies: CorruptionAccuracies): number =>
      sum(accuracies.families[name].map((accuracy) => 1 - accuracy));
    const lost = (accuracies: CorruptionAccuracies): number =>
      sum(accuracies.families[name].map((accuracy) => accuracies.clean - accuracy));
    const ratio = (part: number, whole: number): number | null => (whole > smallest ? part / whole : null);
    return {
      name,
      error: errors(model) / model.families[name].length,
      corruptionError: ratio(errors(model), errors(baseline)),
      relativeError: ratio(lost(model), lost(baseline)),
    };
  });
  return {
    mce: meanOf(families.map((family) => family.corruptionError)),
    relativeMce: meanOf(families.map((family) => family.relativeError)),
    meanError: sum(families.map(({ error }) => error)) / families.length,
    families,
  };
}
