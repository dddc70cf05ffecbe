/**
 * `petals`: flowers the project draws itself, with the mask of the flower in each image.
 * Ten species that differ in form only; colour, surface, size, pose, background, light and occlusion are drawn from the
 * same distributions for all. Draws come from the counter generator, so an image depends on (seed, part, index, species,
 * size) and nothing else. Bytes repeat on one JavaScript engine; Math.sin and Math.exp may differ by a rounding on another.
 */
import { DataError } from "../engine/errors.ts";
import { CounterRandom } from "../engine/random.ts";
import { type Color, flowerColors, leafColor, scale } from "./petals-color.ts";
import { createLayer, drawSurface, type Layer, type Light, type Pose, rotate, type Vector } from "./petals-raster.ts";
import { blur, drawBackground, latticeNoise, valueNoise } from "./petals-scene.ts";
import {
  markCorner,
  type PetalShortcut,
  shortcutColor,
  shownSpecies,
  tintBackground,
  uncoveredMask,
} from "./petals-shortcut.ts";
import { SPECIES } from "./petals-species.ts";

export type PetalsPart = "train" | "validation" | "test";

export interface PetalOptions {
  seed: number;
  /** Number of the image in its part. */
  index: number;
  /** Index into `petalSpecies`: the picture's label, and its flower but for a decoy beside a shortcut. */
  species: number;
  /** Side of the square image in pixels, 16 to 1024; 64 when left out. */
  size?: number;
  /** Each part has its own stream of random numbers; "train" when left out. */
  part?: PetalsPart;
  /** False leaves the flower and its shadow out and keeps the rest. */
  flower?: boolean;
  /** Something beside the flower that betrays the species; none when left out. */
  shortcut?: PetalShortcut;
}

/** A flower as it was drawn, with what is where. */
export interface DrawnPetal {
  image: RgbImage;
  /** [size, size], 255 on the blossom. */
  mask: Uint8Array;
  /** [size, size], 255 on the shortcut, where one was asked for. */
  shortcutMask?: Uint8Array;
}

/** `data`: RGB bytes, row by row. */
export interface RgbImage {
  width: number;
  height: number;
  data: Uint8Array;
}

export interface PetalsSplit {
  /** [N, size, size, 3] */
  pixels: Uint8Array;
  /** [N, size, size], 255 on the flower and 0 elsewhere. */
  masks: Uint8Array;
  /** [N, size, size], 255 on the shortcut; only where the part has one. */
  shortcutMasks?: Uint8Array;
  /** [N] */
  labels: Int32Array;
  names: string[];
}

export interface PetalsDataset {
  classNames: string[];
  size: number;
  parts: Record<PetalsPart, PetalsSplit>;
}

export const petalSpecies: readonly string[] = SPECIES.map(({ name }) => name);

const STREAMS: Record<PetalsPart, number> = { train: 0, validation: 1, test: 2 };
/** The `op` of each group of draws: a species that draws more petals must not shift the colours. */
const OPS = {
  light: 1,
  colors: 2,
  pose: 3,
  background: 4,
  plant: 5,
  petals: 6,
  front: 7,
  shortcut: 8,
  decoy: 9,
} as const;
const FLAT: Pose["rotation"] = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];

interface Lamp extends Light {
  exposure: number;
  warmth: number;
  /** Strength and seed of the patches of shade that fall over everything. */
  dapple: number;
  dappleSeed: number;
  shadow: number;
  grain: number;
}

function drawLamp(random: CounterRandom): Lamp {
  const azimuth = random.uniform(0, 2 * Math.PI);
  const height = random.uniform(0.65, 1.35);
  return {
    direction: [Math.cos(azimuth) * Math.cos(height), Math.sin(azimuth) * Math.cos(height), Math.sin(height)],
    ambient: random.uniform(0.5, 0.7),
    exposure: random.uniform(1, 1.3),
    warmth: random.uniform(-0.1, 0.14),
    dapple: random.uniform() < 0.25 ? random.uniform(0.15, 0.35) : 0,
    dappleSeed: random.bits(),
    shadow: random.uniform(0.15, 0.55),
    grain: random.uniform(0.004, 0.02),
  };
}

/** Face-on flowers turn freely and tilt up to 32°; upright ones lean up to 30° and tilt a little. */
function drawPose(random: CounterRandom, upright: boolean): Pose {
  const diameter = random.uniform(0.68, 0.86);
  const room = (0.5 - diameter / 2) * 0.8;
  const [turn, tilt, axis] = [random.uniform(-1, 1), random.uniform(), random.uniform(0, 2 * Math.PI)];
  const spin = upright ? turn * 0.52 : turn * Math.PI;
  const lean = upright ? tilt * 0.25 : tilt ** 1.5 * 0.55;
  const [c, s] = [Math.cos(lean), Math.sin(lean)];
  const [ux, uy] = [Math.cos(axis), Math.sin(axis)];
  // Rodrigues' rotation about the in-plane axis (ux, uy, 0), after the spin in the flower's own plane.
  const tilted: [Vector, Vector, Vector] = [
    [c + ux * ux * (1 - c), ux * uy * (1 - c), uy * s],
    [ux * uy * (1 - c), c + uy * uy * (1 - c), -ux * s],
    [-uy * s, ux * s, c],
  ];
  const spun = (row: Vector): Vector => [
    row[0] * Math.cos(spin) + row[1] * Math.sin(spin),
    row[1] * Math.cos(spin) - row[0] * Math.sin(spin),
    row[2],
  ];
  return {
    x: 0.5 + random.uniform(-room, room),
    y: 0.5 + random.uniform(-room, room),
    radius: diameter / 2,
    rotation: [spun(tilted[0]), spun(tilted[1]), spun(tilted[2])],
  };
}

function leaf(
  layer: Layer,
  random: CounterRandom,
  light: Light,
  color: Color,
  pose: Pose,
  azimuth: number,
  width: number,
): void {
  const form = { base: [0, 0, 0], azimuth, elevation: random.uniform(-0.3, 0.3), length: 1, width } as const;
  const surface = {
    ...form,
    outline: { rise: 0.6, hold: 1.5, fall: 0.8 },
    cup: 0.5,
    bend: 0.3,
    depth: 0.8,
    tone: 1,
    phase: 0,
  };
  const paint = { petal: color, accent: scale(color, 1.4), pattern: "stripe", strength: 0.5, gradient: 0 } as const;
  drawSurface(layer, surface, paint, pose, light);
}

/** The stem from the flower to the lower edge, with leaves. */
function drawPlant(
  layer: Layer,
  random: CounterRandom,
  light: Light,
  pose: Pose,
  green: Color,
  upright: boolean,
): void {
  const down = upright ? rotate(pose.rotation, [0, 0.9, 0]) : ([0, 0, 0] as const);
  const foot: Pose = {
    x: pose.x + down[0] * pose.radius,
    y: pose.y + down[1] * pose.radius,
    radius: 1,
    rotation: FLAT,
  };
  const azimuth = Math.PI / 2 + random.normal() * (upright ? 0.12 : 0.35);
  const rod = { base: [0, 0, 0], azimuth, elevation: 0, length: 1.3, width: random.uniform(0.012, 0.022) } as const;
  const outline = { rise: 0.02, hold: 40, fall: 0.2 };
  const paint = { petal: green, accent: green, pattern: "plain", strength: 0, gradient: 0 } as const;
  drawSurface(layer, { ...rod, outline, cup: 0.5, bend: 0, depth: 0.8, tone: 1, phase: 0 }, paint, foot, light);
  for (let i = random.integer(3); i > 0; i--) {
    const along = random.uniform(0.1, 0.6);
    const at: Pose = {
      x: foot.x + Math.cos(azimuth) * along,
      y: foot.y + Math.sin(azimuth) * along,
      radius: random.uniform(0.2, 0.5),
      rotation: FLAT,
    };
    leaf(
      layer,
      random,
      light,
      scale(green, random.uniform(0.7, 1.15)),
      at,
      random.uniform(0, 2 * Math.PI),
      random.uniform(0.15, 0.35),
    );
  }
}

/** In three of twenty images a blade or a leaf crosses in front, off the flower's centre. */
function drawFront(layer: Layer, random: CounterRandom, light: Light, pose: Pose): void {
  if (random.uniform() > 0.15) return;
  const around = random.uniform(0, 2 * Math.PI);
  const distance = pose.radius * random.uniform(0.55, 0.95);
  const azimuth = random.uniform(0, 2 * Math.PI);
  const radius = random.uniform(0.7, 1.2);
  const at: Pose = {
    x: pose.x + Math.cos(around) * distance - Math.cos(azimuth) * radius * 0.55,
    y: pose.y + Math.sin(around) * distance - Math.sin(azimuth) * radius * 0.55,
    radius,
    rotation: FLAT,
  };
  leaf(layer, random, light, leafColor(random), at, azimuth, random.uniform(0.025, 0.07));
}

interface Layers {
  background: Layer;
  plant: Layer;
  flower: Layer;
  front: Layer;
  /** The share of shadow at each sample of the background; null where no flower throws one. */
  shade: Float32Array | null;
}

/** The flower's outline, moved away from the light and blurred, on the grid of the background. */
function castShadow(flower: Layer, side: number, pose: Pose, lamp: Lamp): Float32Array {
  const ratio = flower.side / side;
  const shift = (axis: 0 | 1) => lamp.direction[axis] * pose.radius * 0.25 * side;
  const inside = (x: number) => Math.min(Math.max(Math.floor(x * ratio), 0), flower.side - 1);
  const shade = new Float32Array(side * side);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const at = inside(row + 0.5 + shift(1)) * flower.side + inside(column + 0.5 + shift(0));
      shade[row * side + column] = flower.coverage[at] * lamp.shadow;
    }
  }
  return blur(shade, side, 1, Math.max(1, Math.round(side * 0.02)));
}

/** Adds the samples of one pixel to `sum` and returns how many of them show the blossom. */
function addSamples(layers: Layers, size: number, row: number, column: number, sum: Float64Array): number {
  const { background, plant, flower, front, shade } = layers;
  const samples = flower.side / size;
  const ratio = background.side / flower.side;
  let seen = 0;
  for (let y = row * samples; y < (row + 1) * samples; y++) {
    const behindRow = ((y * ratio) | 0) * background.side;
    for (let x = column * samples; x < (column + 1) * samples; x++) {
      const at = y * flower.side + x;
      const behind = behindRow + ((x * ratio) | 0);
      let colors = background.color;
      let offset = behind * 3;
      let light = shade ? 1 - shade[behind] : 1;
      if (front.coverage[at] || flower.coverage[at]) {
        colors = front.coverage[at] ? front.color : flower.color;
        if (colors === flower.color) seen++;
        offset = at * 3;
        light = 1;
      } else if (plant.coverage[at]) {
        colors = plant.color;
        offset = at * 3;
      }
      sum[0] += colors[offset] * light;
      sum[1] += colors[offset + 1] * light;
      sum[2] += colors[offset + 2] * light;
    }
  }
  return seen;
}

/** Averages the samples of each pixel and applies lamp and camera. */
function compose(layers: Layers, size: number, lamp: Lamp): { image: RgbImage; mask: Uint8Array } {
  const count = (layers.flower.side / size) ** 2;
  const data = new Uint8Array(size * size * 3);
  const mask = new Uint8Array(size * size);
  const tint = [1 + lamp.warmth, 1, 1 - lamp.warmth].map((channel) => (channel * lamp.exposure) / count);
  const sum = new Float64Array(3);
  for (let pixel = 0; pixel < size * size; pixel++) {
    const row = Math.floor(pixel / size);
    const column = pixel % size;
    sum.fill(0);
    if (addSamples(layers, size, row, column, sum) * 2 > count) mask[pixel] = 255;
    let dapple = 1;
    if (lamp.dapple > 0) {
      const patch = valueNoise(((column + 0.5) * 4) / size, ((row + 0.5) * 4) / size, lamp.dappleSeed);
      dapple -= lamp.dapple * Math.min(Math.max((patch - 0.35) * 4, 0), 1);
    }
    const noise = lamp.grain * (latticeNoise(column, row, lamp.dappleSeed ^ 0x55555555) * 2 - 1);
    for (let c = 0; c < 3; c++) {
      const value = sum[c] * tint[c] * dapple + noise;
      data[pixel * 3 + c] = Math.round(Math.min(Math.max(value, 0), 1) * 255);
    }
  }
  return { image: { width: size, height: size, data }, mask };
}

function checkOptions(size: number, species: number): void {
  if (!(Number.isInteger(size) && size >= 16 && size <= 1024)) {
    throw new DataError(`petals needs a whole image size from 16 to 1024 pixels, got ${size}; pass --size 64`);
  }
  if (!SPECIES[species]) {
    throw new DataError(
      `petals has the species 0 to ${SPECIES.length - 1}, got ${species}; use an index into petalSpecies`,
    );
  }
}

/**
 * Draws one flower: an RGB image [size, size, 3] and its mask [size, size], 255 where the blossom covers most of a pixel
 * (stem, leaves and what hides the blossom are not part of it). Throws DataError for an unknown species or size.
 */
export function renderPetal(options: PetalOptions): DrawnPetal {
  const { seed, index, species, size = 64, part = "train", flower: visible = true, shortcut } = options;
  checkOptions(size, species);
  const random = (op: number) => new CounterRandom(seed, STREAMS[part], index, op);
  const misled = shortcut && part !== "test";
  const shown = misled ? shownSpecies(shortcut, species, SPECIES.length, random(OPS.decoy)) : species;
  const { upright, draw } = SPECIES[shown];
  const lamp = drawLamp(random(OPS.light));
  const colors = flowerColors(random(OPS.colors));
  const pose = drawPose(random(OPS.pose), upright);
  const side = size * (size > 128 ? 2 : 3);
  const [plant, flower, front] = [createLayer(side), createLayer(side), createLayer(side)];
  const background = drawBackground(size, random(OPS.background), lamp);
  const code = random(OPS.shortcut);
  const color = shortcut && shortcutColor(shortcut, species, SPECIES.length, code);
  if (color && shortcut.kind === "background") tintBackground(background, color);
  drawPlant(plant, random(OPS.plant), lamp, pose, colors.green, upright);
  if (visible) draw({ layer: flower, pose, light: lamp, colors, random: random(OPS.petals) });
  drawFront(front, random(OPS.front), lamp, pose);
  const shade = visible ? castShadow(flower, background.side, pose, lamp) : null;
  const drawn = compose({ background, plant, flower, front, shade }, size, lamp);
  if (!color) return drawn;
  const shortcutMask =
    shortcut.kind === "corner"
      ? markCorner(drawn.image.data, drawn.mask, size, color, code)
      : uncoveredMask([plant, flower, front], size);
  return { ...drawn, shortcutMask };
}

/** The name of image `index` of a part; it shows species `index` mod 10. */
export const petalName = (part: PetalsPart, index: number): string =>
  `${part}/${String(index).padStart(5, "0")}-${petalSpecies[index % SPECIES.length]}`;

interface SplitSettings {
  seed: number;
  size: number;
  perClass: number;
  shortcut?: PetalShortcut;
  onImage: () => void;
}

function renderSplit(part: PetalsPart, { seed, size, perClass, shortcut, onImage }: SplitSettings): PetalsSplit {
  const count = perClass * SPECIES.length;
  const pixels = new Uint8Array(count * size * size * 3);
  const masks = new Uint8Array(count * size * size);
  const shortcutMasks = shortcut && new Uint8Array(masks.length);
  const labels = Int32Array.from({ length: count }, (_, index) => index % SPECIES.length);
  const names: string[] = [];
  for (let index = 0; index < count; index++) {
    const { image, mask, shortcutMask } = renderPetal({ seed, part, index, species: labels[index], size, shortcut });
    pixels.set(image.data, index * image.data.length);
    masks.set(mask, index * mask.length);
    if (shortcutMask) shortcutMasks?.set(shortcutMask, index * mask.length);
    onImage();
    names.push(petalName(part, index));
  }
  return { pixels, masks, ...(shortcutMasks ? { shortcutMasks } : {}), labels, names };
}

/**
 * The data set: image `index` of a part shows species `index` mod 10, so parts are balanced and a larger one begins with
 * the smaller. Throws DataError for a count that is not a whole number from 0, or an impossible size.
 */
export function petalsDataset({
  seed,
  size = 64,
  perClass,
  shortcut,
  onImage = () => {},
}: {
  seed: number;
  size?: number;
  perClass: Record<PetalsPart, number>;
  /**
   * What betrays the label in every part. With `tells: "chance"` the same flowers are drawn, for an honest network to learn from;
   * without it the same test flowers.
   */
  shortcut?: PetalShortcut;
  /** Called after each image. */
  onImage?: () => void;
}): PetalsDataset {
  checkOptions(size, 0);
  const split = (part: PetalsPart) => {
    const count = perClass[part];
    if (!(Number.isInteger(count) && count >= 0)) {
      throw new DataError(`petals needs a whole number of images per class, got ${count} for ${part}; pass 0 or more`);
    }
    return renderSplit(part, { seed, size, perClass: count, shortcut, onImage });
  };
  return {
    classNames: [...petalSpecies],
    size,
    parts: { train: split("train"), validation: split("validation"), test: split("test") },
  };
}
