import { uniformAt } from "../../engine/random.ts";
import type { Explainer, RawHeatmap, Target } from "../explanation.ts";

export interface SensitivityOptions {
  /** Largest change of a pixel value, in units of 0 to 255; default 5.1 (2 % of the range). */
  readonly radius?: number;
  /** Neighbours of the image that are explained; default 4. */
  readonly samples?: number;
  readonly seed?: number;
}

export interface SensitivityEvidence {
  /** The largest ‖Φ(x + δ) − Φ(x)‖ / ‖Φ(x)‖; null where the map of the image is zero everywhere. */
  readonly maximum: number | null;
  readonly mean: number | null;
  readonly samples: number;
  readonly radius: number;
}

/**
 * Max-sensitivity (Yeh et al. 2019, "On the (in)fidelity and sensitivity of explanations"), relative to the norm of the map:
 * how far the map moves when every pixel value changes by a number drawn uniformly from ±radius.
 * @param image [H, W, 3] of 0 to 255
 * @param original the map of the image where it is known already
 */
export async function maxSensitivity(
  explainer: Explainer,
  image: Float32Array,
  target: Target,
  { radius = 5.1, samples = 4, seed = 0, original }: SensitivityOptions & { readonly original?: RawHeatmap } = {},
): Promise<SensitivityEvidence> {
  const before = original ?? (await explainer.explain(image, [target]))[0].heatmap;
  const pixels = new Float32Array(samples * image.length);
  for (let sample = 0; sample < samples; sample++)
    for (let lane = 0; lane < image.length; lane++)
      pixels[sample * image.length + lane] =
        image[lane] + radius * (2 * uniformAt({ seed, stream: 0, sample, op: 0, lane }) - 1);
  const after = await explainer.explain(pixels, new Array<Target>(samples).fill(target));
  const size = norm(before.values);
  if (!(size > 0)) return { maximum: null, mean: null, samples, radius };
  const changes = after.map(({ heatmap }) => norm(heatmap.values.map((v, index) => v - before.values[index])) / size);
  return {
    maximum: Math.max(...changes),
    mean: changes.reduce((total, change) => total + change, 0) / samples,
    samples,
    radius,
  };
}

const norm = (values: Float32Array): number => Math.sqrt(values.reduce((total, value) => total + value * value, 0));
