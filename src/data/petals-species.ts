/** The ten species of the `petals` data set. Form alone tells them: each gets its colours, pose and light from outside. */
import type { CounterRandom } from "../engine/random.ts";
import { type Color, type FlowerColors, mix, scale } from "./petals-color.ts";
import {
  drawBall,
  drawSurface,
  type Layer,
  type Light,
  type Outline,
  type Paint,
  type Pose,
  type Surface,
  type Vector,
} from "./petals-raster.ts";

/** What a species draws with. Lengths are in units of the flower's radius; the form should just fill the unit circle. */
export interface Brush {
  layer: Layer;
  pose: Pose;
  light: Light;
  colors: FlowerColors;
  random: CounterRandom;
}

/** `upright`: seen from the side, standing on its stem. */
export interface Species {
  name: string;
  upright: boolean;
  draw: (brush: Brush) => void;
}

const TURN = 2 * Math.PI;
const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));
const POINTED: Outline = { rise: 0.7, hold: 1.6, fall: 0.8 };
const LANCE: Outline = { rise: 0.6, hold: 1.3, fall: 1 };
const ROUND: Outline = { rise: 0.6, hold: 5, fall: 0.5 };
const STRAP: Outline = { rise: 0.25, hold: 9, fall: 0.5 };
const ROD: Outline = { rise: 0.02, hold: 40, fall: 0.2 };

type Petal = Pick<Surface, "azimuth" | "length" | "width" | "outline"> & Partial<Surface>;

/** Draws a petal whose light and place vary a little, as in nature. */
function petal({ layer, pose, light, colors, random }: Brush, form: Petal, paint: Paint = colors): void {
  const surface: Surface = {
    base: [0, 0, 0],
    elevation: random.uniform(-0.05, 0.15),
    cup: 0.35,
    bend: -0.35,
    depth: 0.68,
    tone: random.uniform(0.9, 1.06),
    phase: random.uniform(0, TURN),
    ...form,
  };
  surface.azimuth += random.normal() * 0.03;
  surface.length *= random.uniform(0.95, 1.03);
  drawSurface(layer, surface, paint, pose, light);
}

/** `count` petals around the centre, the first at `start`. */
function ring(brush: Brush, count: number, start: number, form: Omit<Petal, "azimuth">): void {
  for (let i = 0; i < count; i++) petal(brush, { ...form, azimuth: start + (i * TURN) / count });
}

const solid = (color: Color): Paint => ({ petal: color, accent: color, pattern: "plain", strength: 0, gradient: 0 });

function rod(brush: Brush, base: Vector, azimuth: number, length: number, width: number, color: Color): void {
  petal(brush, { base, azimuth, elevation: 0, length, width, outline: ROD, depth: 1, bend: 0 }, solid(color));
}

function ball(brush: Brush, center: Vector, radius: number, color: Color): void {
  drawBall(brush.layer, center, radius, color, brush.pose, brush.light);
}

/** A disc of small grains in the order of a sunflower's seeds (Vogel 1979). */
function grains(brush: Brush, radius: number, count: number, size: number, color: Color): void {
  const { random } = brush;
  ball(brush, [0, 0, 0.02], radius, scale(color, 0.85));
  for (let i = count; i > 0; i--) {
    const r = radius * Math.sqrt(i / count) * 0.95;
    const at = i * GOLDEN_ANGLE;
    const height = 0.5 * (radius - (r * r) / radius);
    const tone = scale(color, random.uniform(0.9, 1.06));
    ball(brush, [r * Math.cos(at), r * Math.sin(at), height], size, tone);
  }
}

/** Filaments with anthers. */
function stamens(brush: Brush, count: number, length: number, start: number, anther: number): void {
  const { random, colors } = brush;
  for (let i = 0; i < count; i++) {
    const azimuth = start + ((i + random.uniform(-0.15, 0.15)) * TURN) / count;
    const reach = length * random.uniform(0.85, 1.1);
    rod(brush, [0, 0, 0.05], azimuth, reach, 0.018, mix(colors.heart, [1, 1, 1], 0.4));
    ball(brush, [reach * Math.cos(azimuth), reach * Math.sin(azimuth), 0.06], anther, colors.anther);
  }
}

/** Three broad pointed petals over three narrow green sepals. */
function drawTrillium(brush: Brush): void {
  const { random, colors } = brush;
  const width = random.uniform(0.38, 0.47);
  for (let i = 0; i < 3; i++) {
    petal(brush, { azimuth: ((i + 0.5) * TURN) / 3, length: 0.92, width: 0.16, outline: LANCE }, solid(colors.green));
  }
  ring(brush, 3, 0, { length: 1, width, outline: POINTED });
  stamens(brush, 6, 0.17, 0, 0.05);
  ball(brush, [0, 0, 0.08], 0.07, colors.heart);
}

/** Four broad round petals, two over two, around a crown of many stamens. */
function drawPoppy(brush: Brush): void {
  const { random, colors } = brush;
  const outline: Outline = { rise: 0.55, hold: 7, fall: 0.5, ruffle: 0.035, waves: 9 };
  const form = { length: 0.98, width: random.uniform(0.66, 0.76), outline, elevation: random.uniform(0.05, 0.35) };
  ring(brush, 2, 0, form);
  ring(brush, 2, TURN / 4, { ...form, length: 0.9 });
  ball(brush, [0, 0, 0.02], 0.36, scale(colors.heart, 0.35));
  stamens(brush, 22, random.uniform(0.34, 0.42), 0, 0.045);
  ball(brush, [0, 0, 0.08], 0.16, colors.green);
  for (let i = 0; i < 8; i++) rod(brush, [0, 0, 0.2], (i * TURN) / 8, 0.12, 0.012, scale(colors.green, 0.5));
}

/** Five heart-shaped petals with a small eye. */
function drawPrimrose(brush: Brush): void {
  const { random, colors } = brush;
  const outline: Outline = { rise: 0.95, hold: 5, fall: 0.45, notch: random.uniform(0.22, 0.28) };
  ring(brush, 5, 0, { length: 1.06, width: random.uniform(0.38, 0.43), outline });
  for (let i = 0; i < 5; i++) {
    petal(brush, { azimuth: (i * TURN) / 5, length: 0.42, width: 0.1, outline: LANCE }, solid(colors.heart));
  }
  ball(brush, [0, 0, 0.03], 0.07, scale(colors.green, 0.9));
}

/** Six slender recurved petals, three over three, and six long stamens. */
function drawLily(brush: Brush): void {
  const { random, colors } = brush;
  const form = { length: 1, outline: LANCE, bend: -0.7, cup: 0.5 };
  const width = random.uniform(0.17, 0.21);
  ring(brush, 3, TURN / 6, { ...form, width: width * 0.85 });
  ring(brush, 3, 0, { ...form, width });
  stamens(brush, 6, random.uniform(0.45, 0.55), TURN / 12, 0.075);
  rod(brush, [0, 0, 0.05], random.uniform(0, TURN), 0.5, 0.03, colors.green);
}

/** Many narrow blunt rays around a broad grainy disc. */
function drawDaisy(brush: Brush): void {
  const { random, colors } = brush;
  const count = 12 + random.integer(6);
  const width = random.uniform(1.75, 2.1) / count;
  ring(brush, count, 0, { length: 0.97, width, outline: STRAP, depth: 0.9 });
  grains(brush, random.uniform(0.36, 0.43), 90, 0.025, scale(colors.heart, 0.8));
}

/** A full dome of pointed petals in spirals, without a disc. */
function drawDahlia(brush: Brush): void {
  const { random } = brush;
  const count = 64 + random.integer(24);
  const start = random.uniform(0, TURN);
  for (let i = 0; i < count; i++) {
    const inward = i / count;
    const length = 1 - 0.8 * inward;
    const form = { azimuth: start + i * GOLDEN_ANGLE, length, width: 0.05 + 0.07 * length, outline: LANCE };
    petal(brush, { ...form, elevation: 0.05 + inward * 0.9, depth: 0.15, base: [0, 0, inward * 0.12] });
  }
}

/** Broad round petals wound into a spiral that closes at the heart. */
function drawRose(brush: Brush): void {
  const { random, colors } = brush;
  const count = 13;
  const step = GOLDEN_ANGLE + random.uniform(-0.03, 0.03);
  const outline: Outline = { rise: 0.55, hold: 4, fall: 0.5, ruffle: 0.02, waves: 4 };
  ring(brush, 5, 0, { length: 1, width: 0.66, outline, depth: 0.3 });
  for (let i = 0; i < count; i++) {
    const inward = i / count;
    const length = 0.92 - 0.78 * inward ** 0.9;
    petal(brush, { azimuth: i * step, length, width: length * 0.8, outline, depth: 0.3, cup: 0.3, elevation: 0.05 });
  }
  // The wound bud: shrinking discs pushed around the centre leave crescents.
  for (let i = 0; i < 7; i++) {
    const radius = 0.2 - i * 0.025;
    const shift = 0.035 * (1 - i / 7);
    const at = i * step;
    const tone = scale(mix(colors.petal, colors.accent, colors.gradient * 0.6), i % 2 ? 0.55 : 0.9);
    ball(brush, [shift * Math.cos(at), shift * Math.sin(at), 0], radius, tone);
  }
}

/** A cup from the side: overlapping upright petals that end in points. */
function drawTulip(brush: Brush): void {
  const { random } = brush;
  const outline: Outline = { rise: 0.42, hold: 2.6, fall: 0.75 };
  const up = -TURN / 4;
  const open = random.uniform(0.16, 0.34);
  const base: Vector = [0, 0.95, 0];
  const form = { base, elevation: 0, outline, cup: 0.6 };
  for (const side of [-1, 1])
    petal(brush, { ...form, azimuth: up + side * open * 0.5, length: 1.85, width: 0.4, tone: 0.72 });
  for (const side of [-1, 1]) petal(brush, { ...form, azimuth: up + side * open, length: 1.9, width: 0.46 });
  petal(brush, { ...form, azimuth: up + random.uniform(-0.08, 0.08), length: 1.68, width: 0.54, tone: 1.05 });
}

/** A small five-lobed floret around `center`. */
function floret(brush: Brush, center: Vector, radius: number): void {
  const start = brush.random.uniform(0, TURN);
  const form = { base: center, length: radius, width: radius * 0.48, outline: ROUND, depth: 0.75 };
  const tone = brush.random.uniform(0.8, 1.08);
  ring(brush, 5, start, { ...form, tone });
  ball(brush, [center[0], center[1], center[2] + 0.02], radius * 0.3, brush.colors.heart);
}

/** An umbel: many small florets on spokes that leave one point. */
function drawAllium(brush: Brush): void {
  const { random, colors } = brush;
  const count = 15 + random.integer(6);
  const size = random.uniform(0.17, 0.19);
  const start = random.uniform(0, TURN);
  const places = Array.from({ length: count }, (_, i) => {
    const r = 0.84 * Math.sqrt((count - i - 0.3) / count);
    return { r, at: start + i * GOLDEN_ANGLE + random.uniform(-0.1, 0.1), height: 0.55 * Math.sqrt(1 - r * r) };
  });
  for (const { r, at } of places) rod(brush, [0, 0, 0], at, r, 0.016, colors.green);
  for (const { r, at, height } of places) floret(brush, [r * Math.cos(at), r * Math.sin(at), height], size);
}

/** A spike: bells in whorls along an upright stem, smaller towards the tip. */
function drawLupin(brush: Brush): void {
  const { random, colors } = brush;
  const whorls = 7 + random.integer(3);
  rod(brush, [0, 1, 0], -TURN / 4, 1.85, 0.035, colors.green);
  const bell: Outline = { rise: 0.5, hold: 4, fall: 0.45 };
  for (let i = whorls - 1; i >= 0; i--) {
    const up = i / (whorls - 1);
    const reach = 0.48 - 0.34 * up;
    const y = 0.8 - 1.66 * up;
    for (const side of [-1, 1, -0.45, 0.45]) {
      const azimuth = TURN / 4 - side * (1.25 - 0.3 * up);
      const tone = Math.abs(side) === 1 ? 0.88 : 1.04;
      const size = { length: reach * (Math.abs(side) === 1 ? 1 : 0.62), width: 0.15 - 0.07 * up };
      petal(brush, { ...size, base: [side * 0.03, y, 0], azimuth, elevation: 0, outline: bell, tone, depth: 0.6 });
    }
    petal(brush, { base: [0, y, 0], azimuth: TURN / 4, length: reach * 0.5, width: 0.13 - 0.06 * up, outline: bell });
  }
}

export const SPECIES: readonly Species[] = [
  { name: "trillium", upright: false, draw: drawTrillium },
  { name: "poppy", upright: false, draw: drawPoppy },
  { name: "primrose", upright: false, draw: drawPrimrose },
  { name: "lily", upright: false, draw: drawLily },
  { name: "daisy", upright: false, draw: drawDaisy },
  { name: "dahlia", upright: false, draw: drawDahlia },
  { name: "rose", upright: false, draw: drawRose },
  { name: "tulip", upright: true, draw: drawTulip },
  { name: "allium", upright: false, draw: drawAllium },
  { name: "lupin", upright: true, draw: drawLupin },
];
