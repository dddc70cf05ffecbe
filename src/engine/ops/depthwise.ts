import code from "../../shaders/depthwise.wgsl?raw";
import slidingCode from "../../shaders/depthwiseSliding.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { flatGrid } from "../kernel.ts";
import {
  type Choice,
  defineOp,
  type KernelCall,
  type KernelContext,
  type Reference,
  type Shader,
  type Traits,
} from "../op.ts";
import { formatShape, type Shape, sizeOf } from "../types.ts";
import {
  type ConvCase,
  checkRanks,
  checkUpstream,
  convCases,
  forEachTap,
  forwardShapes,
  geometryWords,
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
import { sum } from "./reduce.ts";

const shader: Shader = { name: "depthwise", code };
const slidingShader: Shader = { name: "depthwiseSliding", code: slidingCode };

/** The naive rung of each op by its name: the oracle of the sliding one, which gives the same bits. */
export const naiveDepthwiseKernels: Readonly<Record<string, Kernel>> = {
  depthwiseConv2d: naiveKernel(shader, "forward", forwardShapes),
  depthwiseInputGradient: naiveKernel(shader, "inputGradient", gradientShapes),
  depthwiseWeightPartial: naiveKernel(shader, "weightGradient", partialShapes),
};

/** `depthwiseSliding.wgsl` knows 3×3 kernels, equal strides of 1 or 2, and whole vectors of four channels. */
const slides = (w: Shape, { strides: [down, right] }: Window): boolean =>
  w[0] === 3 && w[1] === 3 && w[2] % 4 === 0 && down === right && right <= 2;

/** The naive call with another kernel and a grid over `pixels` blocks of pixels, each with its vectors of channels. */
function sliding(
  call: KernelCall,
  entryPoint: string,
  channels: number,
  pixels: number,
  { adapter, choice }: KernelContext,
  overrides: Record<string, number> = {},
): KernelCall {
  const workgroup = choice?.workgroup ?? (adapter.software ? 16 : 64); // small ones share few bands among the threads of a software adapter
  return {
    ...call,
    shader: slidingShader,
    entryPoint,
    overrides: { ...call.overrides, ...overrides, ROLLED: adapter.software ? 1 : 0, WORKGROUP: workgroup },
    grid: flatGrid((pixels * channels) / 4, workgroup),
  };
}

/** Neighbouring outputs of one invocation. */
const runOf = ({ strides }: Window): number => (strides[1] === 1 ? 7 : 4);

/** The convolution of images `x` to `y` by bands: on software adapters, which pay for loads, high ones; else enough to fill a GPU. */
function slidingBands(
  call: KernelCall,
  [x, y, w]: readonly [Shape, Shape, Shape],
  window: Window,
  context: KernelContext,
  overrides: Record<string, number> = {},
): KernelCall {
  const lines = Math.min(y[1], context.choice?.lines ?? (context.adapter.software ? 14 : 4));
  const blocks = y[0] * Math.ceil(y[1] / lines) * Math.ceil(y[2] / runOf(window));
  const uniforms = [...geometryWords(x, y, w, window), lines, 0];
  return sliding({ ...call, uniforms }, `stride${window.strides[1]}`, w[2], blocks, context, overrides);
}

const forwardKernel: Kernel = (context) => {
  const naive = naiveDepthwiseKernels.depthwiseConv2d(context);
  const { x, y, w } = forwardShapes(context);
  const window = context.attributes as Window;
  if (!slides(w, window)) return naive;
  return slidingBands(withMasks(naive, context.attributes), [x, y, w], window, context);
};

const gradientMasks: Traits["masks"] = ({ inputs: [, w], attributes }) =>
  slides(w.shape, attributes as Window) ? { writesRows: 0 } : null;

/** Workgroups, and for the kernels that slide down the image the lines of a band. */
function candidates(w: Shape, context: KernelContext, lines: number): Choice[] {
  if (!slides(w, context.attributes as Window)) return [];
  const bands = [1, 4, 7, 14, 28].filter((band) => band <= Math.max(1, lines));
  return workgroups(context.adapter).flatMap((choice) => bands.map((band) => ({ ...choice, lines: band })));
}

/** An invocation has a run of pixels of a line: whole words where runs divide the line. */
const forwardMasks: Traits["masks"] = (context) => {
  const run = runOf(context.attributes as Window);
  return gradientMasks(context) && { writesRows: context.outputs[0].shape[2] % run === 0 ? run : 0 };
};

const inputGradientKernel: Kernel = (context) => {
  const naive = naiveDepthwiseKernels.depthwiseInputGradient(context);
  const { x, y, w } = gradientShapes(context);
  const { strides, padding } = context.attributes as Window;
  if (!slides(w, { strides, padding })) return naive;
  const call = withMasks(naive, context.attributes);
  if (strides[1] === 2)
    return sliding(call, "gradientOfStride2", w[2], x[0] * x[1] * Math.ceil((x[2] + padding[2]) / 8), context);
  // A convolution of dy with the kernel turned round; the padding may be negative, which wraps round in the kernel.
  const turned: Window = { strides, padding: [2 - padding[0], 0, 2 - padding[2], 0] };
  return slidingBands(call, [y, x, w], turned, context, { FLIP: 1 });
};

const weightPartialKernel: Kernel = (context) => {
  const call = naiveDepthwiseKernels.depthwiseWeightPartial(context);
  const { w, splits } = partialShapes(context);
  const window = context.attributes as Window;
  if (!slides(w, window)) return call;
  return sliding(call, "weightGradient", w[2], splits, context, { STRIDE: window.strides[1] });
};

/** x [N, H, W, C] with w [kh, kw, C] → [N, H', W', C]. */
export const depthwiseConv2dOp = defineOp("depthwiseConv2d", {
  arity: 2,
  infer: ([x, w], attributes) => {
    checkRanks([x], w, 3);
    if (w.shape[2] !== x.shape[3])
      throw new ShapeError(
        `the weights' last axis must equal the image's channels, found ${formatShape(w.shape)} with ${formatShape(x.shape)}`,
      );
    return [{ dtype: "f32", shape: [x.shape[0], ...outputArea(x.shape, w.shape, attributes as Window), x.shape[3]] }];
  },
  gradient: ({ inputs: [x, w], attributes, upstream: [dy] }) => [
    depthwiseInputGradient(dy as Tensor, w, x.shape, attributes as Window),
    depthwiseWeightGradient(x, dy as Tensor, w.shape, attributes as Window),
  ],
  kernel: forwardKernel,
  candidates: (context) => candidates(context.inputs[1].shape, context, context.outputs[0].shape[1]),
  traits: { acceptsEpilogue: true, masks: forwardMasks, linear: { weights: 1, scales: "output" } },
});

export const depthwiseConv2dReference: Reference = ([x, w], { attributes, outputs: [y] }) => {
  const channels = w.shape[2];
  const result = new Float64Array(sizeOf(y.shape));
  forEachTap(x.shape, y.shape, w.shape, attributes as Window, (from, to, tap) => {
    for (let c = 0; c < channels; c++)
      result[to * channels + c] += x.data[from * channels + c] * w.data[tap * channels + c];
  });
  return [result];
};

/** dy [N, H', W', C] with w → the gradient of x, whose shape the attribute `inputShape` holds. */
export const depthwiseInputGradientOp = defineOp("depthwiseInputGradient", {
  arity: 2,
  infer: ([dy, w], attributes) => {
    checkRanks([dy], w, 3);
    const x: Shape = attributes.inputShape;
    checkUpstream(dy, [x[0], ...outputArea(x, w.shape, attributes as Window), w.shape[2]]);
    return [{ dtype: "f32", shape: [dy.shape[0], ...x.slice(1)] }];
  },
  gradient: ({ inputs: [dy, w], attributes, upstream: [dx] }) => [
    depthwiseConv2d(dx as Tensor, w, attributes as Window),
    depthwiseWeightGradient(dx as Tensor, dy, w.shape, attributes as Window),
  ],
  kernel: inputGradientKernel,
  candidates: (context) => {
    const slidesDown = context.attributes.strides[0] === 1;
    return candidates(context.inputs[1].shape, context, slidesDown ? context.outputs[0].shape[1] : 1);
  },
  traits: { acceptsEpilogue: true, masks: gradientMasks, linear: { weights: 1, scales: "input" } },
});

export const depthwiseInputGradientReference: Reference = ([dy, w], { attributes, outputs: [x] }) => {
  const channels = w.shape[2];
  const result = new Float64Array(sizeOf(x.shape));
  forEachTap(x.shape, dy.shape, w.shape, attributes as Window, (to, from, tap) => {
    for (let c = 0; c < channels; c++)
      result[to * channels + c] += dy.data[from * channels + c] * w.data[tap * channels + c];
  });
  return [result];
};

/** Partial weight gradients over equal runs of the lines of dy → [splits, kh, kw, C]. */
export const depthwiseWeightPartialOp = defineOp("depthwiseWeightPartial", {
  arity: 2,
  infer: (_, { splits, kernelShape }) => [{ dtype: "f32", shape: [splits, ...kernelShape] }],
  kernel: weightPartialKernel,
  candidates: (context) => candidates(context.attributes.kernelShape, context, 1),
  traits: { couplesBatch: true },
});

export const depthwiseWeightPartialReference: Reference = ([x, dy], { attributes }) => {
  const { kernelShape, splits } = attributes;
  const channels = kernelShape[2];
  const [batch, outHeight, outWidth] = dy.shape;
  const length = Math.ceil((batch * outHeight) / splits);
  const result = new Float64Array(splits * sizeOf(kernelShape));
  forEachTap(x.shape, dy.shape, kernelShape, attributes as unknown as Window, (from, upstream, tap) => {
    const base = Math.floor(Math.floor(upstream / outWidth) / length) * sizeOf(kernelShape) + tap * channels;
    for (let c = 0; c < channels; c++)
      result[base + c] += x.data[from * channels + c] * dy.data[upstream * channels + c];
  });
  return [result];
};

/** x with dy → the gradient of w, whose shape the attribute `kernelShape` holds. */
export const depthwiseWeightGradientOp = defineOp("depthwiseWeightGradient", {
  arity: 2,
  infer: ([x, dy], attributes) => {
    const { kernelShape } = attributes;
    checkRanks([x, dy], null, 3);
    checkUpstream(dy, [
      x.shape[0],
      ...outputArea(x.shape, kernelShape, attributes as unknown as Window),
      kernelShape[2],
    ]);
    return [{ dtype: "f32", shape: kernelShape }];
  },
  gradient: ({ inputs: [x, dy], attributes, upstream: [dw] }) => [
    depthwiseInputGradient(dy, dw as Tensor, x.shape, attributes as unknown as Window),
    depthwiseConv2d(x, dw as Tensor, attributes as unknown as Window),
  ],
  lower: ([x, dy], attributes) => {
    const splits = lineSplits(dy.shape[1], sizeOf(attributes.kernelShape));
    return [sum(apply(depthwiseWeightPartialOp, [x, dy], { ...attributes, splits }), [0])];
  },
  traits: { couplesBatch: true },
});
export const depthwiseWeightGradientReference: Reference = (inputs, { attributes, outputs }) =>
  depthwiseWeightPartialReference(inputs, { attributes: { ...attributes, splits: 1 }, outputs });

const depthwiseInputGradient = (dy: Tensor, w: Tensor, inputShape: Shape, { strides, padding }: Window): Tensor =>
  apply(depthwiseInputGradientOp, [dy, w], { strides, padding, inputShape });

const depthwiseWeightGradient = (x: Tensor, dy: Tensor, kernelShape: Shape, { strides, padding }: Window): Tensor =>
  apply(depthwiseWeightGradientOp, [x, dy], { strides, padding, kernelShape });

/** Odd sizes, kernels 1, 3 and 5, strides 1 to 3, paddings that differ on all sides. */
const shapes: readonly ConvCase[] = [
  [
    [1, 5, 5, 1],
    [3, 3, 1],
    [1, 1],
    [1, 1, 1, 1],
  ],
  [
    [2, 9, 7, 3],
    [3, 3, 3],
    [2, 2],
    [0, 1, 0, 1],
  ],
  [
    [1, 6, 11, 5],
    [1, 1, 5],
    [2, 3],
    [0, 0, 0, 0],
  ],
  [
    [2, 8, 9, 33],
    [5, 3, 33],
    [1, 2],
    [2, 1, 0, 1],
  ],
  [
    [1, 7, 7, 8],
    [5, 5, 8],
    [3, 1],
    [2, 2, 2, 2],
  ],
  [
    [1, 4, 5, 4],
    [3, 3, 4],
    [1, 1],
    [2, 3, 3, 2],
  ],
  [
    [3, 11, 13, 24],
    [3, 3, 24],
    [1, 1],
    [1, 1, 1, 1],
  ],
  [
    [2, 14, 18, 16],
    [3, 3, 16],
    [2, 2],
    [0, 1, 0, 1],
  ],
  [
    [2, 7, 9, 12],
    [3, 3, 12],
    [2, 2],
    [1, 1, 1, 1],
  ],
];
const cases = () => convCases(shapes);
export const depthwiseConv2dCases = () => cases().forward;
export const depthwiseInputGradientCases = () => cases().inputGradient;
export const depthwiseWeightPartialCases = () => cases().weightPartial;
export const depthwiseWeightGradientCases = () => cases().weightGradient;

/**
 * Depthwise convolution with one kernel per channel: x [N, H, W, C], w [kh, kw, C] → [N, H', W', C], sizes and padding as in
 * `conv2d`. Throws a ShapeError when the shapes do not fit.
 */
export function depthwiseConv2d(x: Tensor, w: Tensor, options: Partial<Window> = {}, label?: string): Tensor {
  const { strides, padding } = { ...unitWindow, ...options };
  return apply(depthwiseConv2dOp, [x, w], { strides, padding }, label);
}
