/** Backgrounds of the `petals` data set. Like its colours they are drawn without knowing the species. */
import type { CounterRandom } from "../engine/random.ts";
import { type Color, hsv, leafColor, mix, petalColor, scale } from "./petals-color.ts";
import { createLayer, drawSurface, type Layer, type Light, type Pose } from "./petals-raster.ts";

/** The colour at a point of the picture; both coordinates run from 0 to 1, y downwards. */
type Ground = (x: number, y: number) => Color;

/** A hash of a lattice point to [0, 1): the multiply-xorshift finish of MurmurHash3 over both coordinates. */
export function latticeNoise(x: number, y: number, seed: number): number {
  let bits = Math.imul(x, 0x27d4eb2d) ^ Math.imul(y, 0x165667b1) ^ seed;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return ((bits ^ (bits >>> 16)) >>> 8) * 2 ** -24;
}

/** Smooth noise from 0 to 1 with features of size one (value noise). */
export function valueNoise(x: number, y: number, seed: number): number {
  const x0 = Math.floor(x);
  const y0 = Math.floor(y);
  const u = (x - x0) ** 2 * (3 - 2 * (x - x0));
  const v = (y - y0) ** 2 * (3 - 2 * (y - y0));
  const top = latticeNoise(x0, y0, seed) * (1 - u) + latticeNoise(x0 + 1, y0, seed) * u;
  const bottom = latticeNoise(x0, y0 + 1, seed) * (1 - u) + latticeNoise(x0 + 1, y0 + 1, seed) * u;
  return top * (1 - v) + bottom * v;
}

function fractalNoise(x: number, y: number, seed: number): number {
  return (valueNoise(x, y, seed) * 4 + valueNoise(x * 2, y * 2, seed + 1) * 2 + valueNoise(x * 4, y * 4, seed + 2)) / 7;
}

const smooth = (low: number, high: number, x: number) => {
  const t = Math.min(Math.max((x - low) / (high - low), 0), 1);
  return t * t * (3 - 2 * t);
};

function sky(random: CounterRandom): Ground {
  const top = hsv(random.uniform(0.54, 0.64), random.uniform(0.25, 0.65), random.uniform(0.65, 0.95));
  const bottom = mix(top, hsv(random.uniform(0, 0.14), 0.25, 0.98), random.uniform(0.3, 0.9));
  const seed = random.bits();
  const cloud = random.uniform(0.35, 0.6);
  return (x, y) =>
    mix(mix(top, bottom, y), [0.97, 0.97, 0.98], smooth(cloud, cloud + 0.25, fractalNoise(x * 2.5, y * 4, seed)));
}

function soil(random: CounterRandom): Ground {
  const color = hsv(random.uniform(0.03, 0.1), random.uniform(0.25, 0.6), random.uniform(0.25, 0.55));
  const seed = random.bits();
  return (x, y) =>
    scale(color, 0.45 + 1.1 * fractalNoise(x * 9, y * 9, seed) * (0.7 + 0.5 * valueNoise(x * 30, y * 30, seed + 9)));
}

/** Pebbles are the cells nearest to jittered points (Worley 1996); the gap between two is dark. */
function gravel(random: CounterRandom): Ground {
  const color = hsv(random.uniform(0, 0.65), random.uniform(0.03, 0.22), random.uniform(0.5, 0.8));
  const seed = random.bits();
  const cells = random.uniform(6, 12);
  return (x, y) => {
    let first = 9;
    let second = 9;
    let tone = 0;
    for (let j = Math.floor(y * cells) - 1; j <= y * cells + 1; j++) {
      for (let i = Math.floor(x * cells) - 1; i <= x * cells + 1; i++) {
        const distance = Math.hypot(
          i + latticeNoise(i, j, seed) - x * cells,
          j + latticeNoise(i, j, seed + 1) - y * cells,
        );
        if (distance < first) {
          second = first;
          first = distance;
          tone = latticeNoise(i, j, seed + 2);
        } else if (distance < second) second = distance;
      }
    }
    return scale(color, (0.6 + 0.6 * tone) * (0.35 + 0.65 * smooth(0, 0.3, second - first)));
  };
}

function brick(random: CounterRandom): Ground {
  const color = hsv(random.uniform(0, 0.08), random.uniform(0.25, 0.65), random.uniform(0.45, 0.75));
  const mortar: Color = scale([0.85, 0.82, 0.78], random.uniform(0.6, 1));
  const seed = random.bits();
  const rows = random.uniform(5, 9);
  const angle = random.uniform(-0.2, 0.2);
  return (x, y) => {
    const across = (x * Math.cos(angle) + y * Math.sin(angle)) * rows * 0.45;
    const down = (y * Math.cos(angle) - x * Math.sin(angle)) * rows;
    const row = Math.floor(down);
    const shifted = across + (row % 2) * 0.5;
    const cell = Math.floor(shifted);
    const edge = Math.min(Math.min(shifted - cell, 1 - shifted + cell) * 2.2, down - row, 1 - down + row);
    const tone = 0.75 + 0.4 * latticeNoise(cell, row, seed) + 0.25 * (valueNoise(x * 40, y * 40, seed) - 0.5);
    return mix(mortar, scale(color, tone), smooth(0.05, 0.12, edge));
  };
}

/** Lights out of focus: soft discs, some of the colours of flowers. */
function bokeh(random: CounterRandom): Ground {
  const dark = scale(leafColor(random), random.uniform(0.5, 1.2));
  const discs = Array.from({ length: 16 }, () => ({
    x: random.uniform(-0.1, 1.1),
    y: random.uniform(-0.1, 1.1),
    radius: random.uniform(0.06, 0.2),
    share: random.uniform(0.25, 0.75),
    color: random.uniform() < 0.5 ? petalColor(random) : leafColor(random),
  }));
  return (x, y) => {
    let color = scale(dark, 1.15 - 0.5 * y);
    for (const disc of discs) {
      const inside = smooth(disc.radius, disc.radius * 0.8, Math.hypot(x - disc.x, y - disc.y));
      if (inside > 0) color = mix(color, disc.color, inside * disc.share);
    }
    return color;
  };
}

function wall(random: CounterRandom): Ground {
  const color = mix(petalColor(random), [0.8, 0.8, 0.78], random.uniform(0.2, 0.8));
  const seed = random.bits();
  const fade = random.uniform(-0.4, 0.4);
  return (x, y) => scale(color, 0.85 + fade * (x - 0.5) + 0.3 * (fractalNoise(x * 6, y * 6, seed) - 0.5) - 0.15 * y);
}

/** Blades or leaves painted over each other: narrow and upright for grass, broad and in all directions for leaves. */
function foliage(layer: Layer, random: CounterRandom, light: Light, grass: boolean): void {
  const base = leafColor(random);
  for (let i = 0; i < layer.color.length; i++) layer.color[i] = base[i % 3] * 0.4;
  const count = grass ? 70 : 34;
  for (let i = 0; i < count; i++) {
    const radius = grass ? random.uniform(0.35, 0.8) : random.uniform(0.2, 0.45);
    const rise = grass ? random.uniform(0.6, 1.5) : random.uniform(-0.1, 1.1);
    const pose: Pose = {
      x: random.uniform(-0.1, 1.1),
      y: rise,
      radius,
      rotation: [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
    };
    const color = scale(mix(base, leafColor(random), 0.35), 0.55 + (0.7 * i) / count);
    const paint = {
      petal: color,
      accent: scale(color, 1.35),
      pattern: grass ? "plain" : "stripe",
      strength: 0.35,
      gradient: 0,
    } as const;
    const azimuth = grass ? -Math.PI / 2 + random.normal() * 0.3 : random.uniform(0, 2 * Math.PI);
    const outline = grass ? { rise: 0.1, hold: 1.2, fall: 0.9 } : { rise: 0.7, hold: 1.6, fall: 0.8 };
    const form = { base: [0, 0, 0], azimuth, elevation: random.uniform(-0.4, 0.4), length: 1, outline } as const;
    const width = grass ? 0.045 : random.uniform(0.25, 0.4);
    drawSurface(layer, { ...form, width, cup: 0.5, bend: 0.3, depth: 0.8, tone: 1, phase: 0 }, paint, pose, light);
  }
}

/** Mean over a square window of 2·radius + 1 samples, along one axis; edges repeat. */
function boxBlur(from: Float32Array, side: number, channels: number, radius: number, vertical: boolean): Float32Array {
  const to = new Float32Array(from.length);
  const step = (vertical ? side : 1) * channels;
  const other = (vertical ? 1 : side) * channels;
  const weight = 1 / (2 * radius + 1);
  for (let line = 0; line < side; line++) {
    for (let c = 0; c < channels; c++) {
      const start = line * other + c;
      const at = (i: number) => from[start + Math.min(Math.max(i, 0), side - 1) * step];
      let sum = 0;
      for (let i = -radius; i <= radius; i++) sum += at(i);
      for (let i = 0; i < side; i++) {
        to[start + i * step] = sum * weight;
        sum += at(i + radius + 1) - at(i - radius);
      }
    }
  }
  return to;
}

/** Two box blurs in each direction: near to a Gaussian of the same variance. A radius of 0 changes nothing. */
export function blur(values: Float32Array, side: number, channels: number, radius: number): Float32Array {
  if (radius < 1) return values;
  let result = values;
  for (const vertical of [false, true, false, true]) result = boxBlur(result, side, channels, radius, vertical);
  return result;
}

/** Draws the colours towards their mean and dims them: the flower is the subject, as in a photograph with a shallow focus. */
function soften(color: Float32Array, contrast: number, brightness: number): void {
  const mean = [0, 0, 0];
  for (let i = 0; i < color.length; i++) mean[i % 3] += (color[i] * 3) / color.length;
  for (let i = 0; i < color.length; i++) {
    const center = mean[i % 3];
    color[i] = (center + (color[i] - center) * contrast) * brightness;
  }
}

function paintGround({ color, side }: Layer, ground: Ground): void {
  let at = 0;
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const value = ground((column + 0.5) / side, (row + 0.5) / side);
      for (let c = 0; c < 3; c++) color[at++] = value[c];
    }
  }
}

const GROUNDS = [sky, soil, gravel, brick, bokeh, wall];

/**
 * The background, from sharp to far out of focus: a layer of one sample a pixel, or two along each axis where it is sharp.
 * It is a little darker and flatter than the flower.
 */
export function drawBackground(size: number, random: CounterRandom, light: Light): Layer {
  const kind = random.integer(GROUNDS.length + 2);
  const focus = random.uniform() < 0.2 ? 0 : random.uniform(0.01, 0.045);
  const contrast = random.uniform(0.35, 0.7);
  const brightness = random.uniform(0.5, 0.9);
  const layer = createLayer(focus > 0 ? size : size * 2);
  if (kind >= GROUNDS.length) foliage(layer, random, light, kind === GROUNDS.length);
  else paintGround(layer, GROUNDS[kind](random));
  soften(layer.color, contrast, brightness);
  const radius = focus > 0 ? Math.max(1, Math.round(focus * size)) : 0;
  return { ...layer, color: blur(layer.color, layer.side, 3, radius) };
}
