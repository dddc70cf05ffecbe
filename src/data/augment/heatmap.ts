import { invert, transform } from "./affine.ts";
import type { Augmentation } from "./augmentation.ts";
import type { SampleAddress } from "./parameters.ts";

/** One channel of values, rows from the top, such as a heatmap of any resolution. */
export interface Heatmap {
  readonly values: ArrayLike<number>;
  readonly height: number;
  readonly width: number;
}

/** The value at a position in cells, bilinear; positions beyond the outer cells' centres take the border's. */
function sample({ values, height, width }: Heatmap, x: number, y: number): number {
  const [column, row] = [Math.min(Math.max(x, 0), width - 1), Math.min(Math.max(y, 0), height - 1)];
  const [left, above] = [Math.floor(column), Math.floor(row)];
  const [right, below] = [Math.min(left + 1, width - 1), Math.min(above + 1, height - 1)];
  const line = (at: number): number =>
    values[at * width + left] * (left + 1 - column) + values[at * width + right] * (column - left);
  return line(above) * (above + 1 - row) + line(below) * (row - above);
}

/**
 * Brings a heatmap of an augmented image back to the original: the inverse of the geometric part drawn at `address`. A cell of a
 * coarse heatmap covers its share of the augmented image.
 * @returns float32 [H, W] of the original size; 0 where the augmented image does not show the original.
 * @throws DataError when the geometry cannot be inverted
 */
export function invertHeatmap(heatmap: Heatmap, augmentation: Augmentation, address: SampleAddress): Float32Array {
  const { inputSize, outputSize } = augmentation;
  const inverse = invert(augmentation.matrix(address));
  const scale = { x: heatmap.width / outputSize.width, y: heatmap.height / outputSize.height };
  const result = new Float32Array(inputSize.height * inputSize.width);
  for (let y = 0; y < inputSize.height; y++)
    for (let x = 0; x < inputSize.width; x++) {
      const [u, v] = transform(inverse, x, y);
      if (!(u >= -0.5 && v >= -0.5 && u <= outputSize.width - 0.5 && v <= outputSize.height - 0.5)) continue;
      result[y * inputSize.width + x] = sample(heatmap, (u + 0.5) * scale.x - 0.5, (v + 0.5) * scale.y - 0.5);
    }
  return result;
}
