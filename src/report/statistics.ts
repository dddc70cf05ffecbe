import { DataError } from "../engine/errors.ts";
import type { ExplainedImage } from "./types.ts";

/** The 97.5 % point of the standard normal distribution: two-sided 95 %. */
const z95 = 1.959963984540054;

/**
 * Wilson's score interval for a share (E. B. Wilson, "Probable inference, the law of succession, and statistical
 * inference", JASA 22, 1927), 95 %. Unlike the textbook p ± 1.96·s it stays in [0, 1] and does not collapse at 0 or 1.
 * Throws DataError unless 0 ≤ correct ≤ total and total ≥ 1.
 */
export function wilsonInterval(correct: number, total: number): readonly [low: number, high: number] {
  if (!(total >= 1 && correct >= 0 && correct <= total)) {
    throw new DataError(`expected 0 ≤ correct ≤ total with total ≥ 1, got ${correct} of ${total}`);
  }
  const share = correct / total;
  const scale = 1 + z95 ** 2 / total;
  const centre = (share + z95 ** 2 / (2 * total)) / scale;
  const half = (z95 / scale) * Math.sqrt((share * (1 - share)) / total + z95 ** 2 / (4 * total ** 2));
  return [Math.max(0, Math.min(share, centre - half)), Math.min(1, Math.max(share, centre + half))];
}

export function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

/** Mean of the finite numbers among the values; null where there is none. */
export function meanOf(values: readonly (number | null | undefined)[]): number | null {
  const finite = values.filter((v): v is number => typeof v === "number" && Number.isFinite(v));
  return finite.length ? sum(finite) / finite.length : null;
}

/** Right answers in a confusion matrix, and all answers. */
export function confusionTotals(confusion: readonly (readonly number[])[]): { correct: number; total: number } {
  return {
    correct: sum(confusion.map((row, i) => row[i])),
    total: sum(confusion.map(sum)),
  };
}

export interface MaskSummary {
  readonly count: number;
  readonly hits: number;
  readonly pointingCount: number;
  readonly meanMass: number | null;
  readonly meanArea: number | null;
}

/** How well the maps fall on the known masks; null where no explanation has one. */
export function maskSummary(explanations: readonly ExplainedImage[]): MaskSummary | null {
  const maps = explanations.map((e) => e.gradcam);
  const scored = maps.filter((m) => m.pointingHit !== undefined || m.massInMask !== undefined);
  if (scored.length === 0) return null;
  const pointed = scored.filter((m) => m.pointingHit !== undefined);
  return {
    count: scored.length,
    hits: pointed.filter((m) => m.pointingHit).length,
    pointingCount: pointed.length,
    meanMass: meanOf(scored.map((m) => m.massInMask)),
    meanArea: meanOf(scored.map((m) => m.maskArea)),
  };
}
