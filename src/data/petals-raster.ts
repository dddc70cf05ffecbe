/** Drawing of the `petals` data set: curved leaf-like surfaces in three dimensions, painted back to front into a supersampled layer. */
import type { Color, FlowerColors, Pattern } from "./petals-color.ts";

export type Vector = readonly [number, number, number];

/** A square of opaque samples; `side` is the image size times the supersampling. Colours are three floats a sample. */
export interface Layer {
  side: number;
  color: Float32Array;
  coverage: Uint8Array;
}

export function createLayer(side: number): Layer {
  return { side, color: new Float32Array(side * side * 3), coverage: new Uint8Array(side * side) };
}

/** Light: a direction towards the lamp in image axes (x right, y down, z to the viewer), and the share that comes from everywhere. */
export interface Light {
  direction: Vector;
  ambient: number;
}

/** Where a flower stands: its centre and radius in units of the image's side, and the rotation from its axes to the image's. */
export interface Pose {
  x: number;
  y: number;
  radius: number;
  rotation: readonly [Vector, Vector, Vector];
}

/**
 * The outline of a petal: half width at t (0 base, 1 tip) is proportional to t^rise · (1 − t^hold)^fall, with greatest value 1.
 * `notch` cuts the tip in the middle; `ruffle` and `waves` make the tip's edge wavy.
 */
export interface Outline {
  rise: number;
  hold: number;
  fall: number;
  notch?: number;
  ruffle?: number;
  waves?: number;
}

/** One surface, in units of the flower's radius. `azimuth` and `elevation` (radians) say where it points; `width` is half its breadth. */
export interface Surface {
  base: Vector;
  azimuth: number;
  elevation: number;
  length: number;
  width: number;
  outline: Outline;
  /** How round it is across, and how it bends along; these change the light only. */
  cup: number;
  bend: number;
  /** Brightness at the base relative to the tip; below 1 for surfaces that sit deep. */
  depth: number;
  tone: number;
  phase: number;
}

/** The colours of a surface; `pattern` is drawn with `accent`. */
export type Paint = Pick<FlowerColors, "petal" | "accent" | "strength" | "gradient"> & { pattern: Pattern };

const PROFILE_STEPS = 96;
const profiles = new Map<string, Float32Array>();

function profileOf({ rise, hold, fall }: Outline): Float32Array {
  const key = `${rise} ${hold} ${fall}`;
  const known = profiles.get(key);
  if (known) return known;
  const values = Float32Array.from({ length: PROFILE_STEPS + 2 }, (_, i) => {
    const t = Math.min(i / PROFILE_STEPS, 1);
    return t ** rise * (1 - t ** hold) ** fall;
  });
  const most = values.reduce((a, b) => Math.max(a, b), 0);
  const profile = values.map((value) => value / most);
  profiles.set(key, profile);
  return profile;
}

export function rotate(rotation: Pose["rotation"], v: Vector): Vector {
  const row = (r: Vector) => r[0] * v[0] + r[1] * v[1] + r[2] * v[2];
  return [row(rotation[0]), row(rotation[1]), row(rotation[2])];
}

const smooth = (low: number, high: number, x: number) => {
  const t = Math.min(Math.max((x - low) / (high - low), 0), 1);
  return t * t * (3 - 2 * t);
};

/** 0 to 1: how much of the accent shows at (t along, e from −1 to 1 across). */
function accentShare(paint: Paint, t: number, e: number, phase: number): number {
  if (paint.petal === paint.accent) return 0;
  const across = Math.abs(e);
  let share = paint.gradient * (1 - smooth(0.05, 0.75, t));
  if (paint.pattern === "veins")
    share += paint.strength * 0.8 * smooth(0.55, 0.95, Math.cos(e * 16)) * smooth(1, 0.4, t);
  else if (paint.pattern === "stripe") share += paint.strength * smooth(0.3, 0.12, across) * smooth(1, 0.7, t);
  else if (paint.pattern === "margin") share += paint.strength * smooth(0.55, 0.9, Math.max(across, t));
  else if (paint.pattern === "throat") share += paint.strength * smooth(0.5, 0.34, t);
  else if (paint.pattern === "spots") {
    const dots = Math.sin(t * 21 + phase) * Math.sin(e * 7 + phase * 3 + Math.floor(t * 6.7) * 1.9);
    share += paint.strength * smooth(0.35, 0.6, dots) * smooth(0.95, 0.7, t);
  }
  return Math.min(share, 1);
}

/** The two image vectors of a surface, the determinant of their matrix, and the rows it can touch; null when seen edge on. */
function project(surface: Surface, pose: Pose, side: number) {
  const { azimuth, elevation } = surface;
  const along: Vector = [
    Math.cos(azimuth) * Math.cos(elevation),
    Math.sin(azimuth) * Math.cos(elevation),
    Math.sin(elevation),
  ];
  const across: Vector = [-Math.sin(azimuth), Math.cos(azimuth), 0];
  const normal: Vector = [
    -Math.sin(elevation) * Math.cos(azimuth),
    -Math.sin(elevation) * Math.sin(azimuth),
    Math.cos(elevation),
  ];
  const [a3, b3, n3] = [along, across, normal].map((v) => rotate(pose.rotation, v));
  const base = rotate(pose.rotation, surface.base);
  const unit = pose.radius * side;
  const a = [a3[0] * surface.length * unit, a3[1] * surface.length * unit];
  const b = [b3[0] * surface.width * unit, b3[1] * surface.width * unit];
  const determinant = a[0] * b[1] - a[1] * b[0];
  if (Math.abs(determinant) < 1e-3) return null;
  const origin = [pose.x * side + base[0] * unit, pose.y * side + base[1] * unit];
  const reach = 1 + (surface.outline.ruffle ?? 0);
  const start = origin[1] + Math.min(0, a[1] * reach) - Math.abs(b[1]);
  const end = origin[1] + Math.max(0, a[1] * reach) + Math.abs(b[1]);
  const rows = [Math.max(0, Math.floor(start)), Math.min(side - 1, Math.ceil(end))];
  return { a3, b3, n3, a, b, determinant, origin, reach, rows };
}

/** The x for which low ≤ slope · x + offset ≤ high. */
function between(slope: number, offset: number, low: number, high: number): [number, number] {
  if (slope === 0) return offset >= low && offset <= high ? [-Infinity, Infinity] : [Infinity, -Infinity];
  const [first, second] = [(low - offset) / slope, (high - offset) / slope];
  return first < second ? [first, second] : [second, first];
}

const dot = (a: Vector, b: Vector) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

/** Paints one surface over what the layer holds. */
export function drawSurface(layer: Layer, surface: Surface, paint: Paint, pose: Pose, light: Light): void {
  const seen = project(surface, pose, layer.side);
  if (!seen) return;
  const { a, b, determinant, origin, reach, rows } = seen;
  const profile = profileOf(surface.outline);
  const { notch = 0, ruffle = 0, waves = 0 } = surface.outline;
  // The viewer sees the back of a surface that faces away; it is lit from its own side.
  const facing = seen.n3[2] < 0 ? -1 : 1;
  const flat = dot(seen.n3, light.direction) * facing;
  const roll = dot(seen.b3, light.direction) * surface.cup;
  const pitch = dot(seen.a3, light.direction) * surface.bend;
  for (let row = rows[0]; row <= rows[1]; row++) {
    const dy = row + 0.5 - origin[1];
    // Only the columns inside the parallelogram |v| ≤ 1, 0 ≤ t ≤ reach: most of a slanted blade's box is empty.
    const across = between(-a[1] / determinant, (a[0] * dy) / determinant, -1, 1);
    const along = between(b[1] / determinant, (-dy * b[0]) / determinant, 0, reach);
    const first = Math.max(0, Math.floor(origin[0] + Math.max(across[0], along[0]) - 0.5));
    const last = Math.min(layer.side - 1, Math.ceil(origin[0] + Math.min(across[1], along[1])));
    for (let column = first; column <= last; column++) {
      const dx = column + 0.5 - origin[0];
      const v = (a[0] * dy - a[1] * dx) / determinant;
      let t = (dx * b[1] - dy * b[0]) / determinant;
      if (notch) t /= 1 - notch * Math.exp(-40 * v * v);
      if (ruffle) t /= 1 + ruffle * Math.sin(v * waves + surface.phase);
      if (!(t >= 0 && t < 1)) continue;
      const half = profile[Math.round(t * PROFILE_STEPS)];
      if (!(Math.abs(v) < half)) continue;
      const e = v / half;
      const lit = light.ambient + (1 - light.ambient) * Math.max(0, flat + roll * e + pitch * (t - 0.4));
      const deep = surface.depth + (1 - surface.depth) * smooth(0, 0.55, t);
      // A darker rim parts overlapping petals of one colour.
      const rim = 1 - 0.3 * smooth(0.72, 1, Math.max(Math.abs(e), t));
      const shade = lit * deep * rim * surface.tone;
      const share = accentShare(paint, t, e, surface.phase);
      const at = row * layer.side + column;
      layer.coverage[at] = 1;
      for (let c = 0; c < 3; c++) {
        layer.color[at * 3 + c] = (paint.petal[c] + (paint.accent[c] - paint.petal[c]) * share) * shade;
      }
    }
  }
}

/** Paints a ball (radius in units of the flower's) with a light spot. */
export function drawBall(layer: Layer, center: Vector, radius: number, color: Color, pose: Pose, light: Light): void {
  const moved = rotate(pose.rotation, center);
  const unit = pose.radius * layer.side;
  const x = pose.x * layer.side + moved[0] * unit;
  const y = pose.y * layer.side + moved[1] * unit;
  const reach = radius * unit;
  const [dx, dy, dz] = light.direction;
  for (let row = Math.max(0, Math.floor(y - reach)); row <= Math.min(layer.side - 1, y + reach); row++) {
    for (let column = Math.max(0, Math.floor(x - reach)); column <= Math.min(layer.side - 1, x + reach); column++) {
      const u = (column + 0.5 - x) / reach;
      const v = (row + 0.5 - y) / reach;
      const rest = 1 - u * u - v * v;
      if (!(rest > 0)) continue;
      const shade = light.ambient + (1 - light.ambient) * Math.max(0, u * dx + v * dy + Math.sqrt(rest) * dz);
      const at = row * layer.side + column;
      layer.coverage[at] = 1;
      for (let c = 0; c < 3; c++) layer.color[at * 3 + c] = color[c] * shade;
    }
  }
}
