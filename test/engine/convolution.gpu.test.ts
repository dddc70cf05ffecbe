import { describe, expect, it } from "vitest";
import { gradients } from "../../src/engine/autodiff.ts";
import { caseData, relativeL2 } from "../../src/engine/checkOp.ts";
import { compile } from "../../src/engine/compile.ts";
import { makeNode, type Tensor } from "../../src/engine/graph.ts";
import type { AdapterTraits, Attributes, KernelCall, KernelContext, Op } from "../../src/engine/op.ts";
import { add } from "../../src/engine/ops/binary.ts";
import { biasAdd } from "../../src/engine/ops/channel.ts";
import {
  conv2d,
  conv2dInputGradientOp,
  conv2dOp,
  conv2dWeightPartialOp,
  naiveConv2dKernels,
} from "../../src/engine/ops/conv2d.ts";
import { samePadding } from "../../src/engine/ops/convGeometry.ts";
import {
  depthwiseConv2d,
  depthwiseConv2dOp,
  depthwiseInputGradientOp,
  depthwiseWeightPartialOp,
  naiveDepthwiseKernels,
} from "../../src/engine/ops/depthwise.ts";
import {
  matmul,
  matmulOp,
  matmulOuterPartialOp,
  matmulTransposedOp,
  naiveMatmulKernels,
} from "../../src/engine/ops/matmul.ts";
import { references } from "../../src/engine/ops/registry.ts";
import { input } from "../../src/engine/ops/sources.ts";
import { relu6 } from "../../src/engine/ops/unary.ts";
import { runReference } from "../../src/engine/reference.ts";
import { BATCH, type Shape } from "../../src/engine/types.ts";
import { testDevice } from "../device.ts";

const bitsOf = (data: ArrayLike<number>): Uint32Array => new Uint32Array(Float32Array.from(data).buffer);

const feedsOf = (shapes: readonly Shape[], seed: number): Record<string, Float32Array> =>
  Object.fromEntries(
    caseData({ inputs: shapes.map((shape) => ({ shape })) }, seed).map((data, at) => [`x${at}`, data as Float32Array]),
  );

async function runOp(op: Op, shapes: readonly Shape[], attributes: Attributes, seed: number): Promise<Float32Array> {
  const inputs = shapes.map((shape, at) => input(`x${at}`, shape));
  const device = await testDevice();
  const plan = await compile(device, { outputs: { y: makeNode(op, inputs, attributes).outputs[0] } }, { poison: true });
  try {
    const { y } = await plan.run(feedsOf(shapes, seed));
    expect(await plan.strayWrites()).toBeNull();
    return y as Float32Array;
  } finally {
    plan.dispose();
    plan.parameters.dispose();
  }
}

const even = { strides: [1, 1], padding: [1, 1, 1, 1] };
const halving = { strides: [2, 2], padding: [0, 1, 0, 1] };
const naive = { ...naiveMatmulKernels, ...naiveConv2dKernels, ...naiveDepthwiseKernels };

/** Shapes that the fast rungs take, with tails in every direction. */
const rungs: readonly (readonly [Op, readonly Shape[], Attributes])[] = [
  [
    matmulOp,
    [
      [33, 19],
      [19, 20],
    ],
    {},
  ],
  [
    matmulOp,
    [
      [1, 130],
      [130, 36],
    ],
    {},
  ],
  [
    matmulOp,
    [
      [67, 24],
      [24, 144],
    ],
    {},
  ],
  [
    matmulOp,
    [
      [1, 128],
      [128, 36],
    ],
    {},
  ],
  [
    matmulTransposedOp,
    [
      [1, 36],
      [40, 36],
    ],
    {},
  ],
  [
    matmulTransposedOp,
    [
      [33, 19],
      [20, 19],
    ],
    {},
  ],
  [
    matmulTransposedOp,
    [
      [50, 144],
      [24, 144],
    ],
    {},
  ],
  [
    matmulOuterPartialOp,
    [
      [75, 20],
      [75, 36],
    ],
    { splits: 4 },
  ],
  [
    conv2dOp,
    [
      [2, 31, 29, 3],
      [3, 3, 3, 20],
    ],
    halving,
  ],
  [
    conv2dOp,
    [
      [1, 9, 13, 5],
      [5, 3, 5, 12],
    ],
    { strides: [1, 3], padding: [2, 2, 0, 2] },
  ],
  [
    conv2dInputGradientOp,
    [
      [2, 15, 14, 20],
      [3, 3, 3, 20],
    ],
    { ...halving, inputShape: [2, 31, 29, 3] },
  ],
  [
    conv2dInputGradientOp,
    [
      [1, 9, 5, 7],
      [5, 3, 5, 7],
    ],
    { strides: [1, 3], padding: [2, 2, 0, 2], inputShape: [1, 9, 13, 5] },
  ],
  [
    conv2dWeightPartialOp,
    [
      [2, 31, 29, 3],
      [2, 15, 14, 20],
    ],
    { ...halving, kernelShape: [3, 3, 3, 20], splits: 4 },
  ],
  [
    depthwiseConv2dOp,
    [
      [2, 13, 17, 24],
      [3, 3, 24],
    ],
    even,
  ],
  [
    depthwiseConv2dOp,
    [
      [2, 13, 17, 24],
      [3, 3, 24],
    ],
    halving,
  ],
  [
    depthwiseConv2dOp,
    [
      [1, 8, 30, 4],
      [3, 3, 4],
    ],
    { strides: [2, 2], padding: [2, 0, 3, 0] },
  ],
  [
    depthwiseInputGradientOp,
    [
      [2, 13, 17, 24],
      [3, 3, 24],
    ],
    { ...even, inputShape: [2, 13, 17, 24] },
  ],
  [
    depthwiseInputGradientOp,
    [
      [1, 5, 12, 4],
      [3, 3, 4],
    ],
    { strides: [1, 1], padding: [0, 1, 3, 0], inputShape: [1, 6, 11, 4] },
  ],
  [
    depthwiseInputGradientOp,
    [
      [2, 6, 8, 24],
      [3, 3, 24],
    ],
    { ...halving, inputShape: [2, 13, 17, 24] },
  ],
  [
    depthwiseWeightPartialOp,
    [
      [2, 13, 17, 24],
      [2, 13, 17, 24],
    ],
    { ...even, kernelShape: [3, 3, 24], splits: 5 },
  ],
  [
    depthwiseWeightPartialOp,
    [
      [2, 13, 17, 24],
      [2, 6, 8, 24],
    ],
    { ...halving, kernelShape: [3, 3, 24], splits: 5 },
  ],
];

/** What another kind of adapter would make the kernel choose. */
const traitsOf = (software: boolean): AdapterTraits => ({
  software,
  maxInvocations: 256,
  subgroupSize: 0,
  float16: false,
});

describe("fast rungs give the bits of the naive ones", () => {
  for (const [op, shapes, attributes] of rungs)
    it(`${op.name} ${shapes.map((shape) => shape.join("×")).join(" ")} ${JSON.stringify(attributes)}`, async () => {
      const want = bitsOf(await runOp({ ...op, kernel: naive[op.name] }, shapes, attributes, 3));
      for (const adapter of [traitsOf(true), traitsOf(false), (await testDevice()).traits]) {
        let fast: KernelCall | undefined;
        const kernel = (context: KernelContext): KernelCall => {
          fast = (op.kernel as NonNullable<Op["kernel"]>)({ ...context, adapter });
          return fast;
        };
        expect(bitsOf(await runOp({ ...op, kernel }, shapes, attributes, 3))).toEqual(want);
        expect(fast?.shader.name).toMatch(/Tiled|Sliding|Subgroups/);
      }
    });
});

/** y = relu6(f(x) + bias) + x, where f keeps the shape, fused and not fused, against float64. */
async function checkEpilogue(f: (x: Tensor, w: Tensor) => Tensor, shape: Shape, weights: Shape): Promise<void> {
  const channels = shape[shape.length - 1];
  const shapes = [shape, weights, [channels]];
  const [x, w, bias] = shapes.map((of, at) => input(`x${at}`, at === 0 ? [BATCH, ...of.slice(1)] : of));
  const graph = { outputs: { y: add(relu6(biasAdd(f(x, w), bias)), x) } };
  const feeds = feedsOf(shapes, 5);
  feeds.x2[1] = Number.NaN; // must reach the output through the activation
  const device = await testDevice();
  const want = runReference(graph, feeds, { batch: shape[0], references }).outputs.y;
  const results: Float32Array[] = [];
  for (const optimise of [true, false]) {
    const plan = await compile(device, graph, { optimise, maxBatch: shape[0] });
    if (optimise) expect(plan.dispatches).toBe(1);
    const { y } = await plan.run(feeds);
    results.push(y as Float32Array);
    expect(relativeL2(y, want)).toBeLessThan(1e-5);
    plan.dispose();
    plan.parameters.dispose();
  }
  expect(results[0].some(Number.isNaN)).toBe(true);
  expect(relativeL2(results[0], results[1])).toBe(0);
}

describe("epilogues", () => {
  it("of matmul", () => checkEpilogue(matmul, [13, 24], [24, 24]));
  it("of matmul, naive", () => checkEpilogue(matmul, [13, 7], [7, 7]));
  const window = { strides: [1, 1], padding: [1, 1, 1, 1] } as const;
  for (const channels of [8, 5]) {
    it(`of conv2d with ${channels} channels`, () =>
      checkEpilogue((x, w) => conv2d(x, w, window), [2, 7, 9, channels], [3, 3, channels, channels]));
    it(`of depthwiseConv2d with ${channels} channels`, () =>
      checkEpilogue((x, w) => depthwiseConv2d(x, w, window), [2, 7, 9, channels], [3, 3, channels]));
  }
});

describe("conv2d", () => {
  it("turns a plain 1×1 convolution into a matrix product", () => {
    const [x, w] = [input("x", [BATCH, 5, 5, 8]), input("w", [1, 1, 8, 4])];
    expect(conv2d(x, w, {}, "name").node.op).toBe(matmulOp);
    expect(conv2d(x, w, { strides: [2, 2] }).node.op).toBe(conv2dOp);
    expect(conv2d(x, w, {}, "name").node.label).toBe("name");
  });

  it("refuses shapes that do not fit, in one line", () => {
    const x = input("x", [BATCH, 5, 5, 8]);
    expect(() => conv2d(x, input("w", [3, 3, 7, 4]))).toThrow(/third axis must equal the image's channels/);
    expect(() => conv2d(x, input("w", [7, 7, 8, 4]))).toThrow(/does not fit 5×5/);
    expect(() => depthwiseConv2d(x, input("w", [3, 3, 7]))).toThrow(/last axis must equal/);
    expect(() => depthwiseConv2d(x, input("w", [3, 3, 8]), { strides: [0, 1] })).toThrow(/strides of at least 1/);
  });

  it("pads like TensorFlow's SAME", () => {
    expect(samePadding(224, 3, 2)).toEqual([0, 1]);
    expect(samePadding(7, 3, 1)).toEqual([1, 1]);
    expect(samePadding(225, 3, 2)).toEqual([1, 1]);
    expect(samePadding(8, 1, 2)).toEqual([0, 0]);
  });

  it("differentiates twice", async () => {
    const [x, w] = [input("x0", [2, 6, 7, 3]), input("x1", [3, 3, 3, 4])];
    const d = input("x2", [3, 3, 4]);
    const y = depthwiseConv2d(conv2d(x, w, { padding: [1, 1, 1, 1] }), d, { strides: [2, 2], padding: [1, 1, 1, 1] });
    const first = gradients(y, [x, w, d], input("x3", y.shape));
    const second = first.flatMap((gradient, at) =>
      gradients(
        gradient,
        [x, w, d].filter((_, other) => other !== at),
        input(`x${4 + at}`, gradient.shape),
      ),
    );
    const graph = { outputs: Object.fromEntries(second.map((tensor, at) => [`d${at}`, tensor])) };
    const feeds = feedsOf([x.shape, w.shape, d.shape, y.shape, x.shape, w.shape, d.shape], 9);
    const want = runReference(graph, feeds, { references }).outputs;
    const plan = await compile(await testDevice(), graph);
    const got = await plan.run(feeds);
    for (const key of Object.keys(want)) expect(relativeL2(got[key], want[key]), key).toBeLessThan(1e-5);
    plan.dispose();
    plan.parameters.dispose();
  });
});
