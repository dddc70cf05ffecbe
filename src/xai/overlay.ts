import { NonFiniteError, ShapeError, UsageError } from "../engine/errors.ts";
import { type ColormapName, colormap, colormapIndex } from "./colormaps.ts";

/** Interleaved 8-bit RGB, row by row: `data.length === 3 * width * height`. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** A map of one value per place, row by row: `values.length === height * width`. */
export interface Heatmap {
  readonly values: Float32Array;
  readonly height: number;
  readonly width: number;
}

/**
 * Resize a heat map [h, w] to [height, width], bilinear with half-pixel centres and clamped edges
 * (the sampling of `tf.image.resize` without antialiasing). Zeros stay zeros; no value leaves the input's range.
 * Throws ShapeError when sizes do not fit, NonFiniteError when a value is NaN or infinite.
 */
export function upsampleHeatmap(heat: Heatmap, height: number, width: number): Float32Array {
  checkHeatmap(heat);
  if (!(height >= 1 && width >= 1)) throw new ShapeError(`expected a size of at least 1×1, got ${height}×${width}`);
  const rows = samplePositions(heat.height, height);
  const columns = samplePositions(heat.width, width);
  const out = new Float32Array(height * width);
  for (let y = 0; y < height; y++) {
    const top = rows.lower[y] * heat.width;
    const bottom = rows.upper[y] * heat.width;
    for (let x = 0; x < width; x++) {
      const left = columns.lower[x];
      const right = columns.upper[x];
      const tx = columns.fraction[x];
      const upper = heat.values[top + left] * (1 - tx) + heat.values[top + right] * tx;
      const lower = heat.values[bottom + left] * (1 - tx) + heat.values[bottom + right] * tx;
      out[y * width + x] = upper * (1 - rows.fraction[y]) + lower * rows.fraction[y];
    }
  }
  return out;
}

export interface HeatmapOptions {
  /** Size of the picture; the map's own by default. */
  readonly height?: number;
  readonly width?: number;
  /** A sequential map; default `ember`. */
  readonly colormap?: ColormapName;
}

/** Colours for a map of values in [0, 1] (others are clamped). A map of zeros gives the map's first colour everywhere. */
export function renderHeatmap(heat: Heatmap, options: HeatmapOptions = {}): RgbImage {
  const { height = heat.height, width = heat.width } = options;
  const { table, kind, name } = colormap(options.colormap ?? "ember");
  requireKind(name, kind, "sequential");
  const values = upsampleHeatmap(heat, height, width);
  return paint(values, height, width, (value) => table.subarray(3 * toByte(value), 3 * toByte(value) + 3));
}

export interface OverlayOptions {
  /** Opacity of the colours where the heat is 1, in [0, 1]; default 0.7. */
  readonly alpha?: number;
  /** A sequential map; default `ember`. */
  readonly colormap?: ColormapName;
  /**
   * `heat` (default): opacity grows with the heat, so places without evidence, and whole maps of zeros, show the
   * photograph unchanged. `uniform`: the same opacity everywhere, as most published overlays have it.
   */
  readonly opacity?: "heat" | "uniform";
}

/**
 * Blend a heat map in [0, 1] over a photograph; the map is up-sampled to the photograph's size (half-pixel bilinear).
 * Throws ShapeError when sizes do not fit, UsageError for an alpha outside [0, 1], NonFiniteError for NaN.
 */
export function renderOverlay(photograph: RgbImage, heat: Heatmap, options: OverlayOptions = {}): RgbImage {
  checkImage(photograph);
  const { alpha = 0.7, opacity = "heat" } = options;
  if (!(alpha >= 0 && alpha <= 1)) throw new UsageError(`expected an alpha in [0, 1], got ${alpha}`);
  const { table, kind, name } = colormap(options.colormap ?? "ember");
  requireKind(name, kind, "sequential");
  const { height, width } = photograph;
  const values = upsampleHeatmap(heat, height, width);
  const data = new Uint8Array(3 * height * width);
  for (let i = 0; i < values.length; i++) {
    const entry = 3 * toByte(values[i]);
    // 1 − (1 − heat)² lets middling evidence show, and starts gently enough to hide the cells at the map's border.
    const weight = opacity === "uniform" ? alpha : alpha * (1 - (1 - toByte(values[i]) / 255) ** 2);
    for (let c = 0; c < 3; c++) {
      data[3 * i + c] = Math.round(photograph.data[3 * i + c] * (1 - weight) + table[entry + c] * weight);
    }
  }
  return { width, height, data };
}

export interface AttributionOptions {
  /**
   * `signed` (default): the sum over channels on a diverging map, evidence for the class on the positive side.
   * `absolute`: the sum of magnitudes, min–max scaled on a sequential map (the usual notebook display at percentile 100).
   */
  readonly mode?: "signed" | "absolute";
  /** Magnitudes above this percentile (0–100) are shown like it; default 99. */
  readonly percentile?: number;
  /** Default `balance` for signed, `ember` for absolute. */
  readonly colormap?: ColormapName;
}

/**
 * Colours for an attribution of shape [height, width, 3]. The clip is a percentile of the per-pixel magnitudes because
 * a few extreme pixels would otherwise leave the rest blank. An attribution of zeros gives the neutral colour.
 * Throws ShapeError when the length does not fit, UsageError for a bad percentile, NonFiniteError for NaN.
 */
export function renderAttribution(
  attribution: Float32Array,
  height: number,
  width: number,
  options: AttributionOptions = {},
): RgbImage {
  const { mode = "signed", percentile: rank = 99 } = options;
  if (attribution.length !== height * width * 3) {
    throw new ShapeError(`expected an attribution of ${height}×${width}×3 values, got ${attribution.length}`);
  }
  if (!(rank > 0 && rank <= 100)) throw new UsageError(`expected a percentile in (0, 100], got ${rank}`);
  const map = colormap(options.colormap ?? (mode === "signed" ? "balance" : "ember"));
  requireKind(map.name, map.kind, mode === "signed" ? "diverging" : "sequential");
  const perPixel = sumChannels(attribution, mode);
  const magnitudes = perPixel.map(Math.abs);
  const low = mode === "signed" ? 0 : magnitudes.reduce((a, b) => Math.min(a, b), Infinity);
  // A map so sparse that its percentile is zero still deserves to be seen: scale by its peak.
  const high = percentile(magnitudes, rank) || percentile(magnitudes, 100);
  const range = high - low;
  return paint(perPixel, height, width, (value) => {
    const entry = 3 * colormapIndex(map, range > 0 ? (value - low) / range : 0);
    return map.table.subarray(entry, entry + 3);
  });
}

/**
 * Percentile by linear interpolation between order statistics (the default of numpy.percentile); `rank` in [0, 100].
 * Throws ShapeError for an empty list.
 */
export function percentile(values: ArrayLike<number>, rank: number): number {
  if (values.length === 0) throw new ShapeError("expected at least one value for a percentile, got none");
  const sorted = Float64Array.from(values).sort();
  const position = (rank / 100) * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}

interface SamplePositions {
  readonly lower: Uint32Array;
  readonly upper: Uint32Array;
  readonly fraction: Float64Array;
}

/** For each output place, the two input places it lies between and how far it is from the first. */
function samplePositions(from: number, to: number): SamplePositions {
  const lower = new Uint32Array(to);
  const upper = new Uint32Array(to);
  const fraction = new Float64Array(to);
  for (let i = 0; i < to; i++) {
    const position = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    lower[i] = Math.floor(position);
    upper[i] = Math.min(lower[i] + 1, from - 1);
    fraction[i] = position - lower[i];
  }
  return { lower, upper, fraction };
}

function sumChannels(attribution: Float32Array, mode: "signed" | "absolute"): Float64Array {
  const out = new Float64Array(attribution.length / 3);
  for (let i = 0; i < attribution.length; i++) {
    const value = attribution[i];
    if (!Number.isFinite(value)) throw new NonFiniteError(`expected a finite attribution, got ${value} at index ${i}`);
    out[Math.floor(i / 3)] += mode === "signed" ? value : Math.abs(value);
  }
  return out;
}

function paint(
  values: ArrayLike<number>,
  height: number,
  width: number,
  colour: (value: number) => Uint8Array,
): RgbImage {
  const data = new Uint8Array(3 * height * width);
  for (let i = 0; i < height * width; i++) data.set(colour(values[i]), 3 * i);
  return { width, height, data };
}

function toByte(value: number): number {
  return Math.round(255 * Math.min(1, Math.max(0, value)));
}

function checkHeatmap({ values, height, width }: Heatmap): void {
  if (values.length !== height * width || values.length === 0) {
    throw new ShapeError(`expected a heat map of ${height}×${width} values, got ${values.length}`);
  }
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new NonFiniteError(`expected a finite heat map, got ${values[bad]} at index ${bad}`);
}

function checkImage({ data, height, width }: RgbImage): void {
  if (data.length !== 3 * height * width) {
    throw new ShapeError(`expected an RGB image of ${height}×${width}×3 bytes, got ${data.length}`);
  }
}

function requireKind(name: ColormapName, kind: string, expected: string): void {
  if (kind !== expected) throw new UsageError(`expected a ${expected} colour map, got ${name}, which is ${kind}`);
}
