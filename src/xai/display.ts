import { type ColormapName, colormap, colormapIndex } from "./colormaps.ts";
import type { Explanation } from "./explanation.ts";
import { type Heatmap, percentile, type RgbImage, renderHeatmap, renderOverlay, upsampleHeatmap } from "./overlay.ts";

export interface DisplayOptions {
  /** The value that the ends of the colour map stand for; one number for several maps makes them comparable. */
  readonly range?: number;
  /** Sequential map for magnitudes, default `ember`; signed maps are always drawn on `balance`. */
  readonly colormap?: ColormapName;
}

/** A few extreme pixels would leave the rest of an attribution blank. */
const attributionPercentile = 99;

/** What every place of a map has (RISE: all places were visible half of the time), which the colours leave out. */
const floorOf = ({ details }: Explanation): number => (typeof details.floor === "number" ? details.floor : 0);

/**
 * The value that the colours of an explanation end at by default: the peak of a map on layers or regions, the 99th
 * percentile of the magnitudes of an attribution.
 */
export function rangeOf(explanation: Explanation): number {
  const magnitudes = explanation.heatmap.values.map((value) => Math.abs(value - floorOf(explanation)));
  const peak = magnitudes.reduce((a, b) => Math.max(a, b), 0);
  return (explanation.attribution && percentile(magnitudes, attributionPercentile)) || peak;
}

/**
 * The picture of an explanation: attributions on their own, signed ones diverging; maps of layers and regions over the
 * photograph, more opaque where they say more. A map of zeros leaves the photograph, or the neutral colour.
 */
export function renderExplanation(
  photograph: RgbImage,
  explanation: Explanation,
  { range = rangeOf(explanation), colormap: name = "ember" }: DisplayOptions = {},
): RgbImage {
  const { heatmap, attribution } = explanation;
  const floor = floorOf(explanation);
  const values = heatmap.values.map((value) => (range > 0 ? (value - floor) / range : 0));
  const heat: Heatmap = { ...heatmap, values };
  const { height, width } = photograph;
  if (heatmap.signed) return renderSigned(photograph, heat, attribution ? "alone" : "over");
  return attribution
    ? renderHeatmap(heat, { height, width, colormap: name })
    : renderOverlay(photograph, heat, { colormap: name });
}

/** The weakest colour of a signed overlay, as a share of the strongest. */
const palest = 0.5;

/** A map of −1 … 1 on the diverging colours, alone or over the photograph with an opacity that grows with the magnitude. */
function renderSigned(photograph: RgbImage, heat: Heatmap, place: "alone" | "over"): RgbImage {
  const map = colormap("balance");
  const { height, width } = photograph;
  const values = upsampleHeatmap(heat, height, width);
  const data = new Uint8Array(3 * height * width);
  values.forEach((value, at) => {
    const magnitude = Math.min(1, Math.abs(value));
    // Over a photograph weak evidence is a thin tint: the pale middle of the colours would veil it and leave dark rings at zero.
    const shade = place === "alone" ? value : Math.sign(value) * (palest + (1 - palest) * magnitude);
    const entry = 3 * colormapIndex(map, shade);
    const weight = place === "alone" ? 1 : 0.8 * (1 - (1 - magnitude) ** 2);
    for (let c = 0; c < 3; c++)
      data[3 * at + c] = Math.round(photograph.data[3 * at + c] * (1 - weight) + map.table[entry + c] * weight);
  });
  return { width, height, data };
}
