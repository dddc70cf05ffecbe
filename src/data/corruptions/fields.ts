/** Random fields that pictures are drawn with: plasma and blurred noise. */
import type { Tensor } from "../../engine/graph.ts";
import { add } from "../../engine/ops/binary.ts";
import { separableFilter } from "../../engine/ops/filters.ts";
import { normalField, uniformField } from "../../engine/ops/randomPixels.ts";
import { resizeBilinear } from "../../engine/ops/resize.ts";
import { scale } from "../../engine/ops/unary.ts";
import { gaussianWeights } from "../augment/stages.ts";
import { type CorruptionGraph, clamped } from "./family.ts";

/** Standard deviation of white uniform noise after bilinear interpolation, on average over the cell: √(1/12) · 2/3. */
const octaveDeviation = Math.sqrt(1 / 12) * (2 / 3);

/** Standard deviation of a plasma, in the middle of what the diamond-square algorithm gives. */
const plasmaDeviation = 0.17;

/**
 * A plasma in [0, 1], [N, H, W, 1]: octaves of white noise on finer and finer lattices, each weaker than the last by `decay`,
 * added about 1/2 to one standard deviation and clipped. It stands for the fractal of Fournier, Fussell and Carpenter (1982).
 */
export function plasma(graph: CorruptionGraph, decay: number): Tensor {
  const { height, width } = graph.size;
  const octaves = Math.max(1, Math.floor(Math.log2(Math.min(height, width))));
  const amplitudes = Array.from({ length: octaves }, (_, octave) => decay ** -octave);
  const norm = plasmaDeviation / (octaveDeviation * Math.hypot(...amplitudes));
  const terms = amplitudes.map((amplitude, octave) => {
    const sides = 2 ** (octave + 1) + 1;
    const lattice = uniformField(graph.address(), {
      height: Math.min(sides, height),
      width: Math.min(sides, width),
      channels: 1,
    });
    return scale(resizeBilinear(lattice, { height, width }), norm * amplitude, -norm * amplitude * 0.5);
  });
  return clamped(
    scale(
      terms.reduce((sum, term) => add(sum, term)),
      1,
      0.5,
    ),
    1,
  );
}

/** Gaussian noise [N, H, W, channels] of standard deviation 1 after a Gaussian blur of `sigma` pixels. */
export function blurredNoise(graph: CorruptionGraph, sigma: number, channels: number): Tensor {
  const { height, width } = graph.size;
  const weights = gaussianWeights(sigma, Math.max(1, Math.ceil(3 * sigma)));
  // Both passes leave a white field with the deviation Σ w².
  const deviation = weights.reduce((sum, weight) => sum + weight * weight, 0);
  const field = normalField(graph.address(), { height, width, channels });
  return scale(separableFilter(field, graph.same([weights.length], weights)), 1 / deviation);
}
