/**
 * Colour maps computed from formulas in OKLCh (Björn Ottosson, "A perceptual color space for image processing", 2020).
 *
 * Sequential maps are straight ramps of OKLab lightness, so equal steps of the value look like equal steps of
 * brightness and the order survives every colour-vision deficiency and a grey printer. Diverging maps have the same
 * lightness and chroma on both sides of a neutral centre, so neither sign looks stronger than the other, and use blue
 * against orange, the pair that protanopia, deuteranopia and tritanopia all keep apart.
 */

export type ColormapName = "ember" | "lagoon" | "grey" | "balance";

export interface Colormap {
  readonly name: ColormapName;
  /** Sequential maps take values in [0, 1]; diverging maps take values in [-1, 1] with 0 at entry 128. */
  readonly kind: "sequential" | "diverging";
  /** 256 sRGB triples, 768 bytes. */
  readonly table: Uint8Array;
}

type Triple = readonly [number, number, number];

/** A straight lightness ramp; hue moves linearly (degrees), chroma rises over the first third, then as far as the screen can show. */
interface SequentialFormula {
  readonly kind: "sequential";
  readonly lightness: readonly [number, number];
  readonly hue: readonly [number, number];
  readonly chroma: number;
}

/** Two arms of equal lightness and chroma that leave a neutral centre. */
interface DivergingFormula {
  readonly kind: "diverging";
  readonly lightness: { readonly centre: number; readonly end: number };
  readonly hue: { readonly negative: number; readonly positive: number };
  readonly chroma: number;
}

const formulas: Record<ColormapName, SequentialFormula | DivergingFormula> = {
  ember: { kind: "sequential", lightness: [0.16, 0.93], hue: [-70, 100], chroma: 0.21 },
  lagoon: { kind: "sequential", lightness: [0.16, 0.93], hue: [290, 120], chroma: 0.17 },
  grey: { kind: "sequential", lightness: [0, 1], hue: [0, 0], chroma: 0 },
  balance: {
    kind: "diverging",
    lightness: { centre: 0.97, end: 0.45 },
    hue: { negative: 255, positive: 45 },
    chroma: 0.19,
  },
};

export const colormapNames = Object.keys(formulas) as ColormapName[];

const cache = new Map<ColormapName, Colormap>();

/** The named map as a table of 256 RGB triples. The table is shared: do not write to it. */
export function colormap(name: ColormapName): Colormap {
  let map = cache.get(name);
  if (!map) {
    const formula = formulas[name];
    const colourAt = formula.kind === "sequential" ? sequentialColour(formula) : divergingColour(formula);
    const table = new Uint8Array(256 * 3);
    for (let i = 0; i < 256; i++) table.set(colourAt(i), 3 * i);
    map = { name, kind: formula.kind, table };
    cache.set(name, map);
  }
  return map;
}

/** Entry of the table for a value; values outside the map's range are clamped. */
export function colormapIndex(map: Colormap, value: number): number {
  if (map.kind === "sequential") return Math.round(255 * Math.min(1, Math.max(0, value)));
  return 128 + Math.round(127 * Math.min(1, Math.max(-1, value)));
}

function sequentialColour({ lightness, hue, chroma }: SequentialFormula): (index: number) => Triple {
  return (index) => {
    const t = index / 255;
    const l = mix(lightness, t);
    const h = mix(hue, t);
    return rgbBytes(l, Math.min(chroma * Math.sin((Math.PI / 2) * Math.min(1, 3 * t)), largestChroma(l, h)), h);
  };
}

function divergingColour({ lightness, hue, chroma }: DivergingFormula): (index: number) => Triple {
  return (index) => {
    // Entry 0 repeats entry 1, so that the neutral colour falls exactly on an entry (128).
    const t = Math.max(-1, (index - 128) / 127);
    const l = mix([lightness.centre, lightness.end], Math.abs(t));
    // Both arms take the chroma that both hues can show: otherwise the wider gamut would look like a stronger sign.
    const shown = Math.min(largestChroma(l, hue.negative), largestChroma(l, hue.positive));
    return rgbBytes(l, Math.min(chroma * Math.abs(t) ** 0.8, shown), t < 0 ? hue.negative : hue.positive);
  };
}

function mix([from, to]: readonly [number, number], t: number): number {
  return from + (to - from) * t;
}

/** Linear-light sRGB of an OKLCh colour (hue in degrees); components outside [0, 1] are out of gamut. */
function linearRgb(lightness: number, chroma: number, hue: number): Triple {
  const angle = (hue * Math.PI) / 180;
  const a = chroma * Math.cos(angle);
  const b = chroma * Math.sin(angle);
  const long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
    -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
    -0.0041960863 * long - 0.7034186147 * medium + 1.707614701 * short,
  ];
}

/** The largest chroma that sRGB can show at this lightness and hue, by bisection. */
function largestChroma(lightness: number, hue: number): number {
  const slack = 1e-6;
  let inside = 0;
  let outside = 0.5;
  for (let step = 0; step < 24; step++) {
    const middle = (inside + outside) / 2;
    const shown = linearRgb(lightness, middle, hue).every((c) => c >= -slack && c <= 1 + slack);
    if (shown) inside = middle;
    else outside = middle;
  }
  return inside;
}

function rgbBytes(lightness: number, chroma: number, hue: number): Triple {
  const [red, green, blue] = linearRgb(lightness, chroma, hue).map((linear) => {
    const c = Math.min(1, Math.max(0, linear));
    return Math.round(255 * (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055));
  });
  return [red, green, blue];
}
