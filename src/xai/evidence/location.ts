import { ShapeError } from "../../engine/errors.ts";
import { type Heatmap, upsampleHeatmap } from "../overlay.ts";
import { intersectionOverUnion, meanOfKnown, topShare } from "./statistics.ts";

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
  /** From the peak to the mask, as a share of the longer side; 0 inside. */
  readonly peakDistance: number | null;
  /** Share of the positive relevance inside the mask (Kohlbrenner et al. 2020), in [0, 1]; null without positive relevance. */
  readonly relevanceMass: number | null;
  /** Intersection over union of the mask and as many of the most relevant places as it covers; null without positive relevance. */
  readonly intersectionOverUnion: number | null;
  /** Share of the picture that the mask covers: the mass that a map without any knowledge would have inside. */
  readonly maskArea: number;
}

/** Share of the longer side. */
export const pointingTolerance = 15 / 224;
/** What those 15 pixels are of the paper's own photographs, which have about 500. */
export const narrowTolerance = 15 / 500;

/**
 * A map against the mask of what it should show. The map is brought to the mask's size (half-pixel bilinear); its peak is the
 * centre of its largest cell, because the enlarged map has a plateau where that cell lies at the border.
 * @throws ShapeError when sizes do not fit or the mask is empty; NonFiniteError for a map that is not finite
 */
export function locationEvidence(map: Heatmap, mask: Mask): LocationEvidence {
  const covered = coveredPlaces(mask);
  if (covered === 0) throw new ShapeError("expected a mask that covers at least one place, found an empty one");
  const values = upsampleHeatmap(map, mask.height, mask.width);
  const maskArea = covered / values.length;
  const relevanceMass = massInside(values, mask.values);
  if (relevanceMass === null)
    return {
      pointingHit: null,
      peakInside: null,
      peakDistance: null,
      relevanceMass,
      intersectionOverUnion: null,
      maskArea,
    };
  const peak = peakOf(map, mask);
  const peakDistance = distanceTo(mask, peak) / Math.max(mask.height, mask.width);
  return {
    pointingHit: peakDistance <= pointingTolerance,
    peakInside: peakDistance === 0,
    peakDistance,
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

interface Place {
  readonly y: number;
  readonly x: number;
}

/** The pixel of the mask at the centre of the map's largest cell; of equal cells the one nearest to the centre of them all. */
function peakOf({ values, height, width }: Heatmap, mask: Mask): Place {
  const most = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const largest: Place[] = [];
  values.forEach((value, at) => {
    if (value === most) largest.push({ y: Math.floor(at / width), x: at % width });
  });
  const centre = { y: 0, x: 0 };
  for (const { y, x } of largest) {
    centre.y += y / largest.length;
    centre.x += x / largest.length;
  }
  const away = ({ y, x }: Place): number => Math.hypot(y - centre.y, x - centre.x);
  const cell = largest.reduce((best, place) => (away(place) < away(best) ? place : best));
  return {
    y: Math.floor(((cell.y + 0.5) * mask.height) / height),
    x: Math.floor(((cell.x + 0.5) * mask.width) / width),
  };
}

/** From a place to the nearest that the mask covers, in pixels. */
function distanceTo({ values, width }: Mask, { y, x }: Place): number {
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

/** Several maps of one method in the pointing game. */
export interface PointingGame {
  readonly images: number;
  /** Share of the maps whose peak is a hit, with the paper's tolerance; a map without a positive value is a miss. */
  readonly hits: number;
  /** The same with 15 pixels of 500, as in the photographs of the paper. */
  readonly narrow: number;
  /** The same without any tolerance. */
  readonly inside: number;
  readonly relevanceMass: number | null;
  readonly intersectionOverUnion: number | null;
}

/** The location evidence of several images together. @throws ShapeError for none */
export function pointingGame(located: readonly LocationEvidence[]): PointingGame {
  if (located.length === 0) throw new ShapeError("expected the location evidence of one image or more, found none");
  const share = (of: (each: LocationEvidence) => boolean | null): number =>
    located.filter((each) => of(each) === true).length / located.length;
  return {
    images: located.length,
    hits: share(({ pointingHit }) => pointingHit),
    narrow: share(({ peakDistance }) => peakDistance !== null && peakDistance <= narrowTolerance),
    inside: share(({ peakInside }) => peakInside),
    relevanceMass: meanOfKnown(located.map(({ relevanceMass }) => relevanceMass)),
    intersectionOverUnion: meanOfKnown(located.map((each) => each.intersectionOverUnion)),
  };
}
