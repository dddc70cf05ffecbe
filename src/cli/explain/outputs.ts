/** What `tepal explain` writes: tensors, pictures, a contact sheet, and a record of each map. */
import { toBytes } from "../../data/images.ts";
import { UsageError } from "../../engine/errors.ts";
import type { TensorToStore } from "../../nn/formats/safetensors.ts";
import type { ColormapName } from "../../xai/colormaps.ts";
import { rangeOf, renderExplanation } from "../../xai/display.ts";
import type { Evidence } from "../../xai/evidence/evidence.ts";
import type { Explanation } from "../../xai/explanation.ts";
import type { RgbImage } from "../../xai/overlay.ts";
import { drawSheet, type SheetRow } from "../drawing/sheet.ts";

/** The explanations of one method, an image each. */
export interface MethodResults {
  readonly method: string;
  readonly explanations: readonly Explanation[];
  /** For each map, where it was asked for. */
  readonly evidence?: readonly Evidence[];
}

export const peakOf = ({ heatmap }: Explanation): number =>
  heatmap.values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** The record of one map in the JSON result: no tensors. */
export function recordOf(explanation: Explanation): object {
  const { method, status, heatmap, cost, details } = explanation;
  const { layers, ...rest } = details;
  const layer = Array.isArray(layers) ? { layer: layers.join(", ") } : {};
  const { height, width, signed } = heatmap;
  return { method, status, ...layer, peak: peakOf(explanation), height, width, signed, cost, ...rest };
}

/**
 * `heatmap` [N, h, w] divided by its `peak` [N] (the largest magnitude), `attribution` [N, H, W, 3] and
 * `completeness_gap` [N] as they are; with several methods under `METHOD/…`.
 */
export function tensorsOf(results: readonly MethodResults[]): Record<string, TensorToStore> {
  const tensors: Record<string, TensorToStore> = {};
  for (const { method, explanations } of results) {
    const prefix = results.length === 1 ? "" : `${method}/`;
    const store = (name: string, shape: readonly number[], parts: readonly ArrayLike<number>[]): void => {
      const data = new Float32Array([explanations.length, ...shape].reduce((product, side) => product * side));
      parts.forEach((part, index) => {
        data.set(part, (index * data.length) / parts.length);
      });
      tensors[prefix + name] = { dtype: "F32", shape: [explanations.length, ...shape], data };
    };
    const { height, width } = explanations[0].heatmap;
    const peaks = explanations.map(peakOf);
    store(
      "heatmap",
      [height, width],
      explanations.map(({ heatmap }, index) => heatmap.values.map((value) => value / (peaks[index] || 1))),
    );
    store(
      "peak",
      [],
      peaks.map((peak) => [peak]),
    );
    const attributions = explanations.flatMap(({ attribution }) => (attribution ? [attribution] : []));
    if (attributions.length > 0) store("attribution", [height, width, 3], attributions);
    const gaps = explanations.flatMap(({ details }) =>
      typeof details.completenessGap === "number" ? [[details.completenessGap]] : [],
    );
    if (gaps.length > 0) store("completeness_gap", [], gaps);
  }
  return tensors;
}

/** Image `index` of a batch of pixels, as bytes. */
export function imageAt(pixels: Float32Array, [height, width]: readonly [number, number], index: number): RgbImage {
  const size = height * width * 3;
  return { height, width, data: new Uint8Array(toBytes(pixels.subarray(index * size, (index + 1) * size))) };
}

/** Below this edge in pixels a picture is too small to be looked at. */
const readableEdge = 160;

/** What a small network gets, enlarged by a whole factor with hard edges; larger pictures stay as they are. */
export function enlarged({ height, width, data }: RgbImage): RgbImage {
  const factor = Math.ceil(readableEdge / Math.min(height, width));
  if (factor <= 1) return { height, width, data };
  const size = { height: factor * height, width: factor * width };
  const large = new Uint8Array(3 * size.height * size.width);
  for (let y = 0; y < size.height; y++)
    for (let x = 0; x < size.width; x++) {
      const from = 3 * (Math.floor(y / factor) * width + Math.floor(x / factor));
      large.set(data.subarray(from, from + 3), 3 * (y * size.width + x));
    }
  return { ...size, data: large };
}

/** Where the colours end: at each map's own range, at one range for all images of a method, or at a given value. */
export type ColourScale = "own" | "shared" | number;

/** @throws UsageError for what is neither `own` nor `shared` nor a number above 0 */
export function colourScale(text: string): ColourScale {
  if (text === "own" || text === "shared") return text;
  const value = Number(text);
  if (text.trim() === "" || !(Number.isFinite(value) && value > 0))
    throw new UsageError(`--scale expects own, shared or a number above 0 such as 0.5, found "${text}"`);
  return value;
}

/** A picture of each explanation of a method; with a shared or a fixed scale, equal colours mean equal numbers in all of them. */
export function picturesOf(
  { explanations }: MethodResults,
  photographs: readonly RgbImage[],
  { ranges, colormap }: { readonly ranges: readonly number[]; readonly colormap: ColormapName },
): RgbImage[] {
  return explanations.map((explanation, index) => {
    const options = { colormap, range: ranges[index] };
    return explanation.attribution
      ? enlarged(renderExplanation(photographs[index], explanation, options))
      : renderExplanation(enlarged(photographs[index]), explanation, options);
  });
}

/** For each map the value that its colours end at. */
export function rangesOf({ explanations }: MethodResults, scale: ColourScale): number[] {
  const own = explanations.map(rangeOf);
  if (scale === "own") return own;
  return own.map(() => (scale === "shared" ? Math.max(...own) : scale));
}

/** Photographs down, methods across. */
export function contactSheet(
  photographs: readonly RgbImage[],
  titles: readonly string[],
  columns: readonly {
    readonly title: string;
    readonly pictures: readonly RgbImage[];
    readonly remarks: readonly string[];
  }[],
): RgbImage {
  const rows = photographs.map((image, index): SheetRow => {
    const cells = columns.map(({ title, pictures, remarks }) => ({
      image: pictures[index],
      label: `${title}${remarks[index]}`,
    }));
    return { title: titles[index], cells: [{ image: enlarged(image), label: "photograph" }, ...cells] };
  });
  return drawSheet(rows) as RgbImage;
}
