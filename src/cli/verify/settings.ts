import { ShapeError } from "../../engine/errors.ts";
import { samePadding, type Window } from "../../engine/ops/convGeometry.ts";
import type { Shape } from "../../engine/types.ts";

export type Padding = "same" | "valid" | number;

/** What the description of a case says about its op. */
export interface Settings {
  readonly kernel?: readonly [number, number];
  readonly strides?: readonly [number, number];
  readonly padding?: Padding;
  readonly epsilon?: number;
  readonly axes?: readonly number[];
}

type Reader = readonly [pattern: RegExp, read: (match: RegExpExecArray) => Settings];

const pair = (first: string, second = first): [number, number] => [Number(first), Number(second)];

const readers: readonly Reader[] = [
  [/^k(?:ernel)?(\d+)(?:x(\d+))?$/, ([, a, b]) => ({ kernel: pair(a, b) })],
  [/^s(?:trides?)?(\d+)(?:x(\d+))?$/, ([, a, b]) => ({ strides: pair(a, b) })],
  [/^(?:p|pad|padding)?(same|valid)$/, ([, mode]) => ({ padding: mode as Padding })],
  [/^(?:p|pad|padding)(\d+)$/, ([, zeros]) => ({ padding: Number(zeros) })],
  [/^eps(?:ilon)?(\d.*)$/, ([, value]) => ({ epsilon: Number(value) })],
  [/^ax[ei]s(-?\d+(?:[x,]-?\d+)*)$/, ([, list]) => ({ axes: list.split(/[x,]/).map(Number) })],
];

/** Settings that no op here has; a description that asks for them must not be run as if it did not. */
const refused = /^(?:d|dil|dilations?|g|groups?)(\d+)(?:x(\d+))?$/;

/**
 * Reads `k3_s2_same`, `kernel5`, `stride2x1`, `valid`, `p1`, `eps1e-3`, `axis1`; other words, such as shapes, say nothing.
 * @throws ShapeError for a dilation or groups.
 */
export function readSettings(description: string): Settings {
  let settings: Settings = {};
  for (const word of description.toLowerCase().split(/[_/\s]+/)) {
    const foreign = refused.exec(word);
    if (foreign && (foreign[1] !== "1" || (foreign[2] ?? "1") !== "1"))
      throw new ShapeError(`expected no dilation or groups, found "${word}" in the name; these ops have none`);
    for (const [pattern, read] of readers) {
      const match = pattern.exec(word);
      if (match) settings = { ...settings, ...read(match) };
    }
  }
  return settings;
}

/** Zeros before and after one axis. */
function zerosOf(padding: Padding, size: number, kernel: number, stride: number): [number, number] {
  if (padding === "same") return samePadding(size, kernel, stride);
  return padding === "valid" ? [0, 0] : [padding, padding];
}

const outputsOf = (size: number, kernel: number, stride: number, [before, after]: [number, number]): number =>
  Math.floor((size + before + after - kernel) / stride) + 1;

const steps = (size: number): number[] => Array.from({ length: Math.max(1, size) }, (_, index) => index + 1);

/** Tells readings apart; the stride along an axis with one output has no effect. */
const effectOf = ({ strides, padding }: Window, [, height, width]: Shape): string =>
  [height === 1 ? 1 : strides[0], width === 1 ? 1 : strides[1], ...padding].join();

/**
 * Every window that the settings allow and that takes images [N, H, W, C] to the output's height and width: one where the
 * description says stride and padding, otherwise all with equal strides (or, when there is none, any strides).
 */
export function windowsFor(image: Shape, kernel: readonly [number, number], output: Shape, settings: Settings) {
  const { strides, padding } = settings;
  const modes: readonly Padding[] = padding === undefined ? ["same", "valid"] : [padding];
  const found = new Map<string, { window: Window; reading: string }>();
  const consider = (down: number, across: number, mode: Padding): void => {
    const vertical = zerosOf(mode, image[1], kernel[0], down);
    const horizontal = zerosOf(mode, image[2], kernel[1], across);
    const fits =
      outputsOf(image[1], kernel[0], down, vertical) === output[1] &&
      outputsOf(image[2], kernel[1], across, horizontal) === output[2];
    if (!fits) return;
    const window: Window = { strides: [down, across], padding: [...vertical, ...horizontal] };
    const effect = effectOf(window, output);
    if (!found.has(effect)) found.set(effect, { window, reading: `stride ${down}×${across}, padding ${mode}` });
  };
  for (const mode of modes) {
    if (strides) consider(strides[0], strides[1], mode);
    else for (const step of steps(Math.max(image[1], image[2]))) consider(step, step, mode);
  }
  if (found.size === 0 && !strides)
    for (const mode of modes)
      for (const down of steps(image[1])) for (const across of steps(image[2])) consider(down, across, mode);
  if (found.size === 0)
    throw new ShapeError(
      `no stride and padding that the name allows take ${image[1]}×${image[2]} to ${output[1]}×${output[2]} with a ${kernel[0]}×${kernel[1]} kernel; check the name and out`,
    );
  return [...found.values()];
}
