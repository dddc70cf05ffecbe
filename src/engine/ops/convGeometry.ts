import { ShapeError } from "../errors.ts";
import { flatGrid } from "../kernel.ts";
import type { AdapterTraits, Choice, KernelCall, KernelContext, OpCase, Shader } from "../op.ts";
import { formatShape, formatType, type Shape, sizeOf, type TensorType } from "../types.ts";
import { epilogueBindings, epilogueOverrides } from "./epilogue.ts";

/** How a kernel moves over the image: steps down and right, and zeros around it: top, bottom, left, right. */
export interface Window {
  readonly strides: readonly [number, number];
  readonly padding: readonly [number, number, number, number];
}

export const unitWindow: Window = { strides: [1, 1], padding: [0, 0, 0, 0] };

/** Zeros before and after one axis for TensorFlow's SAME: ⌈size / stride⌉ outputs, the odd zero at the end. */
export function samePadding(size: number, kernel: number, stride: number): [number, number] {
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + kernel - size);
  const before = total >> 1;
  return [before, total - before];
}

const outputSize = (size: number, kernel: number, stride: number, padding: number): number =>
  Math.floor((size + padding - kernel) / stride) + 1;

/** Height and width of the result; throws a ShapeError where strides, padding or sizes make none. */
export function outputArea(
  [, height, width]: readonly number[],
  [kernelHeight, kernelWidth]: readonly number[],
  { strides, padding }: Window,
): [number, number] {
  const isWhole = (least: number) => (value: number) => Number.isInteger(value) && value >= least;
  if (strides.length !== 2 || !strides.every(isWhole(1)) || padding.length !== 4 || !padding.every(isWhole(0)))
    throw new ShapeError(
      `expected two strides of at least 1 and four paddings of at least 0, found strides [${strides}] and padding [${padding}]`,
    );
  const [top, bottom, left, right] = padding;
  const area: [number, number] = [
    outputSize(height, kernelHeight, strides[0], top + bottom),
    outputSize(width, kernelWidth, strides[1], left + right),
  ];
  if (area.some((size) => !(size >= 1)))
    throw new ShapeError(
      `a ${kernelHeight}×${kernelWidth} kernel does not fit ${height}×${width} with padding [${padding}]; pad more`,
    );
  return area;
}

/** Throws a ShapeError unless the images are f32 [N, H, W, C] and the weights f32 of `weightRank`. */
export function checkRanks(images: readonly TensorType[], weights: TensorType | null, weightRank: number): void {
  const image = images.find(({ dtype, shape }) => dtype !== "f32" || shape.length !== 4);
  if (image) throw new ShapeError(`expected f32 images [N, H, W, C], found ${formatType(image)}`);
  if (weights && (weights.dtype !== "f32" || weights.shape.length !== weightRank))
    throw new ShapeError(`expected f32 weights of rank ${weightRank}, found ${formatType(weights)}`);
}

/** Throws a ShapeError unless `dy` has the shape that the convolution of `x` gives. */
export function checkUpstream(dy: TensorType, expected: readonly number[]): void {
  if (dy.shape.slice(1).join() !== expected.slice(1).join())
    throw new ShapeError(`expected the gradient of ${formatShape(expected)}, found ${formatShape(dy.shape)}`);
}

/** The uniform words that every convolution kernel starts with: `x` and `y` are concrete image shapes. */
export function geometryWords(
  x: readonly number[],
  y: readonly number[],
  [kernelHeight, kernelWidth]: readonly number[],
  { strides, padding }: Window,
): number[] {
  return [...x, ...y.slice(1), kernelHeight, kernelWidth, ...strides, padding[0], padding[2]];
}

/** The lines (rows of all output images) are cut into this many partial sums; it depends on the shape of one sample alone. */
export function lineSplits(outputHeight: number, weights: number): number {
  const byMemory = Math.max(1, Math.floor((1 << 18) / weights));
  return Math.min(outputHeight, byMemory, 56);
}

/** Calls `visit` with the pixel of x, the pixel of y and the kernel position of every product of a convolution, for the references. */
export function forEachTap(
  [batch, height, width]: readonly number[],
  [, outHeight, outWidth]: readonly number[],
  [kernelHeight, kernelWidth]: readonly number[],
  { strides, padding: [top, , left] }: Window,
  visit: (xPixel: number, yPixel: number, tap: number) => void,
): void {
  for (let n = 0; n < batch; n++)
    for (let p = 0; p < outHeight; p++)
      for (let q = 0; q < outWidth; q++)
        for (let i = 0; i < kernelHeight; i++) {
          const h = p * strides[0] + i - top;
          if (h < 0 || h >= height) continue;
          for (let j = 0; j < kernelWidth; j++) {
            const v = q * strides[1] + j - left;
            if (v < 0 || v >= width) continue;
            visit((n * height + h) * width + v, (n * outHeight + p) * outWidth + q, i * kernelWidth + j);
          }
        }
}

/** Sizes of a flat workgroup that a tuner may choose from. */
export const workgroups = ({ maxInvocations }: AdapterTraits): Choice[] =>
  [16, 32, 64, 128].filter((workgroup) => workgroup <= maxInvocations).map((workgroup) => ({ workgroup }));

export type Kernel = (context: KernelContext) => KernelCall;

/** The shapes of the forward convolution that a call belongs to. */
export interface ConvShapes {
  readonly x: Shape;
  readonly y: Shape;
  readonly w: Shape;
  readonly splits: number;
}
type ShapesOf = (context: KernelContext) => ConvShapes;

export const forwardShapes: ShapesOf = ({ inputs: [x, w], outputs: [y] }) => ({
  x: x.shape,
  y: y.shape,
  w: w.shape,
  splits: 1,
});
export const gradientShapes: ShapesOf = ({ inputs: [dy, w], outputs: [dx] }) => ({
  x: dx.shape,
  y: dy.shape,
  w: w.shape,
  splits: 1,
});
export const partialShapes: ShapesOf = ({ inputs: [x, dy], attributes: { kernelShape, splits } }) => ({
  x: x.shape,
  y: dy.shape,
  w: kernelShape,
  splits,
});

/** The call of a naive kernel: one invocation per output. */
export const naiveKernel =
  (shader: Shader, entryPoint: string, shapesOf: ShapesOf): Kernel =>
  (context) => {
    const { attributes, outputs } = context;
    const { x, y, w, splits } = shapesOf(context);
    return {
      shader,
      entryPoint,
      overrides: epilogueOverrides(attributes),
      uniforms: [...geometryWords(x, y, w, attributes as Window), Math.ceil((y[0] * y[1]) / splits), splits],
      bindings: [{ input: 0 }, { input: 1 }, ...epilogueBindings(attributes), { output: 0 }],
      grid: flatGrid(sizeOf(outputs[0].shape)),
      // Every output adds a product per kernel position, and per channel where w has the axis of input channels.
      flops: 2 * sizeOf(y) * sizeOf(w.slice(0, -1)),
      bytes: 4 * (sizeOf(x) + sizeOf(y) + splits * sizeOf(w)),
    };
  };

/** The shapes of x and w, strides and padding of a forward convolution. */
export type ConvCase = readonly [x: Shape, w: Shape, strides: Window["strides"], padding: Window["padding"]];

/** The cases of the four ops of a family of convolutions. */
export function convCases(shapes: readonly ConvCase[]) {
  const casesOf = (
    inputsOf: (x: Shape, y: Shape, w: Shape) => readonly Shape[],
    extra: (x: Shape, w: Shape) => object,
  ): OpCase[] =>
    shapes.map(([x, w, strides, padding]) => {
      const y = [x[0], ...outputArea(x, w, { strides, padding }), w[w.length - 1]];
      return {
        inputs: inputsOf(x, y, w).map((shape) => ({ shape })),
        attributes: { strides, padding, ...extra(x, w) },
      };
    });
  return {
    forward: casesOf(
      (x, _, w) => [x, w],
      () => ({}),
    ),
    inputGradient: casesOf(
      (_, y, w) => [y, w],
      (inputShape) => ({ inputShape }),
    ),
    weightPartial: casesOf(
      (x, y) => [x, y],
      (_, kernelShape) => ({ kernelShape, splits: 3 }),
    ),
    weightGradient: casesOf(
      (x, y) => [x, y],
      (_, kernelShape) => ({ kernelShape }),
    ),
  };
}
