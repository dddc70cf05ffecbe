import { describe, expect, it } from "vitest";
import { gradients } from "../../src/engine/autodiff.ts";
import { GraphError, ShapeError } from "../../src/engine/errors.ts";
import { apply, labelled, type Tensor } from "../../src/engine/graph.ts";
import { defineOp } from "../../src/engine/op.ts";
import { add, multiply, subtract } from "../../src/engine/ops/binary.ts";
import { batchNorm, biasAdd } from "../../src/engine/ops/channel.ts";
import { conv2d } from "../../src/engine/ops/conv2d.ts";
import { depthwiseConv2d } from "../../src/engine/ops/depthwise.ts";
import { matmul } from "../../src/engine/ops/matmul.ts";
import { mean, sum } from "../../src/engine/ops/reduce.ts";
import { references } from "../../src/engine/ops/registry.ts";
import { reshape } from "../../src/engine/ops/reshape.ts";
import { constant, input } from "../../src/engine/ops/sources.ts";
import { exp, relu, scale, square } from "../../src/engine/ops/unary.ts";
import { runReference } from "../../src/engine/reference.ts";
import { atBatch, BATCH, type Shape, sizeOf } from "../../src/engine/types.ts";
import { normals } from "./networks.ts";

const batch = 3;
type Builder = (...inputs: Tensor[]) => Tensor;

const everything = (y: Tensor): Tensor =>
  sum(
    y,
    y.shape.map((_, axis) => axis),
  );
const evaluate = (y: Tensor, feeds: Record<string, ArrayLike<number>>): Float64Array =>
  runReference({ outputs: { y } }, feeds, { references, batch }).outputs.y;

/** The largest distance of a gradient from central differences of the float64 twin, relative to the largest difference. */
function distance(build: Builder, shapes: readonly Shape[], seed: number, wrt: number): number {
  const inputs = shapes.map((shape, index) => input(`x${index}`, shape));
  const feeds = Object.fromEntries(
    shapes.map((shape, index) => [`x${index}`, Float64Array.from(normals(sizeOf(atBatch(shape, batch)), seed, index))]),
  );
  const y = everything(build(...inputs));
  const gradient = evaluate(gradients(y, [inputs[wrt]])[0], feeds);
  const step = 1e-5;
  let worst = 0;
  let most = 1e-9;
  gradient.forEach((value, at) => {
    const moved = (sign: number): number => {
      const x = feeds[`x${wrt}`].slice();
      x[at] += sign * step;
      return evaluate(y, { ...feeds, [`x${wrt}`]: x })[0];
    };
    const difference = (moved(1) - moved(-1)) / (2 * step);
    worst = Math.max(worst, Math.abs(difference - value));
    most = Math.max(most, Math.abs(difference));
  });
  return worst / most;
}

const composed: [string, Builder, Shape[]][] = [
  ["a chain", (x) => exp(scale(square(x), -0.5)), [[BATCH, 4]]],
  ["a value used three times", (x) => multiply(add(x, exp(x)), subtract(square(x), x)), [[2, 3]]],
  ["operands that repeat", (a, b, c) => multiply(square(add(a, b)), exp(c)), [[BATCH, 1, 4], [3, 1], [4]]],
  [
    "two layers",
    (x, v, w, b) => matmul(exp(scale(biasAdd(matmul(x, v), b), 0.3)), w),
    [[BATCH, 5], [5, 4], [4, 2], [4]],
  ],
  [
    "a convolutional block",
    (x, k, d, gamma, beta) => {
      const statistics = { mean: constant([0.1, -0.3, 0.2]), variance: constant([0.5, 1.5, 0.8]) };
      const inner = conv2d(x, k, { padding: [1, 0, 0, 1] });
      const y = depthwiseConv2d(square(inner), d, { strides: [2, 1], padding: [0, 1, 1, 0] });
      return exp(scale(mean(batchNorm(y, { gamma, beta, ...statistics, epsilon: 1e-3 }), [1, 2]), 0.1));
    },
    [[BATCH, 5, 4, 2], [3, 3, 2, 3], [2, 2, 3], [3], [3]],
  ],
  ["views and sums over the batch", (x) => square(sum(reshape(exp(x), [BATCH, 2, 3]), [0, 2])), [[BATCH, 6]]],
];

describe("the float64 twin agrees with central differences", () => {
  for (const [name, build, shapes] of composed)
    shapes.forEach((_, wrt) => {
      it(`${name}, by input ${wrt}`, () => expect(distance(build, shapes, 7, wrt)).toBeLessThan(1e-6));
    });
  for (const [name, build, shapes] of composed)
    it(`${name}, second order`, () => {
      const once: Builder = (...inputs) => square(gradients(everything(build(...inputs)), [inputs[0]])[0]);
      expect(distance(once, shapes, 8, 0)).toBeLessThan(1e-6);
    });
});

describe("gradients", () => {
  const x = input("x", [2, 3]);
  const data = normals(6, 1);

  it("by a value in between and by an input satisfy the chain rule", () => {
    const inner = labelled(exp(x), "inner");
    const y = everything(square(inner));
    const [byInner, byX] = gradients(y, [inner, x]);
    const values = evaluate(inner, { x: data });
    evaluate(byInner, { x: data }).forEach((value, index) => {
      expect(value).toBeCloseTo(2 * values[index], 10);
    });
    evaluate(byX, { x: data }).forEach((value, index) => {
      expect(value).toBeCloseTo(2 * values[index] ** 2, 10);
    });
  });
  it("of a value by itself is the seed", () => {
    const seed = input("seed", [2, 3]);
    expect(gradients(x, [x], seed)[0]).toBe(seed);
  });
  it("of a batch of scores are each sample's own", () => {
    const samples = input("samples", [BATCH, 2]);
    const [own] = gradients(sum(square(samples), [1]), [samples]);
    const values = normals(6, 2);
    evaluate(own, { samples: values }).forEach((value, index) => {
      expect(value).toBeCloseTo(2 * values[index], 6);
    });
  });
  it("visit nothing that `wrt` does not reach: an op without a rule may stand there", () => {
    const closed = defineOp("closed", { arity: 1, infer: ([type]) => [type] });
    expect(() => gradients(multiply(x, apply(closed, [input("z", [2, 3])])), [x])).not.toThrow();
  });
  it("of what does not depend on `wrt` are a GraphError that names both", () => {
    expect(() => gradients(exp(x), [labelled(relu(x), "aside")])).toThrow(GraphError);
    expect(() => gradients(labelled(exp(x), "score"), [labelled(relu(x), "aside")])).toThrow(/score.*aside/);
  });
  it("through an op without a rule are a GraphError that names it", () => {
    const closed = defineOp("closed", { arity: 1, infer: ([type]) => [type] });
    expect(() => gradients(square(apply(closed, [x])), [x])).toThrow(/closed has no gradient rule/);
  });
  it("with a seed of another shape are a ShapeError", () => {
    expect(() => gradients(x, [x], input("seed", [3, 2]))).toThrow(ShapeError);
  });
  it("by a rule that gives another shape are a GraphError", () => {
    const wrong = defineOp("wrong", { arity: 1, infer: ([type]) => [type], gradient: () => [input("other", [5])] });
    expect(() => gradients(apply(wrong, [x]), [x])).toThrow(/expected f32\[2, 3\], a rule gave f32\[5\]/);
  });
});
