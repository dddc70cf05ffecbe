import code from "../../shaders/mix.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { flatGrid } from "../kernel.ts";
import { defineOp, type KernelContext, type OpCase, type Reference, type Shader } from "../op.ts";
import { formatType, type Shape, sizeOf, type TensorType } from "../types.ts";
import { pixelGrid } from "./affine.ts";

const shader: Shader = { name: "mix", code };

function checkPartners(
  x: TensorType,
  partner: TensorType,
  amounts: TensorType,
  wanted: string,
  what: string,
): TensorType[] {
  if (x.dtype !== "f32" || x.shape.length < 1) throw new ShapeError(`expected f32 [N, …], found ${formatType(x)}`);
  if (partner.dtype !== "i32" || partner.shape.join() !== `${x.shape[0]}`)
    throw new ShapeError(
      `expected partners i32 [N] within the batch of ${formatType(x)}, found ${formatType(partner)}`,
    );
  if (amounts.dtype !== "f32" || amounts.shape.join() !== wanted)
    throw new ShapeError(`expected ${what} for each sample of ${formatType(x)}, found ${formatType(amounts)}`);
  return [x];
}

type Grid = readonly [number, number, number];

/* @__NO_SIDE_EFFECTS__ */
const kernelOf =
  (entryPoint: string, gridOf: (shape: Shape) => Grid) =>
  ({ inputs: [x] }: KernelContext) => {
    const count = sizeOf(x.shape);
    const [samples, height = 1, width = 1, channels = 1] = x.shape;
    return {
      shader,
      entryPoint,
      uniforms: [samples, sizeOf(x.shape.slice(1)), height, width, channels],
      grid: gridOf(x.shape),
      flops: 3 * count,
      bytes: 12 * count,
    };
  };

/** The elements of a sample in two dimensions, the samples in the third. */
function elementGrid([samples, ...rest]: Shape): Grid {
  const [columns, rows] = flatGrid(sizeOf(rest));
  return samples === 0 ? [0, 0, 0] : [columns, rows, samples];
}

/** λ·x + (1 − λ)·x[partner] (Zhang et al. 2018): x [N, …], partner i32 [N], λ [N]; for images and for their soft labels. */
export const mixUpOp = defineOp("mixUp", {
  arity: 3,
  infer: ([x, partner, lambda]) => checkPartners(x, partner, lambda, `${x.shape[0]}`, "a λ f32 [N]"),
  kernel: kernelOf("mixUp", elementGrid),
  traits: { couplesBatch: true },
});
export const mixUpReference: Reference = ([x, partner, lambda]) => {
  const perSample = sizeOf(x.shape.slice(1));
  return [
    x.data.map((value, at) => {
      const n = Math.floor(at / perSample);
      const other = x.data[partner.data[n] * perSample + (at % perSample)] ?? Number.NaN;
      return lambda.data[n] * value + (1 - lambda.data[n]) * other;
    }),
  ];
};
export const mixUpCases = (): OpCase[] => [
  { inputs: [{ shape: [4, 3, 5, 3] }, { shape: [4], dtype: "i32", below: 4 }, { shape: [4] }], differentiate: [] },
  { inputs: [{ shape: [3, 17] }, { shape: [3], dtype: "i32", below: 5 }, { shape: [3] }], differentiate: [] },
];

/** The partner's pixels inside a box (Yun et al. 2019): x [N, H, W, C], partner i32 [N], boxes [N, 4] (top, left, height, width). */
export const cutMixOp = defineOp("cutMix", {
  arity: 3,
  infer: ([x, partner, boxes]) => {
    if (x.shape.length !== 4) throw new ShapeError(`expected f32 [N, height, width, channels], found ${formatType(x)}`);
    return checkPartners(x, partner, boxes, `${[x.shape[0], 4]}`, "a box f32 [N, 4]");
  },
  kernel: kernelOf("cutMix", ([samples, height, width]) => pixelGrid(width, height, samples)),
  traits: { couplesBatch: true },
});
export const cutMixReference: Reference = ([x, partner, boxes]) => {
  const [samples, height, width, channels] = x.shape;
  return [
    x.data.map((value, at) => {
      const pixel = Math.floor(at / channels);
      const n = Math.floor(pixel / (height * width));
      if (partner.data[n] >= samples) return Number.NaN;
      const row = (Math.floor(pixel / width) % height) - boxes.data[4 * n];
      const column = (pixel % width) - boxes.data[4 * n + 1];
      const isInside = row >= 0 && column >= 0 && row < boxes.data[4 * n + 2] && column < boxes.data[4 * n + 3];
      return isInside ? x.data[at + (partner.data[n] - n) * height * width * channels] : value;
    }),
  ];
};
export const cutMixCases = (): OpCase[] => [
  {
    inputs: [
      { shape: [4, 6, 5, 3] },
      { shape: [4], dtype: "i32", below: 4 },
      { shape: [4, 4], positive: true, scale: 2 },
    ],
    differentiate: [],
  },
];

/** Throws a ShapeError unless partner is i32 [N] and lambda f32 [N]. */
export const mixUp = (x: Tensor, partner: Tensor, lambda: Tensor, label?: string): Tensor =>
  apply(mixUpOp, [x, partner, lambda], {}, label);

/** Throws a ShapeError unless partner is i32 [N] and boxes f32 [N, 4]. The labels mix by area: `mixUp` with 1 − area / (H·W). */
export const cutMix = (x: Tensor, partner: Tensor, boxes: Tensor, label?: string): Tensor =>
  apply(cutMixOp, [x, partner, boxes], {}, label);
