/** `--evidence`: what a map's numbers say, for people. */
import { UsageError } from "../../engine/errors.ts";
import type { Classifier } from "../../nn/classifier.ts";
import type { Curve } from "../../xai/evidence/curves.ts";
import type { Evidence } from "../../xai/evidence/evidence.ts";
import type { LocationEvidence, Mask } from "../../xai/evidence/location.ts";
import { sanityLimit } from "../../xai/evidence/sanity.ts";
import type { CommandContext } from "../command.ts";
import { type LoadedImages, loadImages } from "../images.ts";

/**
 * The masks of the images that could be read: white where the object is, cut and resized as the photographs are.
 * @param given every image of the command line, and `masks` one file for each of them
 * @throws UsageError for another number of masks; FileError when none can be read
 */
export async function readMasks(
  masks: readonly string[],
  given: readonly string[],
  { files }: LoadedImages,
  { inputSize, preprocessing }: Classifier,
  context: CommandContext,
): Promise<(Mask | undefined)[]> {
  if (masks.length !== given.length)
    throw new UsageError(`--mask expects one file for each of the ${given.length} images, found ${masks.length}`);
  const [height, width] = inputSize;
  const loaded = await loadImages([...new Set(masks)], inputSize, preprocessing.resize, context);
  return files.map((file) => {
    const at = loaded.files.indexOf(masks[given.indexOf(file)]);
    if (at < 0) return undefined;
    const start = at * height * width * 3;
    const values = Uint8Array.from({ length: height * width }, (_, place) => {
      const [red, green, blue] = loaded.pixels.subarray(start + 3 * place, start + 3 * place + 3);
      return Number(red + green + blue > (3 * 255) / 2);
    });
    if (!values.includes(1))
      throw new UsageError(
        `${loaded.files[at]}: expected a mask with the object in white, found none of it in the cut`,
      );
    return { values, height, width };
  });
}

const number = (value: number | null, digits = 2): string => (value === null ? "none" : value.toFixed(digits));
const percent = (share: number | null): string => (share === null ? "none" : `${(100 * share).toFixed(1)} %`);

const curveWords = (name: string, own: Curve, random: Curve, centre: Curve, better: string): string =>
  `${name} AUC ${number(own.auc)}; random order ${number(random.auc)}, Gaussian at the centre ${number(centre.auc)} (${better} is better)`;

function locationWords({ pointingHit, peakInside, ...location }: LocationEvidence): string {
  if (pointingHit === null) return "object: no positive relevance, so there is no peak";
  const place = peakInside ? "on the object" : pointingHit ? "within 15/224 of the object" : "beside the object";
  return `object: peak ${place}; ${percent(location.relevanceMass)} of the relevance on it, which covers ${percent(location.maskArea)}; IoU ${number(location.intersectionOverUnion)}`;
}

/** The evidence for one map in lines of text. */
export function evidenceWords({
  curves,
  road,
  randomisation,
  sensitivity,
  completeness,
  location,
}: Evidence): string[] {
  const { insertion, deletion, controls } = curves;
  const { random, centre } = controls;
  return [
    curveWords("insertion", insertion, random.insertion, centre.insertion, "more"),
    curveWords("deletion", deletion, random.deletion, centre.deletion, "less"),
    `ROAD ${number(road.combined)} (0 knows nothing)`,
    `sanity: ${randomisation.passed ? "passes" : "FAILS"}, rank correlation ${number(randomisation.remaining)} with the map of a network without its weights (limit ${sanityLimit})`,
    `max-sensitivity ${number(sensitivity.maximum)}: the largest change of the map under noise of ±${((100 * sensitivity.radius) / 255).toFixed(0)} % of the pixel range`,
    completeness === null
      ? "completeness: this method claims no sum"
      : `completeness gap ${completeness.gap.toPrecision(3)}, ${percent(completeness.relativeGap)} of the difference of the scores`,
    ...(location === null ? [] : [locationWords(location)]),
  ];
}
