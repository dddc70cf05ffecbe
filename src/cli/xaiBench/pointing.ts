/** The pointing game on many drawn flowers: maps alone, without the other evidence. */
import type { Classifier } from "../../nn/classifier.ts";
import { centreGaussian } from "../../xai/evidence/curves.ts";
import {
  type LocationEvidence,
  locationEvidence,
  type PointingGame,
  pointingGame,
} from "../../xai/evidence/location.ts";
import type { Method, MethodOptions } from "../../xai/explanation.ts";
import type { Terminal } from "../terminal.ts";
import type { BenchImage } from "./material.ts";

export type PointingRow = PointingGame & { readonly method: string };

/** What a map reaches that always points at the centre of the picture. */
export function pointAtCentre(images: readonly BenchImage[], [height, width]: readonly [number, number]): PointingRow {
  const values = Float32Array.from(centreGaussian(height, width));
  const located = images.flatMap(({ mask }) => (mask ? [locationEvidence({ values, height, width }, mask)] : []));
  return { method: "the centre", ...pointingGame(located) };
}

/** One method's maps of the predicted classes against the masks of the flowers. */
export async function playPointing(
  classifier: Classifier,
  method: Method,
  options: MethodOptions,
  images: readonly BenchImage[],
  terminal: Terminal,
): Promise<PointingRow> {
  using explainer = await method.create(classifier.explainable, options);
  const located: LocationEvidence[] = [];
  const progress = terminal.progress(`${method.title}, pointing game`, images.length);
  for (const [index, { pixels, predicted, mask }] of images.entries()) {
    const [{ heatmap }] = await explainer.explain(pixels, [predicted]);
    if (mask) located.push(locationEvidence(heatmap, mask));
    progress.update(index + 1);
  }
  progress.finish();
  return { method: method.name, ...pointingGame(located) };
}
