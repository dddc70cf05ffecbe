import { ShapeError } from "../../engine/errors.ts";
import { type Heatmap, upsampleHeatmap } from "../overlay.ts";
import { fallingOrder, intersectionOverUnion, topShare } from "./statistics.ts";

/** Which places a known object covers: anything but 0 is inside. `values.length === height * width`. */
export interface Mask {
  readonly values: ArrayLike<number>;
  readonly height: number;
  readonly width: number;
}

export interface LocationEvidence {
  /**
   * Whether the map's peak lies inside the mask or at most `pointingTolerance` beside it (the pointing game of Zhang et al.
   * 2018, with its 15 pixels at 224); null for a map without a positive value.
   */
  readonly pointingHit: boolean | null;
  /** The same without any tolerance. */
  readonly peakInside: boolean | null;
  /** Share of the positive relevance inside the mask (Kohlbrenner et al. 2020), in [0, 1]; null without positive relevance. */
  readonly relevanceMass: number | null;
  /** Intersection over union of the mask and as many of the most relevant places as it covers; null without positive relevance. */
  readonly intersectionOverUnion: number | null;
  /** Share of the picture that the mask covers: the mass that a map without any knowledge would have inside. */
  readonly maskArea: number;
}

/** Share of the longer side. */
export const pointingTolerance = 15 / 224;

/**
 * A map against the mask of what it should show. The map is brought to the mask's size (half-pixel bilinear).
 * @throws ShapeError when sizes do not fit or the mask is empty; NonFiniteError for a map that is not finite
 */
export function locationEvidence(map: Heatmap, mask: Mask): LocationEvidence {
  const covered = coveredPlaces(mask);
  if (covered === 0) throw new ShapeError("expected a mask that covers at least one place, found an empty one");
  const values = upsampleHeatmap(map, mask.height, mask.width);
  const maskArea = covered / values.length;
  const relevanceMass = massInside(values, mask.values);
  if (relevanceMass === null)
    return { pointingHit: null, peakInside: null, relevanceMass, intersectionOverUnion: null, maskArea };
  const away = distanceTo(mask, fallingOrder(values)[0]);
  return {
    pointingHit: away <= pointingTolerance * Math.max(mask.height, mask.width),
    peakInside: away === 0,
    relevanceMass,
    intersectionOverUnion: intersectionOverUnion(topShare(values, maskArea), mask.values),
    maskArea,
  };
}

/** Share of the positive values that lies inside; null where no value is positive. */
export function massInside(values: ArrayLike<number>, mask: ArrayLike<number>): number | null {
  let [inside, total] = [0, 0];
  for (let index = 0; index < values.length; index++) {
    const value = Math.max(0, values[index]);
    total += value;
    if (mask[index]) inside += value;
  }
  return total > 0 ? inside / total : null;
}

/** From a place to the nearest that the mask covers, in pixels. */
function distanceTo({ values, width }: Mask, place: number): number {
  const [y, x] = [Math.floor(place / width), place % width];
  let nearest = Number.POSITIVE_INFINITY;
  for (let at = 0; at < values.length; at++)
    if (values[at]) nearest = Math.min(nearest, Math.hypot(Math.floor(at / width) - y, (at % width) - x));
  return nearest;
}

function coveredPlaces({ values, height, width }: Mask): number {
  if (values.length !== height * width)
    throw new ShapeError(`expected a mask of ${height} × ${width} values, found ${values.length}`);
  let covered = 0;
  for (let index = 0; index < values.length; index++) if (values[index]) covered++;
  return covered;
}
