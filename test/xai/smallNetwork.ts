import type { Device } from "../../src/engine/device.ts";
import { biasAdd } from "../../src/engine/ops/channel.ts";
import { conv2d } from "../../src/engine/ops/conv2d.ts";
import { matmul } from "../../src/engine/ops/matmul.ts";
import { globalAveragePool } from "../../src/engine/ops/reduce.ts";
import { parameter } from "../../src/engine/ops/sources.ts";
import { relu6 } from "../../src/engine/ops/unary.ts";
import { ParameterStore } from "../../src/engine/parameters.ts";
import type { ExplainableModel } from "../../src/xai/model.ts";
import { normals } from "../engine/networks.ts";

/** Sizes of a classifier small enough to be differentiated number by number. */
export const size = 12;
export const classes = 4;
export const first = { label: "first_relu", size: 6, channels: 6 };
export const last = { label: "last_relu", size: 6, channels: 5 };
export const preprocessing = { scale: 1 / 64, offset: -1 };

const weights = {
  "first/kernel": { shape: [3, 3, 3, first.channels], data: normals(9 * 3 * first.channels, 3, 1, 0.5) },
  "last/kernel": { shape: [3, 3, first.channels, last.channels], data: normals(9 * 6 * 5, 3, 2, 0.25) },
  "head/kernel": { shape: [last.channels, classes], data: normals(last.channels * classes, 3, 3, 1) },
  "head/bias": { shape: [classes], data: normals(classes, 3, 4, 0.3) },
};

/** Two convolutions with ReLU6, global average pooling and a dense head on the engine. */
export function smallModel(device: Device): ExplainableModel {
  const parameters = new ParameterStore(device);
  for (const [name, { shape, data }] of Object.entries(weights)) parameters.set(name, data, shape);
  const stored = (name: keyof typeof weights) => parameter(name, weights[name].shape);
  return {
    device,
    parameters,
    inputSize: [size, size],
    preprocessing,
    build(x) {
      const wide = { strides: [2, 2] as const, padding: [1, 1, 1, 1] as const };
      const same = { strides: [1, 1] as const, padding: [1, 1, 1, 1] as const };
      const one = relu6(conv2d(x, stored("first/kernel"), wide), first.label);
      const two = relu6(conv2d(one, stored("last/kernel"), same), last.label);
      const pooled = globalAveragePool(two);
      return { logits: biasAdd(matmul(pooled, stored("head/kernel")), stored("head/bias"), "logits") };
    },
  };
}

/** A 3 × 3 convolution with one pixel of zeros around and ReLU6, in float64 and without the engine. */
function convolve(
  x: Float64Array,
  side: number,
  channels: number,
  kernel: Float32Array,
  out: number,
  stride: number,
): Float64Array {
  const places = Math.floor((side - 1) / stride) + 1;
  const y = new Float64Array(places * places * out);
  for (let row = 0; row < places; row++)
    for (let column = 0; column < places; column++)
      for (let o = 0; o < out; o++) {
        let sum = 0;
        for (let down = 0; down < 3; down++)
          for (let right = 0; right < 3; right++) {
            const [r, s] = [row * stride + down - 1, column * stride + right - 1];
            if (r < 0 || s < 0 || r >= side || s >= side) continue;
            for (let c = 0; c < channels; c++)
              sum += x[(r * side + s) * channels + c] * kernel[((down * 3 + right) * channels + c) * out + o];
          }
        y[(row * places + column) * out + o] = Math.min(6, Math.max(0, sum));
      }
  return y;
}

export const firstLayer = (x: Float64Array): Float64Array =>
  convolve(x, size, 3, weights["first/kernel"].data, first.channels, 2);
export const lastLayer = (activation: Float64Array): Float64Array =>
  convolve(activation, first.size, first.channels, weights["last/kernel"].data, last.channels, 1);

/** Logits from the last activation. */
export function headOf(activation: Float64Array): Float64Array {
  const places = last.size ** 2;
  return Float64Array.from({ length: classes }, (_, k) => {
    let logit = weights["head/bias"].data[k];
    for (let at = 0; at < activation.length; at++)
      logit += (activation[at] / places) * weights["head/kernel"].data[(at % last.channels) * classes + k];
    return logit;
  });
}

/** Logits of a preprocessed image. */
export const logitsOf = (x: Float64Array): Float64Array => headOf(lastLayer(firstLayer(x)));

/** Central differences of f at x. */
export function slopes(f: (x: Float64Array) => number, x: Float64Array, h = 1e-6): Float64Array {
  return x.map((value, at) => {
    const moved = x.slice();
    moved[at] = value + h;
    const above = f(moved);
    moved[at] = value - h;
    return (above - f(moved)) / (2 * h);
  });
}

/** Pixels [count, size, size, 3] of 0 to 255. */
export const randomPixels = (count: number): Float32Array =>
  normals(count * size * size * 3, 11, 0, 70).map((value) => Math.min(255, Math.max(0, 128 + value)));

export const preprocessed = (pixels: ArrayLike<number>): Float64Array =>
  Float64Array.from(pixels, (value) => value * preprocessing.scale + preprocessing.offset);
