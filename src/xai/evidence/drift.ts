import { ShapeError } from "../../engine/errors.ts";
import { type Heatmap, upsampleHeatmap } from "../overlay.ts";
import { intersectionOverUnion, meanOfKnown, spearman, topShare } from "./statistics.ts";

/** How far a map moved. */
export interface MapDrift {
  /** Spearman's correlation of the two maps; null where one is constant. */
  readonly rankCorrelation: number | null;
  /** Intersection over union of the most relevant fifth of the places. */
  readonly topIou: number | null;
  /** Distance of the centres of the positive relevance, as a share of the picture's diagonal; null where one map has none. */
  readonly centreShift: number | null;
}

/** The share of places that counts as the top of a map. */
export const driftTop = 0.2;

/**
 * Compares two maps of one scene. `after` may be coarser or finer: it is brought to the size of `before`.
 * @param visible [h, w] of `before`: 0 where `after` shows nothing of the scene, as beyond the border of a warped picture;
 * such places are left out of the comparison.
 * @throws ShapeError when sizes do not fit, or fewer than two places are visible; NonFiniteError for maps that are not finite
 */
export function mapDrift(before: Heatmap, after: Heatmap, visible?: ArrayLike<number>): MapDrift {
  const { height, width } = before;
  const moved = upsampleHeatmap(after, height, width);
  const places = Uint32Array.from({ length: height * width }, (_, index) => index).filter(
    (index) => !visible || visible[index],
  );
  if (places.length < 2) throw new ShapeError(`expected two visible places or more, found ${places.length}`);
  const first = Float64Array.from(places, (index) => before.values[index]);
  const second = Float64Array.from(places, (index) => moved[index]);
  const centres = [first, second].map((values) => centreOf(values, places, width));
  return {
    rankCorrelation: spearman(first, second),
    topIou: intersectionOverUnion(topShare(first, driftTop), topShare(second, driftTop)),
    centreShift:
      centres[0] && centres[1]
        ? Math.hypot(centres[0].x - centres[1].x, centres[0].y - centres[1].y) / Math.hypot(height, width)
        : null,
  };
}

/** The centre of gravity of the positive values, in pixels; null without one. */
function centreOf(values: Float64Array, places: Uint32Array, width: number): { x: number; y: number } | null {
  let [total, x, y] = [0, 0, 0];
  values.forEach((value, index) => {
    if (!(value > 0)) return;
    total += value;
    x += value * (places[index] % width);
    y += value * Math.floor(places[index] / width);
  });
  return total > 0 ? { x: x / total, y: y / total } : null;
}

/** One way of changing pictures, and what it does to the maps and to the answers. */
export interface DriftRow extends MapDrift {
  /** For example `rotation`, or a corruption. */
  readonly name: string;
  /** 1 to 5 for corruptions; null for augmentations. */
  readonly severity: number | null;
  /** Images that were compared. */
  readonly count: number;
  /** Share of right answers on the changed pictures, and how much less that is than on the originals. */
  readonly accuracy: number;
  readonly accuracyDrop: number;
}

/** The mean drift of several images under one change, beside what it cost in accuracy. */
export function driftRow(
  { name, severity = null }: { readonly name: string; readonly severity?: number | null },
  drifts: readonly MapDrift[],
  right: { readonly before: readonly boolean[]; readonly after: readonly boolean[] },
): DriftRow {
  const share = (answers: readonly boolean[]): number => answers.filter(Boolean).length / answers.length;
  const accuracy = share(right.after);
  return {
    name,
    severity,
    count: drifts.length,
    rankCorrelation: meanOfKnown(drifts.map((drift) => drift.rankCorrelation)),
    topIou: meanOfKnown(drifts.map((drift) => drift.topIou)),
    centreShift: meanOfKnown(drifts.map((drift) => drift.centreShift)),
    accuracy,
    accuracyDrop: share(right.before) - accuracy,
  };
}
