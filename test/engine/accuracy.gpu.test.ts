import { describe, expect, it } from "vitest";
import { compile } from "../../src/engine/compile.ts";
import { apply, makeNode, type Tensor } from "../../src/engine/graph.ts";
import type { Attributes } from "../../src/engine/op.ts";
import { conv2d } from "../../src/engine/ops/conv2d.ts";
import { depthwiseConv2d } from "../../src/engine/ops/depthwise.ts";
import { matmul, matmulOuter, matmulTransposed } from "../../src/engine/ops/matmul.ts";
import { references } from "../../src/engine/ops/registry.ts";
import { input } from "../../src/engine/ops/sources.ts";
import { CounterRandom } from "../../src/engine/random.ts";
import { runReference } from "../../src/engine/reference.ts";
import { sizeOf } from "../../src/engine/types.ts";
import { testDevice } from "../device.ts";
import { entryOf, normals } from "./networks.ts";

const smallestNormal = 2 ** -126;
const largestFinite = 3.4028234663852886e38;

/** The distance between neighbouring float32 numbers at a value (WGSL 15.7.4: units in the last place). */
function ulp(value: number): number {
  const magnitude = Math.min(Math.max(Math.abs(value), smallestNormal), largestFinite);
  return 2 ** (Math.floor(Math.log2(magnitude)) - 23);
}

/** Normal float32 numbers whose exponents spread evenly over 2^-range … 2^range. */
function spread(length: number, seed: number, range: number): Float32Array {
  const random = new CounterRandom(seed);
  return Float32Array.from({ length }, () => {
    const sign = random.uniform() < 0.5 ? -1 : 1;
    return sign * (1 + random.uniform()) * 2 ** Math.floor(random.uniform(-range, range));
  });
}

interface Rule {
  readonly op: string;
  readonly attributes?: Attributes;
  /** Values of each input. */
  readonly inputs: readonly Float32Array[];
  /** The exact value, and how far a conforming result may be from it. */
  readonly exact: (values: readonly number[]) => { readonly value: number; readonly within: number };
}

const count = 4099;
/** The result is one of the two float32 numbers next to the exact one (WGSL 15.7.4.1, "correctly rounded"). */
const rounded = (value: number) => ({ value, within: ulp(value) });
/** Two correctly rounded operations, or one fused: the intermediate's error and the result's. */
const twice = (intermediate: number, value: number) => ({ value, within: ulp(intermediate) + ulp(value) });
const { fround } = Math;

const rules: Rule[] = [
  { op: "add", inputs: [spread(count, 1, 20), spread(count, 2, 20)], exact: ([a, b]) => rounded(a + b) },
  { op: "subtract", inputs: [spread(count, 3, 20), spread(count, 4, 20)], exact: ([a, b]) => rounded(a - b) },
  { op: "multiply", inputs: [spread(count, 5, 55), spread(count, 6, 55)], exact: ([a, b]) => rounded(a * b) },
  { op: "square", inputs: [spread(count, 7, 60)], exact: ([a]) => rounded(a * a) },
  { op: "relu", inputs: [spread(count, 8, 60)], exact: ([a]) => ({ value: Math.max(a, 0), within: 0 }) },
  { op: "relu6", inputs: [spread(count, 9, 8)], exact: ([a]) => ({ value: Math.min(Math.max(a, 0), 6), within: 0 }) },
  {
    op: "reluMask",
    inputs: [spread(count, 10, 9), spread(count, 11, 20)],
    exact: ([y, dy]) => ({ value: y > 0 ? dy : 0, within: 0 }),
  },
  {
    op: "relu6Mask",
    inputs: [spread(count, 12, 9), spread(count, 13, 20)],
    exact: ([y, dy]) => ({ value: y > 0 && y < 6 ? dy : 0, within: 0 }),
  },
  {
    op: "scale",
    attributes: { factor: 0.3, offset: -1.5 },
    inputs: [spread(count, 14, 20)],
    exact: ([a]) => twice(a * fround(0.3), a * fround(0.3) - 1.5),
  },
  // exp: 3 + 2·|x| ulp, and half of one for rounding the result: Mesa's lavapipe is 3.18 ulp off at x = −0.0474, 0.08 too far.
  {
    op: "exp",
    inputs: [spread(count, 15, 6)],
    exact: ([a]) => ({ value: Math.exp(a), within: (3.5 + 2 * Math.abs(a)) * ulp(Math.exp(a)) }),
  },
];

describe("element-wise ops stay within the accuracy that WGSL asks for", () => {
  for (const { op, attributes, inputs, exact } of rules)
    it(op, async () => {
      const tensors = inputs.map((data, index) => input(`x${index}`, [data.length]));
      const plan = await compile(await testDevice(), { outputs: { y: apply(entryOf(op).op, tensors, attributes) } });
      const feeds = Object.fromEntries(inputs.map((data, index) => [`x${index}`, data]));
      const { y } = await plan.run(feeds);
      let checked = 0;
      for (let index = 0; index < y.length; index++) {
        const values = inputs.map((data) => data[index]);
        const { value, within } = exact(values);
        // Subnormal numbers may be flushed and overflow may be undefined; neither is drawn often.
        if (Math.abs(value) > largestFinite || (value !== 0 && Math.abs(value) < smallestNormal)) continue;
        checked++;
        if (!(Math.abs(y[index] - value) <= within))
          expect.fail(`${op}(${values}) is ${y[index]}, ${Math.abs(y[index] - value) / ulp(value)} ulp from ${value}`);
      }
      expect(checked).toBeGreaterThan(count * 0.8);
      plan.dispose();
      plan.parameters.dispose();
    });

  it("batchNormCoefficients: a division and a square root", async () => {
    const size = 1031;
    const [gamma, beta, mean] = [1, 2, 3].map((seed) => spread(size, seed, 4));
    const variance = spread(size, 4, 6).map(Math.abs);
    const tensors = ["gamma", "beta", "mean", "variance"].map((name) => input(name, [size]));
    const [scale, shift] = makeNode(entryOf("batchNormCoefficients").op, tensors, { epsilon: 1e-3 }).outputs;
    const plan = await compile(await testDevice(), { outputs: { scale, shift } });
    const got = await plan.run({ gamma, beta, mean, variance });
    for (let c = 0; c < size; c++) {
      const want = gamma[c] / Math.sqrt(variance[c] + fround(1e-3));
      // √ is 1 / inverseSqrt (2 ulp, then a division of 2.5); the outer division 2.5 more, the sum under the root half of one.
      const within = 8 * ulp(want);
      if (!(Math.abs(got.scale[c] - want) <= within)) expect.fail(`scale[${c}] is ${got.scale[c]}, exactly ${want}`);
      const product = mean[c] * want;
      const wantShift = beta[c] - product;
      if (!(Math.abs(got.shift[c] - wantShift) <= Math.abs(mean[c]) * within + ulp(product) + ulp(wantShift)))
        expect.fail(`shift[${c}] is ${got.shift[c]}, exactly ${wantShift}`);
    }
    plan.dispose();
    plan.parameters.dispose();
  });
});

describe("dot products of 512 terms: mean squared error over mean square at most 1e-12", () => {
  const [x2, x4] = [input("a", [37, 512]), input("a", [1, 9, 9, 512])];
  const products: [string, Tensor, readonly (readonly number[])[]][] = [
    [
      "matmul",
      matmul(x2, input("b", [512, 41])),
      [
        [37, 512],
        [512, 41],
      ],
    ],
    [
      "matmul, rows and columns in fours",
      matmul(input("a", [64, 512]), input("b", [512, 64])),
      [
        [64, 512],
        [512, 64],
      ],
    ],
    [
      "matmulTransposed",
      matmulTransposed(x2, input("b", [41, 512])),
      [
        [37, 512],
        [41, 512],
      ],
    ],
    [
      "matmulOuter",
      matmulOuter(input("a", [512, 19]), input("b", [512, 23])),
      [
        [512, 19],
        [512, 23],
      ],
    ],
    [
      "conv2d 1×1",
      conv2d(x4, input("b", [1, 1, 512, 8])),
      [
        [1, 9, 9, 512],
        [1, 1, 512, 8],
      ],
    ],
    [
      "conv2d 4×4",
      conv2d(input("a", [1, 9, 9, 32]), input("b", [4, 4, 32, 12])),
      [
        [1, 9, 9, 32],
        [4, 4, 32, 12],
      ],
    ],
    [
      "depthwise 16×32",
      depthwiseConv2d(input("a", [1, 20, 40, 8]), input("b", [16, 32, 8])),
      [
        [1, 20, 40, 8],
        [16, 32, 8],
      ],
    ],
  ];
  for (const [name, y, shapes] of products)
    it(name, async () => {
      const [a, b] = shapes.map((shape, index) => normals(sizeOf(shape), 9, index));
      const graph = { outputs: { y } };
      const plan = await compile(await testDevice(), graph);
      const got = (await plan.run({ a, b })).y;
      const want = runReference(graph, { a, b }, { references }).outputs.y;
      const error = want.reduce((total, value, index) => total + (got[index] - value) ** 2, 0);
      expect(error / want.reduce((total, value) => total + value * value, 0)).toBeLessThanOrEqual(1e-12);
      plan.dispose();
      plan.parameters.dispose();
    });
});
