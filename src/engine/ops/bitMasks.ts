import code from "../../shaders/bitMasks.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { flatGrid } from "../kernel.ts";
import { defineOp, type OpCase, type Reference, type Shader } from "../op.ts";
import { formatType, type Shape, sizeOf, type TensorType } from "../types.ts";

const shader: Shader = { name: "bitMasks", code };

/** Rows per word where no kernel's tiles ask for another number. */
export const maskRowsOfPack = 8;

/** Whether values of this type can have a one-bit mask: samples of whole vectors of four columns. */
export const isMaskable = ({ dtype, shape }: TensorType): boolean =>
  dtype === "f32" && shape.length >= 2 && shape[shape.length - 1] % 4 === 0;

/** The type of the mask of a value [N, …, C]: i32 words, enough for every sample by itself, laid out as in `bitMasks.wgsl`. */
export function maskType({ shape }: TensorType, maskRows: number): TensorType {
  const rows = sizeOf(shape.slice(1, -1));
  return { dtype: "i32", shape: [shape[0], (Math.ceil(rows / maskRows) * shape[shape.length - 1]) / 4] };
}

const sizesOf = (shape: Shape) => ({ rows: sizeOf(shape.slice(0, -1)), vectors: shape[shape.length - 1] / 4 });

/** The float with these bits. */
const floatOf = (bits: number): number => new Float32Array(Uint32Array.of(bits).buffer)[0];

/** y → words with a bit per element: whether 0 < y < the float whose bits are `below` (one above infinity's: any positive y). */
export const packMaskOp = defineOp("packMask", {
  arity: 1,
  infer: ([y]) => {
    if (!isMaskable(y)) throw new ShapeError(`expected f32 [N, …, C] with C a multiple of 4, found ${formatType(y)}`);
    return [maskType(y, maskRowsOfPack)];
  },
  kernel: ({ inputs: [y], outputs: [mask], attributes: { below } }) => {
    const { rows, vectors } = sizesOf(y.shape);
    const words = sizeOf(mask.shape);
    return {
      shader,
      entryPoint: "pack",
      uniforms: [rows, vectors, words, maskRowsOfPack, below],
      grid: flatGrid(words),
      flops: 4 * rows * vectors,
      bytes: 16 * rows * vectors + 4 * words,
    };
  },
});

/** The words of {@link packMaskOp} with `maskRows` rows each, in float64. */
export function packMaskReference(
  y: ArrayLike<number>,
  columns: number,
  words: number,
  maskRows: number,
  below: number,
): Float64Array {
  const high = below > 0x7f800000 ? Number.POSITIVE_INFINITY : floatOf(below);
  const packed = new Int32Array(words);
  for (let at = 0; at < y.length; at++) {
    const [row, column] = [Math.floor(at / columns), at % columns];
    const isInside = y[at] > 0 && (y[at] < high || below > 0x7f800000);
    if (isInside)
      packed[(Math.floor(row / maskRows) * columns) / 4 + (column >> 2)] |= 1 << (4 * (row % maskRows) + (column & 3));
  }
  return Float64Array.from(packed);
}

export const packReference: Reference = ([y], { attributes: { below }, outputs: [mask] }) => [
  packMaskReference(y.data, y.shape[y.shape.length - 1], sizeOf(mask.shape), maskRowsOfPack, below),
];

/** dy where its bit of the mask is set, else 0. `maskRows`: rows per word of the mask. */
export const applyMaskOp = defineOp("applyMask", {
  arity: 2,
  infer: ([dy, mask], { maskRows }) => {
    const expected = isMaskable(dy) ? maskType(dy, maskRows) : null;
    if (!expected || expected.shape[1] !== mask.shape[1])
      throw new ShapeError(
        `expected f32 [N, …, C] with C a multiple of 4 and its mask, found ${formatType(dy)} and ${formatType(mask)}`,
      );
    return [dy];
  },
  kernel: ({ inputs: [dy, mask], attributes: { maskRows } }) => {
    const { rows, vectors } = sizesOf(dy.shape);
    return {
      shader,
      entryPoint: "apply",
      uniforms: [rows, vectors, sizeOf(mask.shape), maskRows, 0],
      grid: flatGrid(rows * vectors),
      flops: 4 * rows * vectors,
      bytes: 32 * rows * vectors + 4 * sizeOf(mask.shape),
    };
  },
});

export const applyMaskReference: Reference = ([dy, mask], { attributes: { maskRows } }) => {
  const columns = dy.shape[dy.shape.length - 1];
  return [
    dy.data.map((value, at) => {
      const row = Math.floor(at / columns);
      const word = mask.data[(Math.floor(row / maskRows) * columns) / 4 + ((at % columns) >> 2)];
      return (word >> (4 * (row % maskRows) + (at & 3))) & 1 ? value : 0;
    }),
  ];
};

const shapes = [
  [1, 4],
  [3, 8],
  [2, 7, 7, 12],
  [3, 5, 20],
];

const belowSix = 0x40c00000;
export const packMaskCases = (): OpCase[] => [
  ...[belowSix, 0x7f800001].flatMap((below) =>
    shapes.map((shape) => ({ inputs: [{ shape, scale: 5, avoid: [0, 6] }], attributes: { below } })),
  ),
  // At the kinks, and at the floats nearest inside.
  ...[0, 2 ** -149, 6 - 2 ** -21, 6].map((offset) => ({
    inputs: [{ shape: [2, 4], scale: 0, offset }],
    attributes: { below: belowSix },
  })),
];
export const applyMaskCases = (): OpCase[] =>
  [7, 8].flatMap((maskRows) =>
    shapes.map((shape) => ({
      inputs: [{ shape }, { ...maskType({ dtype: "f32", shape }, maskRows), below: 2 ** 31 }],
      attributes: { maskRows },
    })),
  );
