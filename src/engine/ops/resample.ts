import code from "../../shaders/resample.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { weightBits } from "../fixedPoint.ts";
import { apply, type Tensor } from "../graph.ts";
import { defineOp, type OpCase, type Reference, type Shader } from "../op.ts";
import { byteSizeOf, formatType, sizeOf, type TensorType } from "../types.ts";
import { pixelGrid } from "./affine.ts";

const shader: Shader = { name: "resample", code };

const unit = 2 ** weightBits;

function checkLines(samples: number, first: TensorType, weights: TensorType): void {
  const [, length, taps] = weights.shape;
  if (weights.dtype !== "i32" || weights.shape.length !== 3 || weights.shape[0] !== samples || taps < 1)
    throw new ShapeError(`expected weights i32 [N, length, taps] for each picture, found ${formatType(weights)}`);
  if (first.dtype !== "i32" || first.shape.join() !== [samples, length].join())
    throw new ShapeError(
      `expected first positions i32 [N, ${length}] to ${formatType(weights)}, found ${formatType(first)}`,
    );
}

/**
 * Pictures of different sizes to one size: pictures u8 [N, bytes], each the rows of one picture with 3 bytes a pixel, then anything;
 * widths i32 [N] in pixels; firstRows i32 [N, H] and rowWeights i32 [N, H, taps], the rows of the picture that a row of the output
 * is made of, in 2^−22; the same for columns → f32 [N, H, W, 3]. `round`: bytes after each pass.
 */
export const resampleOp = defineOp("resample", {
  arity: 6,
  infer: ([pictures, widths, firstRows, rowWeights, firstColumns, columnWeights]) => {
    const [samples] = pictures.shape;
    if (pictures.dtype !== "u8" || pictures.shape.length !== 2)
      throw new ShapeError(`expected pictures u8 [N, bytes], found ${formatType(pictures)}`);
    if (widths.dtype !== "i32" || widths.shape.join() !== `${samples}`)
      throw new ShapeError(`expected a width i32 [N] for each picture, found ${formatType(widths)}`);
    checkLines(samples, firstRows, rowWeights);
    checkLines(samples, firstColumns, columnWeights);
    if (rowWeights.shape[2] !== columnWeights.shape[2])
      throw new ShapeError(
        `expected as many taps in ${formatType(rowWeights)} as in ${formatType(columnWeights)}; pad with zeros`,
      );
    return [{ dtype: "f32", shape: [samples, rowWeights.shape[1], columnWeights.shape[1], 3] }];
  },
  kernel: ({ inputs, outputs: [y], attributes }) => {
    const [samples, height, width] = y.shape;
    const taps = inputs[3].shape[2];
    return {
      shader,
      entryPoint: "resample",
      overrides: { TAPS: taps, ROUND: Number(attributes.round) },
      uniforms: [samples, inputs[0].shape[1], height, width],
      grid: pixelGrid(width, height, samples),
      flops: 6 * taps * taps * samples * height * width,
      bytes: [...inputs, y].reduce((sum, type) => sum + byteSizeOf(type), 0),
    };
  },
});

const toByte = (sum: number): number => Math.min(Math.max(Math.floor((sum + unit / 2) / unit), 0), 255);

export const resampleReference: Reference = (
  [pictures, widths, firstRows, rowWeights, firstColumns, columnWeights],
  { attributes, outputs: [y] },
) => {
  const [, height, width] = y.shape;
  const [slot, taps] = [pictures.shape[1], rowWeights.shape[2]];
  const alongRow = (n: number, row: number, line: number, channel: number): number => {
    let sum = 0;
    for (let k = 0; k < taps; k++) {
      const position = 3 * (row * widths.data[n] + firstColumns.data[line] + k);
      if (position + 3 <= slot)
        sum += columnWeights.data[line * taps + k] * pictures.data[n * slot + position + channel];
    }
    return sum;
  };
  const result = new Float64Array(sizeOf(y.shape)).map((_, at) => {
    const [pixel, channel] = [Math.floor(at / 3), at % 3];
    const n = Math.floor(pixel / (height * width));
    const rowLine = Math.floor(pixel / width);
    const columnLine = n * width + (pixel % width);
    let sum = 0;
    for (let r = 0; r < taps; r++) {
      const across = alongRow(n, firstRows.data[rowLine] + r, columnLine, channel);
      sum += rowWeights.data[rowLine * taps + r] * (attributes.round ? toByte(across) : across / unit);
    }
    return attributes.round ? toByte(sum) : sum / unit;
  });
  return [result];
};

/** Small random positions and weights; some positions lie outside of the slot. */
export const resampleCases = (): OpCase[] =>
  [
    { samples: 3, bytes: 61, height: 5, width: 7, taps: 2 },
    { samples: 2, bytes: 240, height: 3, width: 18, taps: 5 },
  ].flatMap(({ samples, bytes, height, width, taps }) =>
    [true, false].map((round) => {
      const whole = (below: number, ...shape: number[]) => ({ shape, dtype: "i32" as const, below });
      return {
        inputs: [
          { shape: [samples, bytes], dtype: "u8" as const, below: 256 },
          whole(7, samples),
          whole(6, samples, height),
          whole(2 ** 22 / taps, samples, height, taps),
          whole(4, samples, width),
          whole(2 ** 22 / taps, samples, width, taps),
        ],
        attributes: { round },
      };
    }),
  );

/** For each line of the output the first line of the picture that it is made of, and the weights of it and the next ones. */
export interface Lines {
  readonly first: Tensor;
  readonly weights: Tensor;
}

/** Throws a ShapeError for other types; see {@link resampleOp}. */
export const resample = (
  pictures: Tensor,
  { widths, rows, columns }: { readonly widths: Tensor; readonly rows: Lines; readonly columns: Lines },
  round: boolean,
): Tensor => apply(resampleOp, [pictures, widths, rows.first, rows.weights, columns.first, columns.weights], { round });
