import { UsageError } from "../engine/errors.ts";

export const baselineNames = ["black", "grey", "white", "zeros"] as const;
export type BaselineName = (typeof baselineNames)[number];

/** A named baseline, one made from the image itself (`blur`) or from a seed (`noise`), or pixels [H, W, 3] of 0 to 255 such as a data mean. */
export type BaselineChoice = BaselineName | "blur" | "noise" | Float32Array;

/**
 * The image without information, as pixels of 0 to 255 [H, W, 3]. `black`, `grey` and `white` are named in pixel space;
 * `zeros` is zero after the model's preprocessing (mid-grey for pixel / 127.5 − 1).
 */
export function baselinePixels(
  name: BaselineName,
  size: readonly [number, number],
  preprocessing: { readonly scale: number; readonly offset: number },
): Float32Array {
  const pixels = new Float32Array(size[0] * size[1] * 3);
  switch (name) {
    case "black":
      return pixels;
    case "grey":
      return pixels.fill(127.5);
    case "white":
      return pixels.fill(255);
    case "zeros":
      return pixels.fill(-preprocessing.offset / preprocessing.scale);
    default:
      throw new UsageError(`baseline must be one of ${baselineNames.join(", ")}, found ${name satisfies never}`);
  }
}
