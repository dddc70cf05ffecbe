/** Colours of the `petals` data set. No function here knows the species, so colour cannot tell it. */
import type { CounterRandom } from "../engine/random.ts";

/** Red, green, blue from 0 to 1, in the encoding of the display. */
export type Color = readonly [number, number, number];

/** What a petal's surface shows besides its gradient. */
export type Pattern = "plain" | "veins" | "spots" | "stripe" | "margin" | "throat";

export interface FlowerColors {
  petal: Color;
  accent: Color;
  heart: Color;
  anther: Color;
  green: Color;
  pattern: Pattern;
  /** 0 to 1: how far the pattern goes towards the accent. */
  strength: number;
  /** 0 to 1: how far the base of a petal goes towards the accent. */
  gradient: number;
}

/** Hue, saturation, value of the flowers: white, cream, yellow, orange, coral, red, pink, magenta, purple, violet, blue, lavender, wine. */
const PETAL_HSV: readonly Color[] = [
  [0.12, 0.04, 0.97],
  [0.13, 0.2, 0.97],
  [0.14, 0.82, 0.97],
  [0.08, 0.85, 0.96],
  [0.02, 0.58, 0.96],
  [0.99, 0.82, 0.88],
  [0.93, 0.4, 0.95],
  [0.88, 0.75, 0.83],
  [0.78, 0.58, 0.68],
  [0.72, 0.52, 0.78],
  [0.62, 0.6, 0.86],
  [0.71, 0.3, 0.92],
  [0.95, 0.75, 0.62],
];

/** Yellow, orange, brown, plum, lime, cream. */
const HEART_HSV: readonly Color[] = [
  [0.14, 0.85, 0.95],
  [0.09, 0.85, 0.85],
  [0.07, 0.65, 0.35],
  [0.85, 0.45, 0.25],
  [0.22, 0.6, 0.7],
  [0.14, 0.25, 0.95],
];

/** Hue (any real number, one turn is 1), saturation and value from 0 to 1. */
export function hsv(hue: number, saturation: number, value: number): Color {
  const channel = (offset: number) => {
    const k = (offset + (hue - Math.floor(hue)) * 6) % 6;
    return value - value * saturation * Math.max(0, Math.min(k, 4 - k, 1));
  };
  return [channel(5), channel(3), channel(1)];
}

export function mix(a: Color, b: Color, share: number): Color {
  return [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share];
}

export function scale(color: Color, factor: number): Color {
  return [color[0] * factor, color[1] * factor, color[2] * factor];
}

const clamp = (x: number) => Math.min(Math.max(x, 0), 1);

function near([hue, saturation, value]: Color, random: CounterRandom): Color {
  return hsv(
    hue + random.uniform(-0.025, 0.025),
    clamp(saturation * random.uniform(0.8, 1.15)),
    clamp(value * random.uniform(0.88, 1.03)),
  );
}

/** A colour that some flower has. */
export function petalColor(random: CounterRandom): Color {
  return near(random.pick(PETAL_HSV), random);
}

export function leafColor(random: CounterRandom): Color {
  return hsv(random.uniform(0.2, 0.38), random.uniform(0.35, 0.75), random.uniform(0.28, 0.62));
}

/** The colours and the surface of one flower. */
export function flowerColors(random: CounterRandom): FlowerColors {
  const petal = petalColor(random);
  const other = petalColor(random);
  const kind = random.uniform();
  const accent = kind < 0.35 ? mix(petal, [1, 1, 1], 0.6) : kind < 0.65 ? scale(petal, 0.6) : other;
  return {
    petal,
    accent,
    heart: near(random.pick(HEART_HSV), random),
    anther: near(random.pick(HEART_HSV), random),
    green: leafColor(random),
    pattern: random.pick<Pattern>(["plain", "veins", "spots", "stripe", "margin", "throat"]),
    strength: random.uniform(0.15, 0.45),
    gradient: random.uniform(0, 0.4),
  };
}
