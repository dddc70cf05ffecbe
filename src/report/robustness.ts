/** What a measurement of robustness gives: plain data for tables, charts and JSON. */
export interface RobustnessResult {
  /** Images measured. */
  readonly count: number;
  readonly severities: readonly number[];
  /** Decides what was drawn for each image. */
  readonly seed: number;
  /** The first is the baseline that errors are relative to. */
  readonly models: readonly ModelRobustness[];
}

export interface ModelRobustness {
  readonly name: string;
  readonly cleanAccuracy: number;
  /** Mean over families and severities. */
  readonly meanAccuracy: number;
  /** Mean corruption error relative to the baseline: 1 for the baseline, below 1 is more robust; null where it has no meaning. */
  readonly mce: number | null;
  /** 95 % bootstrap over images; null for the baseline. */
  readonly mceInterval: { readonly low: number; readonly high: number } | null;
  readonly relativeMce: number | null;
  readonly families: readonly FamilyRobustness[];
}

export interface FamilyRobustness {
  readonly name: string;
  readonly group: string;
  /** One for each severity. */
  readonly accuracies: readonly number[];
  readonly corruptionError: number | null;
}

/** The accuracies as comma-separated values: a line for each model, corruption and severity; severity 0 is clean. */
export function robustnessCsv({ models, severities }: RobustnessResult): string {
  const quoted = (text: string): string => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
  const lines = models.flatMap(({ name, cleanAccuracy, families }) => [
    `${quoted(name)},clean,0,${cleanAccuracy}`,
    ...families.flatMap(({ name: family, accuracies }) =>
      accuracies.map((accuracy, index) => `${quoted(name)},${family},${severities[index]},${accuracy}`),
    ),
  ]);
  return `${["model,corruption,severity,accuracy", ...lines].join("\n")}\n`;
}
