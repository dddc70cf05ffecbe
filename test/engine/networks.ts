import { gradients } from "../../src/engine/autodiff.ts";
import type { Device } from "../../src/engine/device.ts";
import { type Graph, makeNode, type Tensor } from "../../src/engine/graph.ts";
import { defineOp, type OpEntry, type Reference } from "../../src/engine/op.ts";
import { add } from "../../src/engine/ops/binary.ts";
import { batchNorm, biasAdd } from "../../src/engine/ops/channel.ts";
import { conv2d, pointwiseConv2d } from "../../src/engine/ops/conv2d.ts";
import { depthwiseConv2d } from "../../src/engine/ops/depthwise.ts";
import { matmul } from "../../src/engine/ops/matmul.ts";
import { globalAveragePool, sum } from "../../src/engine/ops/reduce.ts";
import { registry } from "../../src/engine/ops/registry.ts";
import { input, parameter } from "../../src/engine/ops/sources.ts";
import { relu6, square } from "../../src/engine/ops/unary.ts";
import { ParameterStore } from "../../src/engine/parameters.ts";
import { normal } from "../../src/engine/random.ts";
import { BATCH, type Shape, sizeOf } from "../../src/engine/types.ts";

/** Standard normal float32 numbers that depend on seed and stream alone. */
export const normals = (length: number, seed: number, stream = 0, factor = 1): Float32Array =>
  Float32Array.from({ length }, (_, index) => factor * normal(seed, stream, index));

export interface Network {
  readonly graph: Graph;
  /** Initial values and shapes of the parameters. */
  readonly parameters: Record<string, { data: Float32Array; shape: Shape }>;
  /** Numbers per sample of the input `x`. */
  readonly perSample: number;
}

/** The store of a network's parameters on a device. */
export function storeOf(device: Device, { parameters }: Network): ParameterStore {
  const store = new ParameterStore(device);
  for (const [name, { data, shape }] of Object.entries(parameters)) store.set(name, data, shape);
  return store;
}

/** The feeds of the reference: parameters and the input. */
export const feedsOf = ({ parameters }: Network, x: Float32Array): Record<string, Float32Array> => ({
  ...Object.fromEntries(Object.entries(parameters).map(([name, { data }]) => [name, data])),
  x,
});

/**
 * Two inverted residual blocks as in MobileNetV2 (Sandler et al. 2018) on images [N, size, size, 3]: convolution, depthwise
 * and pointwise convolutions, frozen batch normalisation, ReLU6, a residual addition, pooling and a dense head. Its
 * labels are `stem`, `block1`, `block2`, `pool`; its outputs `logits`, and with `explain` the gradient of class 0 by `stem`.
 */
export function smallMobileNet({ size = 9, channels = 8, classes = 5, explain = false, batch = BATCH } = {}): Network {
  const parameters: Network["parameters"] = {};
  let stream = 0;
  const weights = (name: string, shape: Shape, factor: number, offset = 0): Tensor => {
    const data = normals(sizeOf(shape), 5, stream++, factor).map((value) =>
      offset ? offset + Math.abs(value) : value,
    );
    parameters[name] = { data, shape };
    return parameter(name, shape);
  };
  const norm = (x: Tensor, name: string, label?: string): Tensor => {
    const count = x.shape[3];
    const [gamma, beta] = [weights(`${name}/gamma`, [count], 0.2, 0.8), weights(`${name}/beta`, [count], 0.3)];
    const [mean, variance] = [weights(`${name}/mean`, [count], 0.3), weights(`${name}/variance`, [count], 0.3, 0.7)];
    return batchNorm(x, { gamma, beta, mean, variance, epsilon: 1e-3 }, label);
  };
  const block = (x: Tensor, name: string): Tensor => {
    const count = x.shape[3];
    const wide = pointwiseConv2d(x, weights(`${name}/expand`, [count, 3 * count], 1 / Math.sqrt(count)));
    const inner = relu6(norm(wide, `${name}/bn1`));
    const padding = [1, 1, 1, 1] as const;
    const deep = depthwiseConv2d(inner, weights(`${name}/depthwise`, [3, 3, 3 * count], 0.4), { padding });
    const narrow = pointwiseConv2d(
      relu6(norm(deep, `${name}/bn2`)),
      weights(`${name}/project`, [3 * count, count], 1 / Math.sqrt(3 * count)),
    );
    return add(norm(narrow, `${name}/bn3`), x, name);
  };
  const x = input("x", [batch, size, size, 3]);
  const kernel = weights("stem/kernel", [3, 3, 3, channels], 0.3);
  const stem = relu6(norm(conv2d(x, kernel, { strides: [2, 2], padding: [1, 1, 1, 1] }), "stem/bn"), "stem");
  const pool = globalAveragePool(block(block(stem, "block1"), "block2"), "pool");
  const dense = matmul(pool, weights("head/kernel", [channels, classes], 1));
  const logits = biasAdd(dense, weights("head/bias", [classes], 0.5));
  const outputs: Record<string, Tensor> = { logits };
  if (explain) outputs.gradient = gradients(sum(square(logits), [1]), [stem])[0];
  return { graph: { outputs }, parameters, perSample: size * size * 3 };
}

/** p ← p − rate · g, in place: the smallest update, with a kernel of its own so that tests of the engine need no optimiser. */
export const descentOp = defineOp("testDescent", {
  arity: 2,
  infer: () => [],
  kernel: ({ inputs: [p], attributes }) => ({
    shader: {
      name: "testDescent",
      code: `
        struct Params { count: u32, rate: f32 }
        @group(0) @binding(0) var<uniform> params: Params;
        @group(0) @binding(1) var<storage, read_write> p: array<f32>;
        @group(0) @binding(2) var<storage, read> g: array<f32>;
        @compute @workgroup_size(64)
        fn descend(@builtin(global_invocation_id) id: vec3u) {
          if (id.x >= params.count) { return; }
          p[id.x] -= params.rate * g[id.x];
        }`,
    },
    entryPoint: "descend",
    uniforms: [sizeOf(p.shape), { f32: attributes.rate }],
    grid: [Math.ceil(sizeOf(p.shape) / 64), 1, 1],
    flops: 2 * sizeOf(p.shape),
    bytes: 12 * sizeOf(p.shape),
  }),
  traits: { updates: [0] },
});

export const descentReference: Reference = ([p, g], { attributes: { rate } }) => [
  p.data.map((value, index) => value - rate * g.data[index]),
];

export const descend = (p: Tensor, g: Tensor, rate: number) => makeNode(descentOp, [p, g], { rate });

/** The registry's entry of an op by its name. */
export function entryOf(name: string): OpEntry {
  const entry = registry.find(({ op }) => op.name === name);
  if (!entry) throw new Error(`the registry has no op "${name}"`);
  return entry;
}
