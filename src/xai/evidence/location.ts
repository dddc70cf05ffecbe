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
  /** Whether the map's peak lies inside the mask (pointing game; Zhang et al. 2018); null for a map without a positive value. */
  readonly pointingHit: boolean | null;
  /** Share of the positive relevance inside the mask (Kohlbrenner et al. 2020), in [0, 1]; null without positive relevance. */
  readonly relevanceMass: number | null;
  /** Intersection over union of the mask and as many of the most relevant places as it covers; null without positive relevance. */
  readonly intersectionOverUnion: number | null;
  /** Share of the picture that the mask covers: the mass that a map without any knowledge would have inside. */
  readonly maskArea: number;
}

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
  if (relevanceMass === null) return { pointingHit: null, relevanceMass, intersectionOverUnion: null, maskArea };
  return {
    pointingHit: mask.values[fallingOrder(values)[0]] !== 0,
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

function coveredPlaces({ values, height, width }: Mask): number {
  if (values.length !== height * width)
    throw new ShapeError(`expected a mask of ${height} × ${width} values, found ${values.length}`);
  let covered = 0;
  for (let index = 0; index < values.length; index++) if (values[index]) covered++;
  return covered;
}
