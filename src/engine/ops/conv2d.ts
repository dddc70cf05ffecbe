import code from "../../shaders/conv2d.wgsl?raw";
import tiledCode from "../../shaders/conv2dTiled.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { flatGrid } from "../kernel.ts";
import { defineOp, type KernelCall, type KernelContext, type Reference, type Shader, type Traits } from "../op.ts";
import { formatShape, type Shape, sizeOf } from "../types.ts";
import {
  type ConvCase,
  checkRanks,
  checkUpstream,
  convCases,
  forEachTap,
  forwardShapes,
  gradientShapes,
  type Kernel,
  lineSplits,
  naiveKernel,
  outputArea,
  partialShapes,
  unitWindow,
  type Window,
  workgroups,
} from "./convGeometry.ts";
import { withMasks } from "./epilogue.ts";
import { matmul } from "./matmul.ts";
import { sum } from "./reduce.ts";
import { reshape } from "./reshape.ts";

const shader: Shader = { name: "conv2d", code };
const tiledShader: Shader = { name: "conv2dTiled", code: tiledCode };

/** The naive rung of each op by its name: the oracle of the tiled one, which gives the same bits. */
export const naiveConv2dKernels: Readonly<Record<string, Kernel>> = {
  conv2d: naiveKernel(shader, "forward", forwardShapes),
  conv2dInputGradient: naiveKernel(shader, "inputGradient", gradientShapes),
  conv2dWeightPartial: naiveKernel(shader, "weightGradient", partialShapes),
};

/** The naive call with the tiled kernel over `tiles` invocations. */
const tiled = (call: KernelCall, tiles: number, { adapter, choice }: KernelContext): KernelCall => ({
  ...call,
  shader: tiledShader,
  overrides: { ...call.overrides, ROLLED: adapter.software ? 1 : 0, WORKGROUP: choice?.workgroup ?? 64 },
  grid: flatGrid(tiles, choice?.workgroup),
});

const forwardKernel: Kernel = (context) => {
  const call = naiveConv2dKernels.conv2d(context);
  const { y } = forwardShapes(context);
  if (y[3] % 4 !== 0) return call;
  const tiles = y[0] * y[1] * Math.ceil(y[2] / 8) * Math.ceil(y[3] / 8);
  return tiled(withMasks(call, context.attributes), tiles, context);
};

/** An invocation has eight pixels of a line: whole words where eight divide the line. */
const forwardMasks: Traits["masks"] = ({ outputs: [y] }) => ({ writesRows: y.shape[2] % 8 === 0 ? 8 : 0 });

const inputGradientKernel: Kernel = (context) => {
  const call = naiveConv2dKernels.conv2dInputGradient(context);
  const { x } = gradientShapes(context);
  const across: number = context.attributes.strides[1];
  const tiles = x[0] * x[1] * Math.ceil(x[2] / (8 * across)) * across * Math.ceil(x[3] / 4);
  return tiled(withMasks(call, context.attributes), tiles, context);
};

const weightPartialKernel: Kernel = (context) => {
  const call = naiveConv2dKernels.conv2dWeightPartial(context);
  const { w, splits } = partialShapes(context);
  if (w[3] % 4 !== 0) return call;
  return tiled(call, splits * w[0] * Math.ceil((w[1] * w[2]) / 4) * Math.ceil(w[3] / 8), context);
};

/** x [N, H, W, Cin] with w [kh, kw, Cin, Cout] → [N, H', W', Cout]. */
export const conv2dOp = defineOp("conv2d", {
  arity: 2,
  infer: ([x, w], attributes) => {
    checkRanks([x], w, 4);
    if (w.shape[2] !== x.shape[3])
      throw new ShapeError(
        `the weights' third axis must equal the image's channels, found ${formatShape(w.shape)} with ${formatShape(x.shape)}`,
      );
    return [{ dtype: "f32", shape: [x.shape[0], ...outputArea(x.shape, w.shape, attributes as Window), w.shape[3]] }];
  },
  gradient: ({ inputs: [x, w], attributes, upstream: [dy] }) => [
    conv2dInputGradient(dy as Tensor, w, x.shape, attributes as Window),
    conv2dWeightGradient(x, dy as Tensor, w.shape, attributes as Window),
  ],
  kernel: forwardKernel,
  candidates: ({ outputs: [y], adapter }) => (y.shape[3] % 4 === 0 ? workgroups(adapter) : []),
  traits: { acceptsEpilogue: true, masks: forwardMasks, linear: { weights: 1, scales: "output" } },
});

export const conv2dReference: Reference = ([x, w], { attributes, outputs: [y] }) => {
  const [, , channels, outChannels] = w.shape;
  const result = new Float64Array(sizeOf(y.shape));
  forEachTap(x.shape, y.shape, w.shape, attributes as Window, (from, to, tap) => {
    for (let c = 0; c < channels; c++) {
      const value = x.data[from * channels + c];
      const row = (tap * channels + c) * outChannels;
      for (let o = 0; o < outChannels; o++) result[to * outChannels + o] += value * w.data[row + o];
    }
  });
  return [result];
};

/** dy [N, H', W', Cout] with w → the gradient of x, whose shape the attribute `inputShape` holds. */
export const conv2dInputGradientOp = defineOp("conv2dInputGradient", {
  arity: 2,
  infer: ([dy, w], attributes) => {
    checkRanks([dy], w, 4);
    const x: Shape = attributes.inputShape;
    checkUpstream(dy, [x[0], ...outputArea(x, w.shape, attributes as Window), w.shape[3]]);
    return [{ dtype: "f32", shape: [dy.shape[0], ...x.slice(1, 3), w.shape[2]] }];
  },
  gradient: ({ inputs: [dy, w], attributes, upstream: [dx] }) => [
    convolve(dx as Tensor, w, attributes as Window),
    conv2dWeightGradient(dx as Tensor, dy, w.shape, attributes as Window),
  ],
  kernel: inputGradientKernel,
  candidates: ({ adapter }) => workgroups(adapter),
  traits: { acceptsEpilogue: true, masks: () => ({ writesRows: 0 }), linear: { weights: 1, scales: "input" } },
});

export const conv2dInputGradientReference: Reference = ([dy, w], { attributes, outputs: [x] }) => {
  const [, , channels, outChannels] = w.shape;
  const result = new Float64Array(sizeOf(x.shape));
  forEachTap(x.shape, dy.shape, w.shape, attributes as Window, (to, from, tap) => {
    for (let c = 0; c < channels; c++) {
      const row = (tap * channels + c) * outChannels;
      let total = 0;
      for (let o = 0; o < outChannels; o++) total += dy.data[from * outChannels + o] * w.data[row + o];
      result[to * channels + c] += total;
    }
  });
  return [result];
};

/** Partial weight gradients over equal runs of the lines of dy → [splits, kh, kw, Cin, Cout]. */
export const conv2dWeightPartialOp = defineOp("conv2dWeightPartial", {
  arity: 2,
  infer: (_, { splits, kernelShape }) => [{ dtype: "f32", shape: [splits, ...kernelShape] }],
  kernel: weightPartialKernel,
  candidates: ({ attributes, adapter }) => (attributes.kernelShape[3] % 4 === 0 ? workgroups(adapter) : []),
  traits: { couplesBatch: true },
});

export const conv2dWeightPartialReference: Reference = ([x, dy], { attributes }) => {
  const { kernelShape, splits } = attributes;
  const [, , channels, outChannels] = kernelShape;
  const [batch, outHeight, outWidth] = dy.shape;
  const length = Math.ceil((batch * outHeight) / splits);
  const result = new Float64Array(splits * sizeOf(kernelShape));
  forEachTap(x.shape, dy.shape, kernelShape, attributes as unknown as Window, (from, upstream, tap) => {
    const base = Math.floor(Math.floor(upstream / outWidth) / length) * sizeOf(kernelShape);
    for (let c = 0; c < channels; c++) {
      const row = base + (tap * channels + c) * outChannels;
      for (let o = 0; o < outChannels; o++)
        result[row + o] += x.data[from * channels + c] * dy.data[upstream * outChannels + o];
    }
  });
  return [result];
};

/** x with dy → the gradient of w, whose shape the attribute `kernelShape` holds. */
export const conv2dWeightGradientOp = defineOp("conv2dWeightGradient", {
  arity: 2,
  infer: ([x, dy], attributes) => {
    const { kernelShape } = attributes;
    checkRanks([x, dy], null, 4);
    checkUpstream(dy, [
      x.shape[0],
      ...outputArea(x.shape, kernelShape, attributes as unknown as Window),
      kernelShape[3],
    ]);
    return [{ dtype: "f32", shape: kernelShape }];
  },
  gradient: ({ inputs: [x, dy], attributes, upstream: [dw] }) => [
    conv2dInputGradient(dy, dw as Tensor, x.shape, attributes as unknown as Window),
    convolve(x, dw as Tensor, attributes as unknown as Window),
  ],
  lower: ([x, dy], attributes) => {
    const splits = lineSplits(dy.shape[1], sizeOf(attributes.kernelShape));
    return [sum(apply(conv2dWeightPartialOp, [x, dy], { ...attributes, splits }), [0])];
  },
  traits: { couplesBatch: true },
});
export const conv2dWeightGradientReference: Reference = (inputs, { attributes, outputs }) =>
  conv2dWeightPartialReference(inputs, { attributes: { ...attributes, splits: 1 }, outputs });

const convolve = (x: Tensor, w: Tensor, { strides, padding }: Window, label?: string): Tensor =>
  apply(conv2dOp, [x, w], { strides, padding }, label);

const conv2dInputGradient = (dy: Tensor, w: Tensor, inputShape: Shape, { strides, padding }: Window): Tensor =>
  apply(conv2dInputGradientOp, [dy, w], { strides, padding, inputShape });

const conv2dWeightGradient = (x: Tensor, dy: Tensor, kernelShape: Shape, { strides, padding }: Window): Tensor =>
  apply(conv2dWeightGradientOp, [x, dy], { strides, padding, kernelShape });

/** Odd sizes, kernels 1, 3 and 5, strides 1 to 3, paddings that differ on all sides. */
const shapes: readonly ConvCase[] = [
  [
    [1, 5, 5, 1],
    [3, 3, 1, 1],
    [1, 1],
    [1, 1, 1, 1],
  ],
  [
    [2, 9, 7, 3],
    [3, 3, 3, 5],
    [2, 2],
    [0, 1, 0, 1],
  ],
  [
    [1, 6, 11, 5],
    [1, 1, 5, 3],
    [2, 3],
    [0, 0, 0, 0],
  ],
  [
    [2, 8, 9, 3],
    [5, 3, 3, 33],
    [1, 2],
    [2, 1, 0, 1],
  ],
  [
    [1, 7, 7, 33],
    [5, 5, 33, 3],
    [3, 1],
    [2, 2, 2, 2],
  ],
  [
    [1, 4, 5, 3],
    [3, 3, 3, 2],
    [1, 1],
    [2, 3, 3, 2],
  ],
  [
    [3, 16, 18, 3],
    [3, 3, 3, 32],
    [2, 2],
    [0, 1, 0, 1],
  ],
];
const cases = () => convCases(shapes);
export const conv2dCases = () => cases().forward;
export const conv2dInputGradientCases = () => cases().inputGradient;
export const conv2dWeightPartialCases = () => cases().weightPartial;
export const conv2dWeightGradientCases = () => cases().weightGradient;

/**
 * Convolution (cross-correlation, as in every framework): x [N, H, W, Cin], w [kh, kw, Cin, Cout] → [N, H', W', Cout] with
 * H' = ⌊(H + top + bottom − kh) / sy⌋ + 1, likewise W'. Padding is [top, bottom, left, right]; see {@link samePadding}.
 * A 1×1 convolution without stride or padding becomes a matrix product. Throws a ShapeError when the shapes do not fit.
 */
export function conv2d(x: Tensor, w: Tensor, options: Partial<Window> = {}, label?: string): Tensor {
  const window = { ...unitWindow, ...options };
  const isPointwise = w.shape.length === 4 && w.shape[0] * w.shape[1] === 1;
  const isPlain = [...window.strides].every((stride) => stride === 1) && window.padding.every((zeros) => zeros === 0);
  return isPointwise && isPlain ? pointwiseConv2d(x, w, label) : convolve(x, w, window, label);
}

/** A 1×1 convolution: x [..., Cin], w [1, 1, Cin, Cout] or [Cin, Cout] → [..., Cout], as a matrix product. */
export const pointwiseConv2d = (x: Tensor, w: Tensor, label?: string): Tensor =>
  matmul(x, reshape(w, w.shape.slice(-2)), label);

export { samePadding } from "./convGeometry.ts";
