import type { PhotometricStep } from "../../engine/ops/photometric.ts";
import type { CounterRandom } from "../../engine/random.ts";
import type { ImageSize } from "../images.ts";
import type { Matrix } from "./affine.ts";
import type { Field, Fields, Settings } from "./fields.ts";

/** Whose laws are followed: what Keras documents (the default), or what Keras 3 or Keras 2 really draws. */
export const modes = ["documented", "keras3", "keras2"] as const;
export type Mode = (typeof modes)[number];

/** What was drawn for one layer and one image: plain data, so that it can be printed and saved. */
export type Parameters = Readonly<
  Record<string, number | readonly number[] | readonly Operation[] | readonly (readonly Operation[])[]>
>;

/** One operation of RandAugment or AugMix, with its signed strength. */
export interface Operation {
  readonly name: string;
  readonly amount: number;
}

interface Common<F extends Fields> {
  /** Part of every random address: it must never change, nor be used again. */
  readonly number: number;
  /** For the documentation: what it does, and the formula. */
  readonly summary: string;
  readonly formula: string;
  readonly fields: F;
  draw(settings: Settings<F>, random: CounterRandom, mode: Mode): Parameters;
}

/** Moves pixels: gives the map from output pixels to input positions, and the size it makes. */
export interface GeometricLayer<F extends Fields = Fields> extends Common<F> {
  readonly kind: "geometric";
  matrix(parameters: Parameters, size: ImageSize, settings: Settings<F>): Matrix;
  sizeAfter?(size: ImageSize, settings: Settings<F>): ImageSize;
  /** True when every position that it asks for lies inside the image: then no border rule matters. */
  readonly staysInside?: boolean;
}

/** Changes the colour of each pixel by a step of the photometric program: (code, amount). */
export interface PhotometricLayer<F extends Fields = Fields> extends Common<F> {
  readonly kind: "photometric";
  /** True when the step needs the mean of the image. */
  readonly aboutMean?: boolean;
  step(parameters: Parameters): readonly [code: number, amount: number];
  /** Which step that is; default the one of the layer's name. */
  stepName?(mode: Mode): PhotometricStep;
}

/** Everything else is assembled from several ops; `stages.ts` knows how. */
export interface CompositeLayer<F extends Fields = Fields> extends Common<F> {
  readonly kind: "equalise" | "sharpen" | "blur" | "noise" | "erasing" | "randAugment" | "augMix" | "mixUp" | "cutMix";
}

export type LayerType = GeometricLayer | PhotometricLayer | CompositeLayer;

/** Keeps the type of the fields for `draw` and `matrix`, and forgets it for the table. */
export const geometric = <const F extends Fields>(layer: Omit<GeometricLayer<F>, "kind">): GeometricLayer =>
  ({ kind: "geometric", ...layer }) as unknown as GeometricLayer;
export const photometric = <const F extends Fields>(layer: Omit<PhotometricLayer<F>, "kind">): PhotometricLayer =>
  ({ kind: "photometric", ...layer }) as unknown as PhotometricLayer;
export const composite = <const F extends Fields>(layer: CompositeLayer<F>): CompositeLayer =>
  layer as unknown as CompositeLayer;

export const spread = (size: number, max: number, help: string, min = -max) =>
  ({ kind: "spread", default: size, min, max, help }) as const;
export const range = (low: number, high: number, min: number, max: number, help: string) =>
  ({ kind: "range", default: [low, high], min, max, help }) as const;

/** How likely the layer does anything, image by image. */
export const probability = (value: number) =>
  ({ kind: "number", default: value, min: 0, max: 1, help: "how often the layer acts" }) as const satisfies Field;

/** A coin that falls with this probability; it always takes one number, so that the next ones stay in place. */
export const coin = (random: CounterRandom, chance: number): boolean => random.uniform() < chance;
