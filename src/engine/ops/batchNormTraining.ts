import gradientCode from "../../shaders/batchNormGradient.wgsl?raw";
import code from "../../shaders/batchNormTraining.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, makeNode, type Tensor } from "../graph.ts";
import { flatGrid, float } from "../kernel.ts";
import {
  defineOp,
  type GradientContext,
  type KernelCall,
  type KernelContext,
  type OpCase,
  type Reference,
  type ReferenceTensor,
  type Shader,
  type UniformWord,
} from "../op.ts";
import { formatShape, formatType, hasBatch, sizeOf, type TensorType } from "../types.ts";
import { add, multiply, subtract } from "./binary.ts";
import { epilogueBindings, epilogueOverrides } from "./epilogue.ts";
import { columnGrid, inVectors, splitsFor, sumGrid } from "./lanes.ts";
import { expand, mean, sum } from "./reduce.ts";
import { reshape } from "./reshape.ts";
import { scale } from "./unary.ts";

const shader: Shader = { name: "batchNormTraining", code };
const gradientShader: Shader = { name: "batchNormGradient", code: gradientCode };

const channelsOf = ({ shape }: TensorType | Tensor): number => shape[shape.length - 1];

/** All axes but the channels. */
const rowAxes = ({ shape }: TensorType | Tensor): number[] => shape.slice(0, -1).map((_, axis) => axis);

const splitsOf = ({ shape }: TensorType | Tensor): number =>
  splitsFor(sizeOf(shape.slice(hasBatch(shape) ? 1 : 0, -1)));

const uniformsOf = ({ inputs: [x], attributes: { splits = 1, epsilon = 0 } }: KernelContext): UniformWord[] => {
  const rows = sizeOf(x.shape.slice(0, -1));
  return [rows, channelsOf(x), splits, float(epsilon), float(1 / rows)];
};

type Rung = Pick<KernelCall, "entryPoint" | "overrides" | "grid">;

/** One invocation for each part [split, channel] of a sum, or for each four channels of it. */
const sumsRung = ({ inputs: [x], outputs: [parts], adapter }: KernelContext, entryPoint: string): Rung => {
  const count = sizeOf(parts.shape);
  return channelsOf(x) % 4 === 0
    ? { entryPoint: `${entryPoint}Vectors`, ...sumGrid(count / 4, adapter) }
    : { entryPoint, grid: flatGrid(count) };
};

/** One invocation for each element, or for four channels of several rows. */
const mapRung = ({ inputs: [x], adapter }: KernelContext, entryPoint: string): Rung =>
  inVectors(channelsOf(x))
    ? { entryPoint: `${entryPoint}Vectors`, ...columnGrid(sizeOf(x.shape.slice(0, -1)), channelsOf(x), adapter) }
    : { entryPoint, grid: flatGrid(sizeOf(x.shape)) };

/** Sums over the rows of each channel, in `splits` parts: f gets the position and the channel. */
function channelSums(x: ReferenceTensor, splits: number, f: (at: number, channel: number) => number): Float64Array {
  const channels = channelsOf(x);
  const result = new Float64Array(splits * channels);
  for (let at = 0; at < x.data.length; at++) {
    const channel = at % channels;
    result[(Math.floor(at / channels) % splits) * channels + channel] += f(at, channel);
  }
  return result;
}

const rowsOf = (x: ReferenceTensor): number => x.data.length / channelsOf(x);

/** x [..., C], mean [C] → [splits, C]: parts of the biased variance. It only comes from lowering, so it has no gradient rule. */
export const variancePartialOp = defineOp("variancePartial", {
  arity: 2,
  infer: ([x], { splits }) => [{ dtype: "f32", shape: [splits, channelsOf(x)] }],
  kernel: (context) => {
    const [x] = context.inputs;
    const count = sizeOf(context.outputs[0].shape);
    return {
      shader,
      ...sumsRung(context, "deviations"),
      uniforms: uniformsOf(context),
      bindings: [{ input: 0 }, { input: 1 }, ...new Array(5).fill(null), { output: 0 }],
      flops: 3 * sizeOf(x.shape),
      bytes: 4 * (sizeOf(x.shape) + count),
    };
  },
  traits: { couplesBatch: true },
});
export const variancePartialReference: Reference = ([x, center], { attributes: { splits } }) => [
  channelSums(x, splits, (at, c) => (x.data[at] - center.data[c]) ** 2 / rowsOf(x)),
];
export const variancePartialCases = (): OpCase[] => [
  { inputs: [{ shape: [4, 5, 3, 7] }, { shape: [7] }], attributes: { splits: 6 } },
  { inputs: [{ shape: [33, 2] }, { shape: [2] }], attributes: { splits: 1 } },
  { inputs: [{ shape: [2, 17, 5, 12] }, { shape: [12] }], attributes: { splits: 6 } },
];

/** x [..., C], mean, variance, gamma, beta [C] → y. It only comes from lowering, so it has no gradient rule. */
export const batchNormApplyOp = defineOp("batchNormApply", {
  arity: 5,
  infer: ([x]) => [x],
  kernel: (context) => {
    const count = sizeOf(context.outputs[0].shape);
    const rung = mapRung(context, "normalise");
    return {
      shader,
      ...rung,
      overrides: { ...epilogueOverrides(context.attributes), ...rung.overrides },
      uniforms: uniformsOf(context),
      bindings: [
        ...[0, 1, 2, 3, 4].map((input) => ({ input })),
        ...epilogueBindings(context.attributes, 5),
        { output: 0 },
      ],
      flops: 3 * count,
      bytes: 8 * count,
    };
  },
  traits: { acceptsEpilogue: true },
});
export const batchNormApplyReference: Reference = ([x, center, variance, gamma, beta], { attributes: { epsilon } }) => {
  const channels = channelsOf(x);
  return [
    x.data.map((value, at) => {
      const c = at % channels;
      const normalised = (value - center.data[c]) / Math.sqrt(variance.data[c] + epsilon);
      return gamma.data[c] * normalised + beta.data[c];
    }),
  ];
};
export const batchNormApplyCases = (): OpCase[] =>
  [
    [4, 5, 3, 7],
    [33, 2],
    [2, 5, 7, 64],
  ].map((shape) => {
    const vector = { shape: [shape[shape.length - 1]] };
    return {
      inputs: [{ shape }, vector, { ...vector, positive: true, offset: 0.5 }, vector, vector],
      attributes: { epsilon: 1e-3 },
    };
  });

/** x, dy [..., C], mean, variance [C] → parts [splits, C] of Σ dy and of Σ dy · x̂. A gradient; not differentiated again. */
export const batchNormGradientSumsOp = defineOp("batchNormGradientSums", {
  arity: 4,
  infer: ([x], { splits }) => {
    const parts: TensorType = { dtype: "f32", shape: [splits, channelsOf(x)] };
    return [parts, parts];
  },
  kernel: (context) => {
    const size = sizeOf(context.inputs[0].shape);
    const count = sizeOf(context.outputs[0].shape);
    return {
      shader: gradientShader,
      ...sumsRung(context, "gradientSums"),
      uniforms: uniformsOf(context),
      flops: 4 * size,
      bytes: 8 * (size + count),
    };
  },
  traits: { couplesBatch: true },
});
export const batchNormGradientSumsReference: Reference = ([x, dy, center, variance], { attributes }) => {
  const { splits, epsilon } = attributes;
  const normalised = (at: number, c: number): number =>
    (x.data[at] - center.data[c]) / Math.sqrt(variance.data[c] + epsilon);
  return [
    channelSums(x, splits, (at) => dy.data[at]),
    channelSums(x, splits, (at, c) => dy.data[at] * normalised(at, c)),
  ];
};
export const batchNormGradientSumsCases = (): OpCase[] =>
  [
    { shape: [4, 5, 3, 7], splits: 6 },
    { shape: [33, 2], splits: 1 },
    { shape: [2, 17, 5, 12], splits: 6 },
  ].map(({ shape, splits }) => {
    const vector = { shape: [shape[shape.length - 1]] };
    return {
      inputs: [{ shape }, { shape }, vector, { ...vector, positive: true, offset: 0.5 }],
      attributes: { splits, epsilon: 1e-3 },
    };
  });

/**
 * x, dy [..., C], mean, variance, gamma, Σ dy, Σ dy·x̂ [C] → dx = γ/√(σ² + ε) · (dy − Σ dy/M − x̂ · Σ dy·x̂/M).
 * A gradient; not differentiated again.
 */
export const batchNormInputGradientOp = defineOp("batchNormInputGradient", {
  arity: 7,
  infer: ([x]) => [x],
  kernel: (context) => {
    const count = sizeOf(context.outputs[0].shape);
    return {
      shader: gradientShader,
      ...mapRung(context, "inputGradient"),
      uniforms: uniformsOf(context),
      flops: 5 * count,
      bytes: 12 * count,
    };
  },
  // The number of rows of the whole batch enters.
  traits: { couplesBatch: true },
});
export const batchNormInputGradientReference: Reference = (
  [x, dy, center, variance, gamma, sumDy, sumProduct],
  { attributes: { epsilon } },
) => {
  const channels = channelsOf(x);
  const rows = rowsOf(x);
  return [
    x.data.map((value, at) => {
      const c = at % channels;
      const deviation = Math.sqrt(variance.data[c] + epsilon);
      const normalised = (value - center.data[c]) / deviation;
      const centered = dy.data[at] - sumDy.data[c] / rows - (normalised * sumProduct.data[c]) / rows;
      return (gamma.data[c] / deviation) * centered;
    }),
  ];
};
export const batchNormInputGradientCases = (): OpCase[] =>
  [
    [4, 5, 3, 7],
    [33, 2],
    [2, 5, 7, 64],
  ].map((shape) => {
    const vector = { shape: [shape[shape.length - 1]] };
    const positive = { ...vector, positive: true, offset: 0.5 };
    return {
      inputs: [{ shape }, { shape }, vector, positive, vector, vector, vector],
      attributes: { epsilon: 1e-3 },
    };
  });

/** x [..., C], gamma [C], beta [C] → y, and the batch's mean and biased variance [C]; all three can be differentiated, once. */
export const batchNormTrainingOp = defineOp("batchNormTraining", {
  arity: 3,
  infer: ([x, gamma, beta]) => {
    if (x.dtype !== "f32" || x.shape.length < 2)
      throw new ShapeError(`expected f32 [..., channels] with rows to average over, found ${formatType(x)}`);
    const vector: TensorType = { dtype: "f32", shape: [channelsOf(x)] };
    for (const { shape } of [gamma, beta])
      if (shape.length !== 1 || shape[0] !== channelsOf(x))
        throw new ShapeError(`expected vectors of ${channelsOf(x)} channels, found ${formatShape(shape)}`);
    return [x, vector, vector];
  },
  gradient: batchNormTrainingGradient,
  lower: ([x, gamma, beta], { epsilon }) => {
    const center = mean(x, rowAxes(x));
    const splits = splitsOf(x);
    const variance = addParts(apply(variancePartialOp, [x, center], { splits }));
    return [apply(batchNormApplyOp, [x, center, variance, gamma, beta], { epsilon }), center, variance];
  },
  traits: { couplesBatch: true },
});

/** Sums the parts [splits, C] to [C]. */
const addParts = (parts: Tensor): Tensor => (parts.shape[0] === 1 ? reshape(parts, [parts.shape[1]]) : sum(parts, [0]));

function batchNormTrainingGradient({
  inputs: [x, gamma],
  outputs: [, center, variance],
  attributes: { epsilon },
  upstream: [dy, dMean, dVariance],
}: GradientContext): (Tensor | null)[] {
  const terms: Tensor[] = [];
  let vectors: (Tensor | null)[] = [null, null];
  if (dy) {
    const attributes = { splits: splitsOf(x), epsilon };
    const parts = makeNode(batchNormGradientSumsOp, [x, dy, center, variance], attributes).outputs;
    const [sumDy, sumProduct] = parts.map(addParts);
    terms.push(apply(batchNormInputGradientOp, [x, dy, center, variance, gamma, sumDy, sumProduct], { epsilon }));
    vectors = [sumProduct, sumDy];
  }
  const perRow = (vector: Tensor): Tensor => expand(vector, x.shape, rowAxes(x), true);
  if (dMean) terms.push(perRow(dMean));
  // ∂σ²/∂x = 2 (x − μ) / M: the derivative through μ is zero, since deviations add up to zero.
  if (dVariance) terms.push(scale(multiply(subtract(x, center), perRow(dVariance)), 2));
  return [terms.reduce((left, right) => add(left, right)), ...vectors];
}

export const batchNormTrainingReference: Reference = ([x, gamma, beta], context) => {
  const vector = { shape: gamma.shape, dtype: "f32" as const };
  const center = channelSums(x, 1, (at) => x.data[at] / rowsOf(x));
  const variance = channelSums(x, 1, (at, c) => (x.data[at] - center[c]) ** 2 / rowsOf(x));
  const statistics = [center, variance].map((data) => ({ ...vector, data }));
  return [...batchNormApplyReference([x, ...statistics, gamma, beta], context), center, variance];
};

export const batchNormTrainingCases = (): OpCase[] =>
  [
    { shape: [4, 5, 3, 7], offset: 0 },
    { shape: [2, 17, 13, 3], offset: 0 },
    { shape: [16, 33], offset: 0 },
    { shape: [2, 13, 11, 8], offset: 0 },
    { shape: [5, 4, 4, 1], offset: 3 },
  ].map(({ shape, offset }) => {
    const vector = { shape: [shape[shape.length - 1]] };
    // The vectors' gradients are sums that may come out near zero, which a relative error of one channel cannot stand.
    const differentiate = vector.shape[0] === 1 ? [0] : [0, 1, 2];
    return { inputs: [{ shape, offset }, vector, vector], attributes: { epsilon: 1e-3 }, differentiate };
  });

/**
 * Batch normalisation in training (Ioffe and Szegedy 2015) over all axes but the last: x [..., C], gamma and beta [C] →
 * [y, mean, variance] with the batch's own mean and biased variance [C], from which running statistics are kept.
 * Couples the samples of a batch. Throws a ShapeError when the vectors do not fit.
 */
export function batchNormTraining(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  { epsilon = 1e-3 }: { epsilon?: number } = {},
  label?: string,
): readonly [y: Tensor, mean: Tensor, variance: Tensor] {
  const [y, center, variance] = makeNode(batchNormTrainingOp, [x, gamma, beta], { epsilon }, label).outputs;
  return [y, center, variance];
}
