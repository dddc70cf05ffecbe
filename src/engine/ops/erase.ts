import code from "../../shaders/erase.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { bindInput, bindOutput } from "../kernel.ts";
import { type Binding, defineOp, type KernelContext, type OpCase, type Reference, type Shader } from "../op.ts";
import { randomBitsAt } from "../random.ts";
import { formatType, type Shape, sizeOf, type TensorType } from "../types.ts";
import { pixelGrid } from "./affine.ts";

const shader: Shader = { name: "erase", code };

function checkShapes(x: TensorType, operands: readonly (readonly [TensorType, string, string])[]): TensorType[] {
  if (x.dtype !== "f32" || x.shape.length !== 4)
    throw new ShapeError(`expected f32 [N, height, width, channels], found ${formatType(x)}`);
  for (const [type, wanted, what] of operands)
    if (`${type.dtype} ${type.shape.join()}` !== wanted)
      throw new ShapeError(`expected ${what} for each image of ${formatType(x)}, found ${formatType(type)}`);
  return [x];
}

const isPicture = ({ shape }: { readonly shape: Shape }): boolean => shape.length === 4;

/* @__NO_SIDE_EFFECTS__ */
const kernelOf =
  (entryPoint: string, bindings: readonly Binding[]) =>
  ({ inputs: [x] }: KernelContext) => ({
    shader,
    entryPoint,
    uniforms: x.shape,
    bindings,
    grid: pixelGrid(x.shape[2], x.shape[1], x.shape[0]),
    flops: 8 * sizeOf(x.shape),
    bytes: 8 * sizeOf(x.shape),
  });

/**
 * x [N, H, W, C], boxes [N, 4] (top, left, height, width in pixels), colours [N, C]: the box of each image in its colour. With
 * colours of x's own shape they are another picture, which shows through the box.
 */
export const eraseOp = defineOp("erase", {
  arity: 3,
  infer: ([x, boxes, colours]) =>
    checkShapes(x, [
      [boxes, `f32 ${[x.shape[0], 4]}`, "a box f32 [N, 4]"],
      [colours, `f32 ${isPicture(colours) ? x.shape : [x.shape[0], x.shape[3]]}`, "a colour f32 [N, C]"],
    ]),
  kernel: (context) => ({
    ...kernelOf("erase", [bindInput(0), bindInput(1), bindInput(2), null, bindOutput(0)])(context),
    overrides: { PICTURE: Number(isPicture(context.inputs[2])) },
  }),
});
export const eraseReference: Reference = ([x, boxes, colours]) => {
  const [, height, width, channels] = x.shape;
  return [
    x.data.map((value, at) => {
      const pixel = Math.floor(at / channels);
      const image = Math.floor(pixel / (height * width));
      const row = (Math.floor(pixel / width) % height) - boxes.data[4 * image];
      const column = (pixel % width) - boxes.data[4 * image + 1];
      const isInside = row >= 0 && column >= 0 && row < boxes.data[4 * image + 2] && column < boxes.data[4 * image + 3];
      return isInside ? colours.data[isPicture(colours) ? at : image * channels + (at % channels)] : value;
    }),
  ];
};
export const eraseCases = (): OpCase[] => [
  {
    inputs: [{ shape: [3, 6, 5, 3] }, { shape: [3, 4], positive: true, scale: 2 }, { shape: [3, 3] }],
    differentiate: [],
  },
  { inputs: [{ shape: [1, 1, 9, 1] }, { shape: [1, 4], offset: 1, scale: 2 }, { shape: [1, 1] }], differentiate: [] },
  {
    inputs: [{ shape: [2, 5, 7, 3] }, { shape: [2, 4], positive: true, scale: 3 }, { shape: [2, 5, 7, 3] }],
    differentiate: [],
  },
];

/** The inverse of the normal distribution function: Wichura's algorithm AS 241 (1988), PPND7, for p within 2^-24 of 0 and 1. */
export function inverseNormal(p: number): number {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    const over = ((59.10937472 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179;
    return (q * over) / (((67.1875636 * r + 78.757757664) * r + 17.895169469) * r + 1);
  }
  const r = Math.sqrt(-Math.log(q < 0 ? p : 1 - p)) - 1.6;
  const over = ((0.17023821103 * r + 1.3067284816) * r + 2.75681539) * r + 1.4234372777;
  return (Math.sign(q) * over) / ((0.12021132975 * r + 0.7370016425) * r + 1);
}

/** x [N, H, W, C], sigma [N], address i32 [N, 4] (seed, stream, sample, op): clip(x + σ·z), z standard normal, lane = element. */
export const noiseOp = defineOp("noise", {
  arity: 3,
  infer: ([x, sigma, address]) =>
    checkShapes(x, [
      [sigma, `f32 ${x.shape[0]}`, "a sigma f32 [N]"],
      [address, `i32 ${[x.shape[0], 4]}`, "an address i32 [N, 4]"],
    ]),
  kernel: kernelOf("noise", [bindInput(0), bindInput(1), null, bindInput(2), bindOutput(0)]),
});
export const noiseReference: Reference = ([x, sigmas, addresses]) => {
  const perImage = sizeOf(x.shape.slice(1));
  return [
    x.data.map((value, at) => {
      const image = Math.floor(at / perImage);
      const [seed, stream, sample, op] = addresses.data.subarray(4 * image, 4 * image + 4);
      if (sigmas.data[image] === 0) return value;
      const bits = randomBitsAt({ seed, stream, sample, op, lane: at % perImage });
      const noisy = value + sigmas.data[image] * inverseNormal(((bits >>> 9) + 0.5) * 2 ** -23);
      return noisy < 0 ? 0 : noisy > 255 ? 255 : noisy;
    }),
  ];
};
export const noiseCases = (): OpCase[] => [
  {
    inputs: [
      { shape: [3, 7, 5, 3], scale: 60, offset: 128 },
      { shape: [3], scale: 20 },
      { shape: [3, 4], dtype: "i32", below: 2 ** 31 },
    ],
    differentiate: [],
  },
];

export const erase = (x: Tensor, boxes: Tensor, colours: Tensor, label?: string): Tensor =>
  apply(eraseOp, [x, boxes, colours], {}, label);
export const noise = (x: Tensor, sigma: Tensor, address: Tensor, label?: string): Tensor =>
  apply(noiseOp, [x, sigma, address], {}, label);
