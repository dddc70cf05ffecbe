/**
 * The five severities of each family as the settings that Hendrycks and Dietterich (ICLR 2019, "Benchmarking neural network
 * robustness to common corruptions and perturbations") published for ImageNet at 224 pixels and for CIFAR-10 at 32. Where a
 * family is drawn here in another way (frost, spatter), the settings give the same strength.
 */
import { DataError } from "../../engine/errors.ts";
import type { ImageSize } from "../images.ts";

export const severities = [1, 2, 3, 4, 5] as const;
export type Severity = (typeof severities)[number];

/** One setting at the five severities, for small pictures and for large ones. */
export interface SettingScale {
  readonly small: readonly number[];
  readonly large: readonly number[];
  /** In pixels: it grows with pictures beyond 224. */
  readonly isLength?: boolean;
  readonly help: string;
}

export type SettingScales = Readonly<Record<string, SettingScale>>;
export type SettingsOf<S extends SettingScales> = { readonly [K in keyof S]: number };

const smallEdge = 32;
const largeEdge = 224;

/** The edge of the square of the same area. */
export const edgeOf = ({ height, width }: ImageSize): number => Math.sqrt(height * width);

/**
 * The settings for pictures of a size: between 32 and 224 pixels interpolated along the logarithm of the edge, outside as at
 * the nearer end, lengths in proportion.
 * @throws DataError for a severity other than 1 to 5
 */
export function settingsAt<S extends SettingScales>(scales: S, severity: number, size: ImageSize): SettingsOf<S> {
  if (!severities.includes(severity as Severity))
    throw new DataError(`expected a severity of ${severities.join(", ")}, found ${severity}`);
  const edge = edgeOf(size);
  const place = Math.min(Math.max(Math.log(edge / smallEdge) / Math.log(largeEdge / smallEdge), 0), 1);
  const growth = edge > largeEdge ? edge / largeEdge : Math.min(edge / smallEdge, 1);
  const entries = Object.entries(scales).map(([name, { small, large, isLength }]) => {
    const value = small[severity - 1] + place * (large[severity - 1] - small[severity - 1]);
    return [name, isLength ? value * growth : value];
  });
  return Object.fromEntries(entries) as SettingsOf<S>;
}
