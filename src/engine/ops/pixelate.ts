import code from "../../shaders/pixelate.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { flatGrid } from "../kernel.ts";
import { defineOp, type OpCase, type Reference, type Shader } from "../op.ts";
import { formatType, sizeOf } from "../types.ts";

const shader: Shader = { name: "pixelate", code };

/** Sides whose doubled products stay within 32 bits. */
const longestSide = 32767;

/** x [N, H, W, C] cut into rows × columns cells: every pixel becomes the mean of its cell. */
export const pixelateOp = defineOp("pixelate", {
  arity: 1,
  infer: ([x], { rows, columns }) => {
    if (x.dtype !== "f32" || x.shape.length !== 4)
      throw new ShapeError(`expected f32 [N, height, width, channels], found ${formatType(x)}`);
    const [, height, width] = x.shape;
    const fits = (cells: number, length: number): boolean =>
      Number.isInteger(cells) && cells >= 1 && cells <= length && length <= longestSide;
    if (!fits(rows, height) || !fits(columns, width))
      throw new ShapeError(`expected from 1 to as many cells as pixels, found ${rows}×${columns} for ${formatType(x)}`);
    return [x];
  },
  kernel: ({ inputs: [x], attributes: { rows, columns } }) => {
    const count = sizeOf(x.shape);
    return {
      shader,
      entryPoint: "pixelate",
      uniforms: [count, ...x.shape.slice(1), rows, columns],
      grid: flatGrid(count),
      flops: Math.ceil((count * x.shape[1] * x.shape[2]) / (rows * columns)),
      bytes: 8 * count,
    };
  },
});

export const pixelateReference: Reference = ([x], { attributes: { rows, columns } }) => {
  const [, height, width, channels] = x.shape;
  const cellOf = (at: number): number => {
    const pixel = Math.floor(at / channels);
    const column = Math.floor(((2 * (pixel % width) + 1) * columns) / (2 * width));
    const row = Math.floor(((2 * (Math.floor(pixel / width) % height) + 1) * rows) / (2 * height));
    return ((Math.floor(pixel / width / height) * rows + row) * columns + column) * channels + (at % channels);
  };
  const totals = new Map<number, { sum: number; count: number }>();
  x.data.forEach((value, at) => {
    const { sum, count } = totals.get(cellOf(at)) ?? { sum: 0, count: 0 };
    totals.set(cellOf(at), { sum: sum + value, count: count + 1 });
  });
  return [
    x.data.map((_, at) => {
      const { sum, count } = totals.get(cellOf(at)) as { sum: number; count: number };
      return sum / count;
    }),
  ];
};

export const pixelateCases = (): OpCase[] =>
  [
    { shape: [2, 7, 5, 3], rows: 3, columns: 2 },
    { shape: [1, 8, 8, 1], rows: 8, columns: 1 },
    { shape: [3, 11, 13, 2], rows: 7, columns: 9 },
  ].map(({ shape, ...attributes }) => ({ inputs: [{ shape, offset: 2 }], attributes, differentiate: [] }));

/** x [N, H, W, C] → the same shape in rows × columns cells. Throws a ShapeError unless there are from 1 to H and W of them. */
export const pixelate = (
  x: Tensor,
  cells: { readonly rows: number; readonly columns: number },
  label?: string,
): Tensor => apply(pixelateOp, [x], cells, label);
