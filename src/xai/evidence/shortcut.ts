import { ShapeError } from "../../engine/errors.ts";
import { mean, meanOfKnown, rocAuc } from "./statistics.ts";

/** A model under suspicion beside an honest one, on the same images with the shortcut in them. */
export interface ShortcutMeasurements {
  /** What the shortcut is called, e.g. `corner mark`. */
  readonly shortcut: string;
  /** What the two models are called in words, e.g. `the network that learned from marked pictures`. */
  readonly names?: { readonly suspect: string; readonly honest: string };
  /** Share of each map's positive relevance on the shortcut; null for a map without any. */
  readonly suspect: readonly (number | null)[];
  readonly honest: readonly (number | null)[];
  /** Share of the picture that the shortcut covers: one number for all, or one of each picture in the order of the masses. */
  readonly area: number | readonly number[];
  readonly accuracy?: ShortcutAccuracy;
}

/** Share of right answers of the suspect with the shortcut in the picture, and with it taken away. */
export interface ShortcutAccuracy {
  readonly withShortcut: number;
  readonly without: number;
}

export interface ShortcutFinding {
  /** Chance that a map of the suspect has more relevance per area on the shortcut than one of the honest model: see `evenMass`. */
  readonly auc: number;
  /** The same by the bare share of the relevance, which also follows how much of each picture the shortcut covers. */
  readonly massAuc: number;
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

/**
 * The share of a map's relevance that would lie on the shortcut if it covered half the picture, with the same relevance per
 * place on it and beside it: ½ where the map knows nothing of the shortcut, whatever its area. Where the shortcut covers all
 * or nothing there is nothing to compare, which is ½ too.
 */
export function evenMass(mass: number, area: number): number {
  const [on, beside] = [mass * (1 - area), (1 - mass) * area];
  return on + beside > 0 ? on / (on + beside) : 0.5;
}

/**
 * Whether the maps expose a model that reads a shortcut, in numbers and in words. A map without positive relevance counts as 0.
 * @throws ShapeError for areas that are not one a mass
 */
export function shortcutFinding(measurements: ShortcutMeasurements): ShortcutFinding {
  const { shortcut, names = { suspect: "this network", honest: "an honest network" } } = measurements;
  const { suspect, honest, area, accuracy } = measurements;
  const even = { suspect: evenMasses(suspect, area), honest: evenMasses(honest, area) };
  const auc = aucOfKnown(even.suspect, even.honest);
  const massAuc = aucOfKnown(suspect, honest);
  const suspectMass = meanOfKnown(suspect) ?? 0;
  const honestMass = meanOfKnown(honest) ?? 0;
  const exposed = auc >= exposureLimit;
  const covered = typeof area === "number" ? area : mean(area);
  const masses = `${percent(suspectMass)} of its relevance lies on the ${shortcut}, which covers ${percent(covered)} of the picture; ${names.honest} puts ${percent(honestMass)} there. Per area, as if it covered half of each picture, that is ${percent(meanOfKnown(even.suspect) ?? 0)} against ${percent(meanOfKnown(even.honest) ?? 0)}`;
  const answers = accuracy
    ? ` With the ${shortcut} in the picture ${percent(accuracy.withShortcut)} of its answers are right, without it ${percent(accuracy.without)}.`
    : "";
  const verdict = exposed
    ? `${names.suspect[0].toUpperCase()}${names.suspect.slice(1)} cheats: ${masses} (AUC ${auc.toFixed(3)}). It answers by the ${shortcut}, not by the object.`
    : `These maps expose no cheat by ${names.suspect}: ${masses} (AUC ${auc.toFixed(3)}, exposed from ${exposureLimit} on).`;
  return {
    ...{ auc, massAuc, suspectMass, honestMass, exposed },
    ...(accuracy ? { accuracy } : {}),
    words: verdict + answers,
  };
}

/** A map without positive relevance counts as 0. */
const aucOfKnown = (suspect: readonly (number | null)[], honest: readonly (number | null)[]): number =>
  rocAuc(
    suspect.map((mass) => mass ?? 0),
    honest.map((mass) => mass ?? 0),
  );

/** What the masses would be if the shortcut covered half of each picture. */
function evenMasses(masses: readonly (number | null)[], area: number | readonly number[]): (number | null)[] {
  if (typeof area !== "number" && area.length !== masses.length)
    throw new ShapeError(
      `expected one area a picture, found ${area.length} areas and ${masses.length} masses; give both of the same pictures`,
    );
  return masses.map((mass, index) =>
    mass === null ? null : evenMass(mass, typeof area === "number" ? area : area[index]),
  );
}
