/** MobileNetV2 as a plain list of layers with numbers: what the peers build their networks from. */
import { mobileNetV2Table } from "../src/nn/mobilenetV2Table.ts";

export interface Weights {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export type WeightMap = ReadonlyMap<string, Weights>;

/** A convolution with its batch normalisation and, but for projections, a ReLU6 behind it. */
export interface Layer {
  readonly name: string;
  readonly normalisation: string;
  readonly kind: "convolution" | "depthwise";
  readonly stride: number;
  readonly relu6: boolean;
}

/** Layers that follow each other; the block's input is added to the last one's output where `residual`. */
export interface Block {
  readonly layers: readonly Layer[];
  readonly residual: boolean;
}

export const epsilon = 1e-3;
export const head = "predictions";

export function mobileNetV2Blocks(): Block[] {
  const layer = (name: string, normalisation: string, kind: Layer["kind"], stride: number, relu6: boolean): Layer => ({
    name,
    normalisation,
    kind,
    stride,
    relu6,
  });
  const blocks = mobileNetV2Table(1).blocks.map(({ name, input, hidden, output, stride }): Block => {
    const part = (suffix: string, kind: Layer["kind"], by: number, relu6: boolean): Layer =>
      layer(`${name}_${suffix}`, `${name}_${suffix}_BN`, kind, by, relu6);
    const expansion = hidden === input ? [] : [part("expand", "convolution", 1, true)];
    return {
      layers: [...expansion, part("depthwise", "depthwise", stride, true), part("project", "convolution", 1, false)],
      residual: input === output && stride === 1,
    };
  });
  const stem = { layers: [layer("Conv1", "bn_Conv1", "convolution", 2, true)], residual: false };
  const last = { layers: [layer("Conv_1", "Conv_1_bn", "convolution", 1, true)], residual: false };
  return [stem, ...blocks, last];
}

/** The layer's kernel with the frozen normalisation folded in, and the bias that is left. */
export function fold(weights: WeightMap, { name, normalisation }: Layer): { kernel: Weights; bias: Float32Array } {
  const get = (key: string): Float32Array => weights.get(`${normalisation}/${key}`)!.data;
  const kernel = weights.get(`${name}/kernel`)!;
  const [gamma, beta, mean, variance] = ["gamma", "beta", "moving_mean", "moving_variance"].map(get);
  const scale = gamma.map((value, channel) => value / Math.sqrt(variance[channel] + epsilon));
  const channels = scale.length;
  return {
    kernel: { shape: kernel.shape, data: kernel.data.map((value, index) => value * scale[index % channels]) },
    bias: beta.map((value, channel) => value - mean[channel] * scale[channel]),
  };
}

/** Zeros before and after an axis of length `size` for a 3×3 or 1×1 kernel, as TensorFlow's SAME has them. */
export function padding(size: number, kernel: number, stride: number): [number, number] {
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + kernel - size);
  return [total >> 1, total - (total >> 1)];
}

const foldedKernel = (name: string): string => `folded/${name}/kernel`;
const foldedBias = (name: string): string => `folded/${name}/bias`;

/** All folded kernels and biases under names of their own, beside the weights that they come from. */
export function withFolds(weights: WeightMap): Map<string, Weights> {
  const all = new Map(weights);
  for (const layer of mobileNetV2Blocks().flatMap(({ layers }) => layers)) {
    const { kernel, bias } = fold(weights, layer);
    all.set(foldedKernel(layer.name), kernel);
    all.set(foldedBias(layer.name), { shape: [bias.length], data: bias });
  }
  return all;
}

export const folded = (weights: WeightMap, name: string): { kernel: Weights; bias: Weights } => ({
  kernel: weights.get(foldedKernel(name))!,
  bias: weights.get(foldedBias(name))!,
});
