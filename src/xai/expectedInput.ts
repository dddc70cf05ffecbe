import type { Shape } from "../engine/types.ts";
import { type Convention, conventions } from "./conventions.ts";
import type { NormalisationStatistics } from "./normalisationLayers.ts";

/** The first convolution [k, k, 3, C] and the statistics of the normalisation after it. */
export interface StemStatistics extends NormalisationStatistics {
  readonly kernel: Float32Array;
  readonly shape: Shape;
  readonly epsilon: number;
}

/** What the training images were, in the units in which the network got them. */
export interface ImpliedInput {
  /** Of each channel in the order of the network's input. */
  readonly mean: readonly [number, number, number];
  readonly deviation: number;
}

/** Correlation of neighbouring pixels, and of channels, in natural images (Torralba and Oliva 2003 give such statistics). */
const neighbourCorrelation = 0.95;
const channelCorrelation = 0.9;

/** Mean and deviation of pixels in photographs, and how far data sets differ from them. */
const photograph = { mean: 115, meanSpread: 30, deviation: 66, logDeviationSpread: 0.4 };

/**
 * The mean and the deviation of the images that a network was trained on, from its weights alone. Far from the border the mean
 * of channel c after the convolution is Σ_i (Σ_taps w_ic) · mean_i: three unknowns, C equations, solved by least squares in
 * units of each channel's deviation. The deviation is the one that gives the moving variances for images whose pixels
 * correlate as in photographs.
 */
export function impliedInput({ kernel, shape, mean, variance, epsilon }: StemStatistics): ImpliedInput {
  const [height, width, inputs, channels] = shape;
  const normal = Array.from({ length: inputs }, () => new Float64Array(inputs + 1));
  for (let channel = 0; channel < channels; channel++) {
    const sums = new Float64Array(inputs);
    for (let at = 0; at < height * width * inputs; at++) sums[at % inputs] += kernel[at * channels + channel];
    const weight = 1 / (variance[channel] + epsilon);
    for (let row = 0; row < inputs; row++) {
      for (let column = 0; column < inputs; column++) normal[row][column] += weight * sums[row] * sums[column];
      normal[row][inputs] += weight * sums[row] * mean[channel];
    }
  }
  const unit = unitVariances(kernel, shape);
  const ratios = Array.from(unit, (each, channel) => variance[channel] / each)
    .filter((ratio) => Number.isFinite(ratio))
    .sort((a, b) => a - b);
  const implied = solveByElimination(normal) as [number, number, number];
  return { mean: implied, deviation: Math.sqrt(ratios[Math.floor(ratios.length / 2)] ?? 0) };
}

/** The convention under which the implied images would be photographs. */
export function expectedConvention(stem: StemStatistics): Convention {
  const implied = impliedInput(stem);
  const unlikely = ({ scale, offset }: Convention): number => {
    const deviations = scale.map((each) => implied.deviation / each);
    const means = implied.mean.map((each, channel) => (each - offset[channel]) / scale[channel]);
    const meanCost = means.reduce((sum, each) => sum + ((each - photograph.mean) / photograph.meanSpread) ** 2, 0) / 3;
    const deviation = deviations.reduce((sum, each) => sum + each, 0) / 3;
    return meanCost + (Math.log(deviation / photograph.deviation) / photograph.logDeviationSpread) ** 2;
  };
  return Object.values<Convention>(conventions).reduce((best, each) => (unlikely(each) < unlikely(best) ? each : best));
}

/** The variance of each output channel for images of deviation 1. */
function unitVariances(kernel: Float32Array, [height, width, inputs, channels]: Shape): Float64Array {
  const taps = height * width * inputs;
  const variances = new Float64Array(channels);
  for (let first = 0; first < taps; first++)
    for (let second = 0; second < taps; second++) {
      const [a, b] = [Math.floor(first / inputs), Math.floor(second / inputs)];
      const distance = Math.hypot(Math.floor(a / width) - Math.floor(b / width), (a % width) - (b % width));
      const sameChannel = first % inputs === second % inputs;
      const correlation = neighbourCorrelation ** distance * (sameChannel ? 1 : channelCorrelation);
      for (let channel = 0; channel < channels; channel++)
        variances[channel] += correlation * kernel[first * channels + channel] * kernel[second * channels + channel];
    }
  return variances;
}

/** Gauss's elimination with pivots of n equations, each n coefficients and the right side. */
function solveByElimination(equations: readonly Float64Array[]): number[] {
  const rows = equations.map((row) => Float64Array.from(row));
  const count = rows.length;
  for (let step = 0; step < count; step++) {
    let pivot = step;
    for (let row = step + 1; row < count; row++)
      if (Math.abs(rows[row][step]) > Math.abs(rows[pivot][step])) pivot = row;
    [rows[step], rows[pivot]] = [rows[pivot], rows[step]];
    for (let row = 0; row < count; row++) {
      if (row === step) continue;
      const factor = rows[row][step] / rows[step][step];
      for (let column = step; column <= count; column++) rows[row][column] -= factor * rows[step][column];
    }
  }
  return rows.map((row, index) => row[count] / row[index]);
}
