import code from "../../shaders/affineWarp.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { float } from "../kernel.ts";
import {
  type AdapterTraits,
  type Attributes,
  defineOp,
  type KernelContext,
  type OpCase,
  type Reference,
  type ReferenceTensor,
  type Shader,
} from "../op.ts";
import { formatType, sameShape, sizeOf, type TensorType } from "../types.ts";

const shader: Shader = { name: "affineWarp", code };

const tiledGrid = (
  width: number,
  height: number,
  samples: number,
  { columns, rows }: { readonly columns: number; readonly rows: number },
): readonly [number, number, number] =>
  samples === 0 ? [0, 0, 0] : [Math.ceil(width / columns), Math.ceil(height / rows), samples];

/** The grid of a kernel with one invocation per pixel, in workgroups of 16 × 4 pixels of one image. */
export const pixelGrid = (width: number, height: number, samples: number): readonly [number, number, number] =>
  tiledGrid(width, height, samples, { columns: 16, rows: 4 });

/** What lies beyond the border; see {@link foldCoordinate}. The order is the shader's. */
export const fillModes = ["reflect", "nearest", "constant", "wrap"] as const;
export type FillMode = (typeof fillModes)[number];

export const interpolations = ["bilinear", "nearest"] as const;
export type Interpolation = (typeof interpolations)[number];

export interface WarpAttributes {
  /** Of the output, in pixels. */
  readonly height: number;
  readonly width: number;
  readonly fill: FillMode;
  readonly interpolation: Interpolation;
  /** What the outside is worth with `constant`. */
  readonly fillValue: number;
}

/** Rows of the output that one invocation does: where a CPU does the work, reading the matrix for each pixel is what takes long. */
const rowsEachOf = ({ software }: AdapterTraits): number => (software ? 16 : 4);
/** Pixels of a workgroup. */
const workgroup = { columns: 32, rows: 2 };

/** Positions at or beyond this are not folded: float32 has no fractions left to interpolate with. */
const farthest = 2 ** 24;

/**
 * A coordinate brought inside [0, length − 1], as TensorFlow's ImageProjectiveTransformV3 does before it interpolates.
 * `constant` leaves it. `wrap` has the period `length`, but counts periods in steps of length − 1, as TensorFlow does.
 */
export function foldCoordinate(position: number, length: number, fill: FillMode): number {
  if (fill === "constant") return position;
  if (length <= 1) return 0;
  let inside = position;
  if (fill === "reflect") {
    const period = 2 * length;
    if (position < 0) {
      const near = position + period * Math.trunc(-position / period);
      inside = near < -length ? near + period : -near - 1;
    } else if (position > length - 1) {
      const near = position - period * Math.trunc(position / period);
      inside = near >= length ? period - near - 1 : near;
    }
  }
  if (fill === "wrap") {
    if (position < 0) inside = position + length * (Math.trunc(-position / (length - 1)) + 1);
    else if (position > length - 1) inside = position - length * Math.trunc(position / (length - 1));
  }
  return Math.min(Math.max(inside, 0), length - 1);
}

/**
 * x [N, H, W, C] warped by matrix [N, 8], which maps output pixels to input positions:
 * u = (m0·x + m1·y + m2) / d, v = (m3·x + m4·y + m5) / d, d = m6·x + m7·y + 1. An affine map has m6 = m7 = 0.
 */
export const affineWarpOp = defineOp("affineWarp", {
  arity: 2,
  infer: ([x, matrix], { height, width, fill, interpolation }) => {
    if (x.dtype !== "f32" || x.shape.length !== 4)
      throw new ShapeError(`expected f32 [N, height, width, channels], found ${formatType(x)}`);
    if (matrix.dtype !== "f32" || matrix.shape.length !== 2 || matrix.shape[0] !== x.shape[0] || matrix.shape[1] !== 8)
      throw new ShapeError(
        `expected a matrix f32 [N, 8] for each image of ${formatType(x)}, found ${formatType(matrix)}`,
      );
    if (
      ![x.shape[1], x.shape[2], height, width].every((side) => Number.isInteger(side) && side >= 1 && side < farthest)
    )
      throw new ShapeError(`expected sides of at least 1, found ${formatType(x)} to ${height}×${width}`);
    if (!fillModes.includes(fill) || !interpolations.includes(interpolation))
      throw new ShapeError(
        `expected a fill of ${fillModes.join(", ")} and an interpolation of ${interpolations.join(", ")}, found ${fill} and ${interpolation}`,
      );
    return [{ dtype: "f32", shape: [x.shape[0], height, width, x.shape[3]] }];
  },
  kernel: ({ inputs: [x], outputs: [y], attributes, adapter }) => {
    const rowsEach = rowsEachOf(adapter);
    const { height, width, fill, interpolation, fillValue } = attributes as WarpAttributes;
    const pixels = y.shape[0] * height * width;
    return {
      shader,
      entryPoint: "warp",
      overrides: {
        CHANNELS: x.shape[3],
        FILL: fillModes.indexOf(fill),
        NEAREST: Number(interpolation === "nearest"),
        COLUMNS: workgroup.columns,
        ROWS: workgroup.rows,
        ROWS_EACH: rowsEach,
      },
      uniforms: [...x.shape.slice(0, 3), height, width, float(fillValue), 1],
      grid: tiledGrid(width, Math.ceil(height / rowsEach), x.shape[0], workgroup),
      flops: pixels * (20 + 8 * x.shape[3]),
      bytes: 4 * (sizeOf(x.shape) + sizeOf(y.shape) + 8 * x.shape[0]),
    };
  },
});

/** The taps of a position along one side with their weights. A pixel without weight is left out. */
function tapsOf(position: number, nearest: boolean): [number, number][] {
  // Halves away from zero.
  if (nearest) return [[position < 0 ? Math.ceil(position - 0.5) : Math.floor(position + 0.5), 1]];
  const lower = Math.floor(position);
  const fraction = position - lower;
  return fraction === 0
    ? [[lower, 1]]
    : [
        [lower, 1 - fraction],
        [lower + 1, fraction],
      ];
}

function sample(x: ReferenceTensor, image: number, [u, v]: [number, number], attributes: WarpAttributes): number[] {
  const [, height, width, channels] = x.shape;
  const { fill, interpolation, fillValue } = attributes;
  if (!(Math.abs(u) < farthest && Math.abs(v) < farthest)) return new Array(channels).fill(fillValue);
  const result = new Array(channels).fill(0);
  for (const [row, rowWeight] of tapsOf(foldCoordinate(v, height, fill), interpolation === "nearest"))
    for (const [column, columnWeight] of tapsOf(foldCoordinate(u, width, fill), interpolation === "nearest")) {
      const isInside = row >= 0 && row < height && column >= 0 && column < width;
      const from = ((image * height + row) * width + column) * channels;
      for (let c = 0; c < channels; c++)
        result[c] += rowWeight * columnWeight * (isInside ? x.data[from + c] : fillValue);
    }
  return result;
}

export const affineWarpReference: Reference = ([x, matrix], { attributes, outputs: [y] }) => {
  const [samples, height, width, channels] = y.shape;
  const result = new Float64Array(sizeOf(y.shape));
  let to = 0;
  for (let n = 0; n < samples; n++) {
    const m = matrix.data.subarray(8 * n, 8 * n + 8);
    for (let oy = 0; oy < height; oy++)
      for (let ox = 0; ox < width; ox++) {
        const divisor = m[6] * ox + m[7] * oy + 1;
        const at: [number, number] = [
          (m[0] * ox + m[1] * oy + m[2]) / divisor,
          (m[3] * ox + m[4] * oy + m[5]) / divisor,
        ];
        result.set(sample(x, n, at, attributes as WarpAttributes), to);
        to += channels;
      }
  }
  return [result];
};

const bilinearAt = (x: ReferenceTensor, image: number, at: [number, number], attributes: Attributes): number[] =>
  sample(x, image, at, { ...attributes, interpolation: "bilinear" } as WarpAttributes);

/** The kernel of the two ops below: bilinear, to the size of x. */
const sameSizeKernel =
  (entryPoint: string, stepsOf: (operand: TensorType) => number) =>
  ({ inputs: [x, operand], attributes: { fill, fillValue } }: KernelContext) => {
    const [samples, height, width, channels] = x.shape;
    const steps = stepsOf(operand);
    return {
      shader,
      entryPoint,
      overrides: { CHANNELS: channels, FILL: fillModes.indexOf(fill) },
      uniforms: [samples, height, width, height, width, float(fillValue), steps],
      grid: pixelGrid(width, height, samples),
      flops: steps * samples * height * width * (20 + 10 * channels),
      bytes: 8 * sizeOf(x.shape) + 4 * sizeOf(operand.shape),
    };
  };

function checkOperand(x: TensorType, operand: TensorType, wanted: readonly number[], what: string): void {
  if (x.dtype !== "f32" || x.shape.length !== 4)
    throw new ShapeError(`expected f32 [N, height, width, channels], found ${formatType(x)}`);
  if (operand.dtype !== "f32" || !sameShape(operand.shape, wanted))
    throw new ShapeError(`expected ${what} for each image of ${formatType(x)}, found ${formatType(operand)}`);
}

/** x [N, H, W, C] averaged over a path [N, K, 9]: K matrices as of {@link affineWarpOp}, each followed by its weight. */
export const warpAverageOp = defineOp("warpAverage", {
  arity: 2,
  infer: ([x, path]) => {
    checkOperand(x, path, [x.shape[0], path.shape[1], 9], "a path f32 [N, steps, 9]");
    return [x];
  },
  kernel: sameSizeKernel("average", ({ shape }) => shape[1]),
});
export const warpAverageReference: Reference = ([x, path], { attributes }) => {
  const [samples, height, width, channels] = x.shape;
  const steps = path.shape[1];
  const result = new Float64Array(sizeOf(x.shape));
  for (let pixel = 0; pixel < samples * height * width; pixel++) {
    const [ox, oy, n] = [pixel % width, Math.floor(pixel / width) % height, Math.floor(pixel / width / height)];
    for (let k = 0; k < steps; k++) {
      const m = path.data.subarray(9 * (n * steps + k), 9 * (n * steps + k + 1));
      if (m[8] === 0) continue;
      const divisor = m[6] * ox + m[7] * oy + 1;
      const [u, v] = [(m[0] * ox + m[1] * oy + m[2]) / divisor, (m[3] * ox + m[4] * oy + m[5]) / divisor];
      bilinearAt(x, n, [u, v], attributes).forEach((value, c) => {
        result[pixel * channels + c] += m[8] * value;
      });
    }
  }
  return [result];
};
export const warpAverageCases = (): OpCase[] => [
  {
    inputs: [{ shape: [2, 5, 4, 3] }, { shape: [2, 3, 9], scale: 0.05, offset: 0.05 }],
    attributes: { fill: "reflect", fillValue: 0 },
    differentiate: [],
  },
  {
    inputs: [{ shape: [1, 1, 7, 2] }, { shape: [1, 2, 9], scale: 0.01, offset: 0.1 }],
    attributes: { fill: "constant", fillValue: 0.5 },
    differentiate: [],
  },
];

/** x [N, H, W, C] read at displaced positions: displacement [N, H, W, 2] is (right, down) in pixels. */
export const displaceOp = defineOp("displace", {
  arity: 2,
  infer: ([x, displacement]) => {
    checkOperand(x, displacement, [...x.shape.slice(0, 3), 2], "a displacement f32 [N, H, W, 2]");
    return [x];
  },
  kernel: sameSizeKernel("displace", () => 1),
});
export const displaceReference: Reference = ([x, displacement], { attributes }) => {
  const [samples, height, width, channels] = x.shape;
  const result = new Float64Array(sizeOf(x.shape));
  for (let pixel = 0; pixel < samples * height * width; pixel++) {
    const [ox, oy, n] = [pixel % width, Math.floor(pixel / width) % height, Math.floor(pixel / width / height)];
    const at: [number, number] = [ox + displacement.data[2 * pixel], oy + displacement.data[2 * pixel + 1]];
    result.set(bilinearAt(x, n, at, attributes), pixel * channels);
  }
  return [result];
};
/** Displacements across the border, and of nothing: positions that lie exactly on it. */
export const displaceCases = (): OpCase[] =>
  fillModes.flatMap((fill, index) =>
    [2, 0].map((scale) => ({
      inputs: [{ shape: [2, 5, 4 + index, 3] }, { shape: [2, 5, 4 + index, 2], scale }],
      attributes: { fill, fillValue: 0.5 },
      differentiate: [],
    })),
  );

/** Matrices of small random numbers: projective, with positions on both sides of the border. */
export const affineWarpCases = (): OpCase[] =>
  fillModes.flatMap((fill, index) => [
    {
      inputs: [{ shape: [3, 5 + index, 4, 1 + index] }, { shape: [3, 8], scale: 0.05, offset: 0.05 }],
      attributes: { height: 6, width: 9 - index, fill, interpolation: "bilinear", fillValue: 0.5 },
      differentiate: [],
    },
    {
      inputs: [{ shape: [2, 1, 7, 3] }, { shape: [2, 8], scale: 0.01, offset: 0.1 }],
      attributes: { height: 5, width: 5, fill, interpolation: "bilinear", fillValue: -1 },
      differentiate: [],
    },
  ]);

/**
 * Warps x [N, H, W, C] by matrix [N, 8] to [N, height, width, C]; the fill rules are those of TensorFlow.
 * Throws a ShapeError for other shapes or unknown fills.
 */
export const affineWarp = (
  x: Tensor,
  matrix: Tensor,
  {
    height = x.shape[1],
    width = x.shape[2],
    fill = "reflect",
    interpolation = "bilinear",
    fillValue = 0,
  }: Partial<WarpAttributes> = {},
  label?: string,
): Tensor => apply(affineWarpOp, [x, matrix], { height, width, fill, interpolation, fillValue }, label);

/** The mean of warps of x along path [N, K, 9], matrices with weights; bilinear. Throws a ShapeError for other shapes. */
export const warpAverage = (x: Tensor, path: Tensor, fill: FillMode = "reflect", label?: string): Tensor =>
  apply(warpAverageOp, [x, path], { fill, fillValue: 0 }, label);

/** x read at positions displaced by [N, H, W, 2] pixels (right, down); bilinear. Throws a ShapeError for other shapes. */
export const displace = (x: Tensor, displacement: Tensor, fill: FillMode = "reflect", label?: string): Tensor =>
  apply(displaceOp, [x, displacement], { fill, fillValue: 0 }, label);
