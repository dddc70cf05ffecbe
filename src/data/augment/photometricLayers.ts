import { photometricCodes } from "../../engine/ops/photometric.ts";
import {
  type CompositeLayer,
  coin,
  composite,
  type Parameters,
  type PhotometricLayer,
  photometric,
  probability,
  range,
  spread,
} from "./layer.ts";

const nothing = [photometricCodes.nothing, 0] as const;
const number = (value: unknown): number => value as number;

/** The layers that change the colour of each pixel, by name. Neighbouring ones run in one pass over the image. */
export const photometricLayers: Readonly<Record<string, PhotometricLayer>> = {
  brightness: photometric({
    number: 16,
    summary: "adds one number to all values",
    formula: "y = clip(x + 255·δ), δ ~ U(factor)",
    fields: { factor: spread(0.2, 1, "part of the range 0 to 255") },
    draw: ({ factor }, random) => ({ delta: random.uniform(...factor) * 255 }),
    step: ({ delta }) => [photometricCodes.brightness, number(delta)],
  }),
  contrast: photometric({
    number: 17,
    summary: "spreads or narrows the values about the mean μ of each image and channel",
    formula: "y = clip((x − μ)·c + μ), c ~ U(1 − factor, 1 + factor); keras3: U(1, 1 + factor)",
    fields: { factor: { kind: "number", default: 0.2, min: 0, max: 1, help: "strength" } },
    aboutMean: true,
    draw: ({ factor }, random, mode) => ({ factor: random.uniform(mode === "keras3" ? 1 : 1 - factor, 1 + factor) }),
    step: ({ factor }) => [photometricCodes.contrast, number(factor)],
  }),
  saturation: photometric({
    number: 18,
    summary: "moves colours away from their grey g, or towards it",
    formula:
      "y = clip(g + (x − g)·s), g = 0.2989 r + 0.587 g + 0.114 b, s ~ U(1 + lo, 1 + hi); keras3: y = v − (v − x)·s, v the largest channel, s = f / (1 − f), f uniform between the f of both bounds",
    fields: { factor: spread(0.3, 10, "strength", -1) },
    draw: ({ factor }, random, mode): Parameters => {
      if (mode !== "keras3") return { factor: 1 + random.uniform(...factor) };
      const [low, high] = factor.map((value) => (1 + value) / (2 + value));
      const drawn = random.uniform(low, high);
      return { factor: drawn / (1 - drawn), inHsv: 1 };
    },
    step: ({ factor, inHsv }) => [inHsv ? photometricCodes.saturationHsv : photometricCodes.saturation, number(factor)],
    stepName: (mode) => (mode === "keras3" ? "saturationHsv" : "saturation"),
  }),
  hue: photometric({
    number: 19,
    summary: "turns the colour wheel of HSV",
    formula: "hue + h, h ~ U(factor) whole turns",
    fields: { factor: spread(0.05, 0.5, "part of a whole turn") },
    draw: ({ factor }, random) => ({ turns: random.uniform(...factor) }),
    step: ({ turns }) => [photometricCodes.hue, number(turns)],
  }),
  greyscale: photometric({
    number: 20,
    summary: "takes the colour away",
    formula: "y = g with the probability, else x",
    fields: { probability: probability(0.2) },
    draw: ({ probability: chance }, random) => ({ amount: Number(coin(random, chance)) }),
    step: ({ amount }) => (amount === 0 ? nothing : [photometricCodes.greyscale, number(amount)]),
  }),
  posterise: photometric({
    number: 21,
    summary: "keeps the upper bits of each value",
    formula: "y = ⌊x / 2^(8−b)⌋·2^(8−b), b ~ {lo … hi}",
    fields: { bits: range(3, 6, 1, 8, "bits kept"), probability: probability(0.5) },
    draw: ({ bits: [low, high], probability: chance }, random) => ({
      active: Number(coin(random, chance)),
      bits: Math.ceil(low) + random.integer(Math.floor(high) - Math.ceil(low) + 1),
    }),
    step: ({ active, bits }) => (active === 0 ? nothing : [photometricCodes.posterise, number(bits)]),
  }),
  solarise: photometric({
    number: 22,
    summary: "inverts the bright values",
    formula: "y = 255 − x where x ≥ t, t ~ U(threshold)",
    fields: { threshold: range(96, 224, 0, 256, "from which values are inverted"), probability: probability(0.3) },
    draw: ({ threshold, probability: chance }, random) => ({
      active: Number(coin(random, chance)),
      threshold: random.uniform(...threshold),
    }),
    step: ({ active, threshold }) => (active === 0 ? nothing : [photometricCodes.solarise, number(threshold)]),
  }),
};

/** The layers that look at more than one pixel, or draw for each, by name. */
export const filterLayers: Readonly<Record<string, CompositeLayer>> = {
  equalise: composite({
    kind: "equalise",
    number: 32,
    summary: "spreads each channel's histogram evenly, in whole numbers",
    formula: "y = min(255, ⌊(Σ_{u<x} n_u + ⌊s/2⌋) / s⌋), s = ⌊(pixels − n_last) / 255⌋",
    fields: { probability: probability(0.5) },
    draw: ({ probability: chance }, random) => ({ active: Number(coin(random, chance)) }),
  }),
  sharpen: composite({
    kind: "sharpen",
    number: 33,
    summary: "sharpens (above 0) or smooths (below) by the 3 × 3 mean s with weight 5 in the middle",
    formula: "y = clip(x + a·(x − s)), a ~ U(amount)",
    fields: { amount: range(-1, 2, -1, 20, "strength"), probability: probability(1) },
    draw: ({ amount, probability: chance }, random) => {
      const active = coin(random, chance);
      const drawn = random.uniform(...amount);
      return { amount: active ? drawn : 0 };
    },
  }),
  blur: composite({
    kind: "blur",
    number: 34,
    summary: "Gaussian blur, rows and then columns",
    formula: "weights ∝ exp(−k² / 2σ²), |k| ≤ ⌈3·hi⌉, σ ~ U(sigma) pixels",
    fields: { sigma: range(0.3, 2, 0, 20, "pixels"), probability: probability(0.5) },
    draw: ({ sigma, probability: chance }, random) => {
      const active = coin(random, chance);
      const drawn = random.uniform(...sigma);
      return { sigma: active ? drawn : 0 };
    },
  }),
  noise: composite({
    kind: "noise",
    number: 35,
    summary: "adds a normal number to every value, drawn on the GPU at the value's own address",
    formula: "y = clip(x + σ·z), z ~ N(0, 1), σ ~ U(sigma)",
    fields: { sigma: range(0, 20, 0, 255, "of values from 0 to 255"), probability: probability(0.5) },
    draw: ({ sigma, probability: chance }, random) => {
      const active = coin(random, chance);
      const drawn = random.uniform(...sigma);
      return { sigma: active ? drawn : 0 };
    },
  }),
  erasing: composite({
    kind: "erasing",
    number: 36,
    summary: "paints a rectangle over (Zhong et al. 2020)",
    formula:
      "h = √(a·H·W / r), w = √(a·H·W·r), at most the image, a ~ U(scale), ln r ~ U(ln ratio), at a uniform place; keras3: h = H·√U(scale), w = W·√U(scale), whatever the ratio, the probability itself ~ U(0, probability), and a random fill is clip(255·z) for every value, z ~ N(0, 1)",
    fields: {
      scale: range(0.02, 0.25, 0, 1, "area, part of the image's"),
      ratio: range(0.4, 2.5, 0.05, 20, "width over height"),
      fill: {
        kind: "choice",
        choices: ["random", "black", "grey"],
        default: "random",
        help: "colour; random is drawn for each image, in keras3 for each value",
      },
      probability: probability(0.5),
    },
    draw: ({ scale, ratio, fill, probability: chance }, random, mode): Parameters => {
      const active = coin(random, mode === "keras3" ? random.uniform(0, chance) : chance);
      const area = random.uniform(...scale);
      const aspect = Math.exp(random.uniform(Math.log(ratio[0]), Math.log(ratio[1])));
      const [top, left] = [random.uniform(), random.uniform()];
      const drawn = [0, 1, 2].map(() => random.uniform(0, 255));
      const colour = fill === "random" ? drawn : new Array(3).fill(fill === "grey" ? 127.5 : 0);
      if (mode !== "keras3") return { area: active ? area : 0, ratio: aspect, top, left, colour };
      const [rows, columns] = [area, random.uniform(...scale)].map((share) => (active ? Math.sqrt(share) : 0));
      if (fill === "random") return { rows, columns, top, left, noise: active ? 255 : 0 };
      return { rows, columns, top, left, colour };
    },
  }),
};
