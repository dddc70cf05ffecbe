import code from "../../shaders/filters.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { defineOp, type KernelContext, type OpCase, type Reference, type ReferenceTensor, type Shader } from "../op.ts";
import { formatType, sizeOf, type TensorType } from "../types.ts";
import { pixelGrid } from "./affine.ts";

const shader: Shader = { name: "filters", code };

const checkImages = (x: TensorType): void => {
  if (x.dtype !== "f32" || x.shape.length !== 4)
    throw new ShapeError(`expected f32 [N, height, width, channels], found ${formatType(x)}`);
};

/* @__NO_SIDE_EFFECTS__ */
const kernelOf =
  (entryPoint: string, vertical: boolean) =>
  ({ inputs: [x, weights] }: KernelContext) => {
    const count = sizeOf(x.shape);
    const taps = weights.shape[1] ?? 9;
    const perElement = taps * (weights.shape[2] ?? 1);
    return {
      shader,
      entryPoint,
      uniforms: [...x.shape, taps, Number(vertical)],
      grid: pixelGrid(x.shape[2], x.shape[1], x.shape[0]),
      flops: 2 * perElement * count,
      bytes: 8 * count,
    };
  };

/** x at a distance from element `at`; beyond the border the border's pixel. */
function neighbour({ shape, data }: ReferenceTensor, at: number, down: number, right: number): number {
  const [, height, width, channels] = shape;
  const pixel = Math.floor(at / channels);
  const row = Math.floor(pixel / width) % height;
  const image = Math.floor(pixel / width / height);
  const clampTo = (place: number, size: number): number => Math.min(Math.max(place, 0), size - 1);
  const from = (image * height + clampTo(row + down, height)) * width + clampTo((pixel % width) + right, width);
  return data[from * channels + (at % channels)];
}

/* @__NO_SIDE_EFFECTS__ */
const defineLine = (name: string, vertical: boolean) =>
  defineOp(name, {
    arity: 2,
    infer: ([x, weights]) => {
      checkImages(x);
      const { shape } = weights;
      if (weights.dtype !== "f32" || shape.length !== 2 || shape[0] !== x.shape[0] || shape[1] % 2 !== 1)
        throw new ShapeError(
          `expected an odd number of weights f32 [N, taps] for each image, found ${formatType(weights)}`,
        );
      return [x];
    },
    kernel: kernelOf("line", vertical),
  });

/** x [N, H, W, C] filtered along its rows by weights [N, taps], an odd number of them; the border's pixels repeat. */
export const filterRowsOp = defineLine("filterRows", false);
/** The same along the columns. */
export const filterColumnsOp = defineLine("filterColumns", true);

/* @__NO_SIDE_EFFECTS__ */
const lineReference =
  (vertical: boolean): Reference =>
  ([x, weights]) => {
    const taps = weights.shape[1];
    const perImage = sizeOf(x.shape.slice(1));
    return [
      x.data.map((_, at) => {
        let total = 0;
        for (let k = 0; k < taps; k++) {
          const weight = weights.data[Math.floor(at / perImage) * taps + k];
          const distance = k - (taps - 1) / 2;
          if (weight !== 0) total += weight * neighbour(x, at, vertical ? distance : 0, vertical ? 0 : distance);
        }
        return total;
      }),
    ];
  };
export const filterRowsReference = lineReference(false);
export const filterColumnsReference = lineReference(true);
export const filterLineCases = (): OpCase[] => [
  { inputs: [{ shape: [2, 5, 7, 3] }, { shape: [2, 5] }], differentiate: [] },
  { inputs: [{ shape: [1, 2, 3, 2] }, { shape: [1, 9] }], differentiate: [] },
];

/** x [N, H, W, C] filtered by a square of weights [N, taps, taps], taps odd; the border's pixels repeat. */
export const filterSquareOp = defineOp("filterSquare", {
  arity: 2,
  infer: ([x, weights]) => {
    checkImages(x);
    const { shape } = weights;
    const isSquare = shape.length === 3 && shape[1] === shape[2] && shape[1] % 2 === 1;
    if (weights.dtype !== "f32" || !isSquare || shape[0] !== x.shape[0])
      throw new ShapeError(
        `expected weights f32 [N, taps, taps] of odd sides for each image, found ${formatType(weights)}`,
      );
    return [x];
  },
  kernel: kernelOf("square", false),
});
export const filterSquareReference: Reference = ([x, weights]) => {
  const taps = weights.shape[1];
  const radius = (taps - 1) / 2;
  const perImage = sizeOf(x.shape.slice(1));
  return [
    x.data.map((_, at) => {
      const first = Math.floor(at / perImage) * taps * taps;
      let total = 0;
      for (let k = 0; k < taps * taps; k++) {
        const weight = weights.data[first + k];
        if (weight !== 0) total += weight * neighbour(x, at, Math.floor(k / taps) - radius, (k % taps) - radius);
      }
      return total;
    }),
  ];
};
export const filterSquareCases = (): OpCase[] => [
  { inputs: [{ shape: [2, 5, 7, 3] }, { shape: [2, 3, 3] }], differentiate: [] },
  { inputs: [{ shape: [1, 2, 3, 2] }, { shape: [1, 7, 7] }], differentiate: [] },
];

/** clip(x + amount·(x − smooth)) with amount [N]: 0 leaves an image, −1 smooths it, 1 sharpens it (Pillow's kernel). */
export const sharpenOp = defineOp("sharpen", {
  arity: 2,
  infer: ([x, amount]) => {
    checkImages(x);
    if (amount.dtype !== "f32" || amount.shape.join() !== `${x.shape[0]}`)
      throw new ShapeError(`expected an amount f32 [N] for each image, found ${formatType(amount)}`);
    return [x];
  },
  kernel: kernelOf("sharpen", false),
});
export const sharpenReference: Reference = ([x, amounts]) => {
  const perImage = sizeOf(x.shape.slice(1));
  return [
    x.data.map((centre, at) => {
      const amount = amounts.data[Math.floor(at / perImage)];
      if (amount === 0) return centre;
      let sum = 4 * centre;
      for (let down = -1; down <= 1; down++)
        for (let right = -1; right <= 1; right++) sum += neighbour(x, at, down, right);
      const value = centre + amount * (centre - sum / 13);
      return value < 0 ? 0 : value > 255 ? 255 : value;
    }),
  ];
};
export const sharpenCases = (): OpCase[] => [
  { inputs: [{ shape: [3, 5, 4, 3], scale: 60, offset: 128 }, { shape: [3] }], differentiate: [] },
  { inputs: [{ shape: [1, 1, 5, 1], scale: 60, offset: 128 }, { shape: [1] }], differentiate: [] },
];

/** x [N, H, W, C] filtered along its rows by weights [N, taps]. */
export const filterRows = (x: Tensor, weights: Tensor): Tensor => apply(filterRowsOp, [x, weights]);
/** The same along the columns. */
export const filterColumns = (x: Tensor, weights: Tensor, label?: string): Tensor =>
  apply(filterColumnsOp, [x, weights], {}, label);

/** A separable filter of x [N, H, W, C] by weights [N, taps] along both sides: a Gaussian blur with Gaussian weights. */
export const separableFilter = (x: Tensor, weights: Tensor, label?: string): Tensor =>
  filterColumns(filterRows(x, weights), weights, label);

/** Any small kernel, such as a disc: x [N, H, W, C] by weights [N, taps, taps]. Throws a ShapeError for even sides. */
export const filterSquare = (x: Tensor, weights: Tensor, label?: string): Tensor =>
  apply(filterSquareOp, [x, weights], {}, label);

export const sharpen = (x: Tensor, amount: Tensor, label?: string): Tensor => apply(sharpenOp, [x, amount], {}, label);
