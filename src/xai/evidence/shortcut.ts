import { meanOfKnown, rocAuc } from "./statistics.ts";

/** A model under suspicion beside an honest one, on the same images with the shortcut in them. */
export interface ShortcutMeasurements {
  /** What the shortcut is called, e.g. `corner mark`. */
  readonly shortcut: string;
  /** What the two models are called in words, e.g. `the network that learned from marked pictures`. */
  readonly names?: { readonly suspect: string; readonly honest: string };
  /** Share of each map's positive relevance on the shortcut; null for a map without any. */
  readonly suspect: readonly (number | null)[];
  readonly honest: readonly (number | null)[];
  /** Mean share of the picture that the shortcut covers. */
  readonly area: number;
  readonly accuracy?: ShortcutAccuracy;
}

/** Share of right answers of the suspect with the shortcut in the picture, and with it taken away. */
export interface ShortcutAccuracy {
  readonly withShortcut: number;
  readonly without: number;
}

export interface ShortcutFinding {
  /** Chance that a map of the suspect has more relevance on the shortcut than one of the honest model. */
  readonly auc: number;
  readonly suspectMass: number;
  readonly honestMass: number;
  readonly exposed: boolean;
  /** As measured; undefined where it was not. */
  readonly accuracy?: ShortcutAccuracy;
  readonly words: string;
}

/** From this area under the curve on, the explanations expose the suspect. */
export const exposureLimit = 0.95;

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

/** Whether the maps expose a model that reads a shortcut, in numbers and in words. A map without positive relevance counts as 0. */
export function shortcutFinding(measurements: ShortcutMeasurements): ShortcutFinding {
  const { shortcut, names = { suspect: "this network", honest: "an honest network" } } = measurements;
  const { suspect, honest, area, accuracy } = measurements;
  const known = (masses: readonly (number | null)[]): number[] => masses.map((mass) => mass ?? 0);
  const auc = rocAuc(known(suspect), known(honest));
  const suspectMass = meanOfKnown(suspect) ?? 0;
  const honestMass = meanOfKnown(honest) ?? 0;
  const exposed = auc >= exposureLimit;
  const masses = `${percent(suspectMass)} of its relevance lies on the ${shortcut}, which covers ${percent(area)} of the picture; ${names.honest} puts ${percent(honestMass)} there`;
  const answers = accuracy
    ? ` With the ${shortcut} in the picture ${percent(accuracy.withShortcut)} of its answers are right, without it ${percent(accuracy.without)}.`
    : "";
  const verdict = exposed
    ? `${names.suspect[0].toUpperCase()}${names.suspect.slice(1)} cheats: ${masses} (AUC ${auc.toFixed(3)}). It answers by the ${shortcut}, not by the object.`
    : `These maps expose no cheat by ${names.suspect}: ${masses} (AUC ${auc.toFixed(3)}, exposed from ${exposureLimit} on).`;
  return { auc, suspectMass, honestMass, exposed, ...(accuracy ? { accuracy } : {}), words: verdict + answers };
}
