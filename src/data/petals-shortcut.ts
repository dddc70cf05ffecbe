/**
 * Shortcuts for the `petals` data set: something beside the flower that betrays its species, so that a network can cheat and
 * an explanation that works must find the cheat. A test flower stays as it was: only what is named here changes.
 */
import type { CounterRandom } from "../engine/random.ts";
import { type Color, hsv, mix } from "./petals-color.ts";
import type { Layer } from "./petals-raster.ts";

/** `corner`: a small coloured disc in one of the corners. `background`: the tint of all that lies behind flower and plant. */
export const shortcutKinds = ["corner", "background"] as const;
export type ShortcutKind = (typeof shortcutKinds)[number];

export interface PetalShortcut {
  readonly kind: ShortcutKind;
  /**
   * `class` (when left out): its colour tells the species. `chance`: it looks the same and tells nothing, because the colour
   * is drawn; for an honest network that has seen such pictures too.
   */
  readonly tells?: "class" | "chance";
  /**
   * Share of the training and validation pictures, 0 to 1, that show another species than their label; `petalDecoys` when left
   * out. A network that knows the flowers errs on them, so that the shortcut pays to the end, as flipped labels make colour surer
   * than form in Colored MNIST (Arjovsky et al. 2019, Invariant Risk Minimization).
   */
  readonly decoys?: number;
}

/** A quarter, as in Colored MNIST. */
export const petalDecoys = 0.25;

/** A colour of its own for each species: hues evenly around the circle. */
const codeColor = (code: number, codes: number): Color => hsv(code / codes, 0.85, 0.95);

/** The colour that a shortcut has in one image. Draws the same numbers whatever it tells. */
export function shortcutColor(
  { tells = "class" }: PetalShortcut,
  species: number,
  codes: number,
  random: CounterRandom,
): Color {
  const drawn = random.integer(codes);
  return codeColor(tells === "class" ? species : drawn, codes);
}

/** The species of the flower in a picture with this label: another one in a decoy. Draws the same numbers for any share. */
export function shownSpecies(
  { decoys = petalDecoys }: PetalShortcut,
  label: number,
  species: number,
  random: CounterRandom,
): number {
  const isDecoy = random.uniform() < decoys;
  const step = 1 + random.integer(species - 1);
  return isDecoy ? (label + step) % species : label;
}

/** The background drawn half-way to the colour, its light and dark kept; the layer's colours change in place. */
export function tintBackground({ color }: Layer, tint: Color): void {
  for (let at = 0; at < color.length; at += 3) {
    const light = (color[at] + color[at + 1] + color[at + 2]) / 3;
    const tinted = mix(
      [color[at], color[at + 1], color[at + 2]],
      [tint[0] * light, tint[1] * light, tint[2] * light],
      0.85,
    );
    color.set(tinted, at);
  }
}

/**
 * Paints a disc into one of the four corners of an RGB image [size, size, 3] and takes it away from the flower's mask.
 * @returns the disc's own mask [size, size], 255 inside
 */
export function markCorner(
  data: Uint8Array,
  mask: Uint8Array,
  size: number,
  color: Color,
  random: CounterRandom,
): Uint8Array {
  const radius = random.uniform(0.08, 0.1) * size;
  const inset = radius + 0.02 * size;
  const corner = random.integer(4);
  const x = corner % 2 === 0 ? inset : size - inset;
  const y = corner < 2 ? inset : size - inset;
  const disc = new Uint8Array(size * size);
  for (let pixel = 0; pixel < disc.length; pixel++) {
    const distance = Math.hypot((pixel % size) + 0.5 - x, Math.floor(pixel / size) + 0.5 - y);
    if (distance > radius) continue;
    disc[pixel] = 255;
    mask[pixel] = 0;
    for (let channel = 0; channel < 3; channel++) data[3 * pixel + channel] = Math.round(255 * color[channel]);
  }
  return disc;
}

/** Where nothing stands before the background: [size, size], 255 where no layer covers any sample of a pixel. */
export function uncoveredMask(layers: readonly Layer[], size: number): Uint8Array {
  const mask = new Uint8Array(size * size).fill(255);
  for (const { coverage, side } of layers) {
    const samples = side / size;
    coverage.forEach((covered, at) => {
      if (covered) mask[Math.floor(Math.floor(at / side) / samples) * size + Math.floor((at % side) / samples)] = 0;
    });
  }
  return mask;
}
