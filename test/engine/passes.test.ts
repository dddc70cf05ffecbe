import { describe, expect, it } from "vitest";
import { gradients } from "../../src/engine/autodiff.ts";
import { GraphError } from "../../src/engine/errors.ts";
import { type Graph, labelled, makeNode, Node, nodesOf, type Tensor } from "../../src/engine/graph.ts";
import { add, addOp, multiply, subtract } from "../../src/engine/ops/binary.ts";
import { batchNorm, biasAdd, channelScale } from "../../src/engine/ops/channel.ts";
import { conv2d } from "../../src/engine/ops/conv2d.ts";
import { matmul } from "../../src/engine/ops/matmul.ts";
import { sum } from "../../src/engine/ops/reduce.ts";
import { references } from "../../src/engine/ops/registry.ts";
import { constant, fill, input, parameter } from "../../src/engine/ops/sources.ts";
import { relu, relu6, scale } from "../../src/engine/ops/unary.ts";
import { runPasses } from "../../src/engine/passes/index.ts";
import { shareCommon } from "../../src/engine/passes/shareCommon.ts";
import { validate } from "../../src/engine/passes/validate.ts";
import { schedule } from "../../src/engine/plan/schedule.ts";
import { runReference } from "../../src/engine/reference.ts";
import { BATCH, f32, type TensorType } from "../../src/engine/types.ts";
import { descend, feedsOf, normals, smallMobileNet } from "./networks.ts";

const count = (graph: Graph, name?: string): number =>
  nodesOf(graph).filter(({ op }) => (name ? op.name === name : !op.traits.source)).length;
const optimised = (outputs: Record<string, Tensor>, updates?: readonly Node[]): Graph =>
  runPasses({ outputs, updates }, { optimise: true });

const x = input("x", [BATCH, 4, 4, 3]);
const kernel = parameter("kernel", [3, 3, 3, 5]);
const vector = (name: string) => parameter(name, [5]);
const norm = (y: Tensor) =>
  batchNorm(y, {
    gamma: vector("gamma"),
    beta: vector("beta"),
    mean: vector("mean"),
    variance: vector("variance"),
    epsilon: 1e-3,
  });

describe("validate", () => {
  const p = parameter("p", [3]);
  const g = input("g", [3]);
  const broken = (type: TensorType): Tensor => new Node(addOp, [g, g], {}, [type]).outputs[0];

  it("names the pass and the node whose type is wrong", () => {
    expect(() => validate({ outputs: { y: broken(f32(4)) } }, "fusion")).toThrow(GraphError);
    expect(() => validate({ outputs: { y: broken(f32(4)) } }, "fusion")).toThrow(
      /after fusion: add#\d+.*f32\[3\].*f32\[4\]/,
    );
    expect(() => validate({ outputs: { y: broken(f32(3)) } }, "fusion")).not.toThrow();
  });
  it("refuses too few inputs and too few outputs", () => {
    const short = new Node(addOp, [g, g], { epilogue: ["bias"] }, [f32(3)]);
    expect(() => validate({ outputs: { y: short.outputs[0] } }, "fusion")).toThrow(/expected 3 inputs, found 2/);
    const none = new Node(addOp, [g, g], {}, []);
    expect(() => validate({ outputs: {}, updates: [none] }, "x")).toThrow(/expected 1 outputs, found 0/);
  });
  it("refuses a batch that is not the first dimension", () => {
    const node = new Node({ ...addOp, infer: () => [f32(2, BATCH)] }, [g, g], {}, [f32(2, BATCH)]);
    expect(() => validate({ outputs: { y: node.outputs[0] } }, "x")).toThrow(/only the first dimension/);
  });
  it("refuses two updates of one parameter, also through two nodes of its name", () => {
    const twice = [descend(p, g, 1), descend(parameter("p", [3]), g, 2)];
    expect(() => validate({ outputs: {}, updates: twice }, "building")).toThrow(/p is already updated/);
  });
  it("refuses an update of what is no parameter, of a batched value, and a plain node among the updates", () => {
    expect(() => validate({ outputs: {}, updates: [descend(g, g, 1)] }, "building")).toThrow(/not a parameter/);
    const batched = descend(p, input("b", [BATCH, 3]), 1);
    expect(() => validate({ outputs: {}, updates: [batched] }, "building")).toThrow(/cannot read a batched value/);
    expect(() => validate({ outputs: {}, updates: [relu(g).node] }, "building")).toThrow(/changes no parameter/);
  });
  it("refuses a node that reads an update", () => {
    const update = new Node(descend(p, g, 1).op, [p, g], { rate: 1 }, [f32(3)]);
    const reader = new Node(relu(g).node.op, update.outputs, {}, [f32(3)]);
    expect(() => validate({ outputs: { y: reader.outputs[0] } }, "building")).toThrow(GraphError);
  });
});

describe("sharing", () => {
  it("makes one of equal nodes, in either order of a commutative op, and keeps different ones apart", () => {
    const [a, b] = [input("a", [3]), input("b", [3])];
    const same = { outputs: { y: multiply(add(a, b), add(b, a)), z: subtract(a, b), w: subtract(b, a) } };
    expect(count(shareCommon(same), "add")).toBe(1);
    expect(count(shareCommon(same), "subtract")).toBe(2);
    expect(count(shareCommon({ outputs: { y: scale(a, 2), z: scale(a, 2), w: scale(a, 3) } }), "scale")).toBe(2);
  });
  it("keeps apart what JSON would not: infinities, NaN and zeros of both signs", () => {
    const values = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 0, -0];
    const outputs = Object.fromEntries(values.map((value, index) => [`y${index}`, fill(f32(2), value)]));
    expect(count(shareCommon({ outputs }), "fill")).toBe(values.length);
  });
  it("drops what no output needs", () => {
    relu(x);
    expect(count(optimised({ y: relu6(x) }))).toBe(1);
  });
});

describe("folding and fusion", () => {
  it("leave one dispatch of convolution, normalisation, activation and residual", () => {
    const residual = input("residual", [BATCH, 4, 4, 5]);
    const y = add(relu6(norm(conv2d(x, kernel, { padding: [1, 1, 1, 1] }))), residual);
    const { main, prologue } = schedule(optimised({ y }));
    expect(main.map(({ op }) => op.name)).toEqual(["conv2d"]);
    expect(main[0].attributes.epilogue).toEqual(["bias", "relu6", "add"]);
    expect(prologue.map(({ op }) => op.name).sort()).toEqual(["batchNormCoefficients", "channelScale"]);
  });
  it("stop at a value that is read twice or fetched", () => {
    const inner = labelled(matmul(input("a", [2, 3]), parameter("w", [3, 5])), "inner");
    expect(count(optimised({ y: relu(inner) }))).toBe(1);
    expect(count(optimised({ y: relu(inner), z: inner }))).toBe(2);
    expect(count(optimised({ y: add(relu(inner), scale(inner, 2)) }))).toBe(4);
  });
  it("do not fold factors that an input decides", () => {
    const product = matmul(input("a", [2, 3]), parameter("w", [3, 5]));
    expect(count(optimised({ y: channelScale(product, input("s", [5])) }), "channelScale")).toBe(1);
    const folded = schedule(optimised({ y: channelScale(product, parameter("s", [5])) }));
    expect([folded.main.length, folded.prologue.length]).toEqual([1, 1]);
  });
  it("do not fuse an addition that repeats its operand, nor stages out of order", () => {
    const product = matmul(input("a", [2, 3]), parameter("w", [3, 5]));
    expect(count(optimised({ y: add(product, input("b", [1, 5])) }))).toBe(2);
    expect(count(optimised({ y: biasAdd(relu(product), parameter("b", [5])) }))).toBe(2);
    expect(count(optimised({ y: relu(relu6(product)) }))).toBe(2);
  });
  it("change no value", () => {
    const network = smallMobileNet({ explain: true });
    const feeds = feedsOf(network, normals(2 * network.perSample, 1));
    const want = runReference(network.graph, feeds, { references, batch: 2 }).outputs;
    const graph = runPasses(network.graph, { optimise: true });
    const got = runReference(graph, feeds, { references, batch: 2 }).outputs;
    for (const [name, values] of Object.entries(want))
      for (let index = 0; index < values.length; index++) expect(got[name][index]).toBeCloseTo(values[index], 10);
    expect(count(graph)).toBeLessThan(count(network.graph));
  });
  it("leave a graph alone that they have optimised already", () => {
    const once = runPasses(smallMobileNet({ explain: true }).graph, { optimise: true });
    const names = (graph: Graph) => nodesOf(graph).map(({ op }) => op.name);
    expect(names(runPasses(once, { optimise: true }))).toEqual(names(once));
  });
});

describe("masking", () => {
  /** relu6(a · w), and the gradient of its product with v by a. */
  const network = (width: number) => {
    const a = input("a", [BATCH, 5, width]);
    const inner = relu6(matmul(a, parameter("w", [width, width])), "inner");
    const y = matmul(inner, parameter("v", [width, 8]));
    return { a, inner, y, gradient: gradients(y, [a])[0] };
  };
  const masksOf = (graph: Graph) => nodesOf(graph).filter(({ attributes }) => attributes.writesMask).length;

  it("writes the mask beside the activation and applies it in the kernel of the gradient, without a dispatch", () => {
    const graph = optimised({ gradient: network(8).gradient });
    const { main } = schedule(graph);
    expect(main.map(({ op }) => op.name).sort()).toEqual(["fill", "matmul", "matmulTransposed", "matmulTransposed"]);
    const [forward] = main.filter(({ op }) => op.name === "matmul");
    const [product] = main.filter(({ op }) => op.name === "matmulTransposed");
    expect(forward.attributes.writesMask).toEqual({ rows: 8, below: 0x40c00000 });
    expect(product.attributes.epilogue).toEqual(["mask"]);
    expect(product.inputs[2]).toBe(forward.outputs[1]);
  });
  it("leaves values alone that have no whole vectors of columns", () => {
    const graph = optimised({ gradient: network(6).gradient });
    expect([masksOf(graph), count(graph, "relu6Mask"), count(graph, "packMask")]).toEqual([0, 1, 0]);
  });
  it("packs what no kernel can write, as soon as it is there, where the kernel of the gradient applies it", () => {
    const z = input("z", [BATCH, 8]);
    const inner = relu6(scale(z, 3));
    const product = matmul(matmul(inner, parameter("w", [8, 8])), parameter("v", [8, 8]));
    const graph = optimised({ dz: gradients(product, [z])[0] });
    const order = schedule(graph).main.map(({ op }) => op.name);
    expect(order.indexOf("packMask")).toBe(order.indexOf("relu6") + 1);
    expect([count(graph, "relu6Mask"), count(graph, "applyMask")]).toEqual([0, 0]);
    const elementwise = optimised({ dz: gradients(scale(inner, 2), [z])[0] });
    expect([count(elementwise, "relu6Mask"), count(elementwise, "packMask")]).toEqual([1, 0]);
  });
  it("can be switched off", () => {
    const graph = runPasses({ outputs: { g: network(8).gradient } }, { optimise: true, bitMasks: false });
    expect([masksOf(graph), count(graph, "relu6Mask")]).toEqual([0, 1]);
  });
});

describe("the schedule", () => {
  it("puts what depends on parameters alone into the prologue, and nothing that depends on the batch", () => {
    const w = parameter("w", [3]);
    const derived = scale(add(w, fill(f32(3), 1)), 2);
    const batched = sum(scale(fill(f32(BATCH, 3), 1), 2), [0]);
    const { prologue, main } = schedule(optimised({ y: add(multiply(input("x", [3]), derived), batched) }));
    expect(prologue.map(({ op }) => op.name)).toEqual(["fill", "add", "scale"]);
    expect(main.map(({ op }) => op.name)).toEqual(["fill", "scale", "partialSum", "multiply", "add"]);
  });
  it("puts every node after its inputs and every update after the readers of what it changes", () => {
    const w = parameter("w", [3]);
    const [first, second] = [multiply(w, input("x", [3])), scale(w, 3)];
    const graph = optimised({ y: add(first, multiply(second, first)) }, [descend(w, first, 1)]);
    const { main, prologue } = schedule(graph);
    const order = [...prologue, ...main];
    order.forEach((node, index) => {
      for (const { node: read } of node.inputs)
        if (!read.op.traits.source) expect(order.indexOf(read)).toBeLessThan(index);
    });
    const update = order.findIndex(({ op }) => op.traits.updates);
    order.forEach((node, index) => {
      if (node.inputs.some(({ node: read }) => read.attributes.name === "w")) expect(index).toBeLessThanOrEqual(update);
    });
  });
  it("is the same for the same structure, whatever was built before", () => {
    const names = (): string[] => {
      const { prologue, main } = schedule(runPasses(smallMobileNet({ explain: true }).graph, { optimise: true }));
      return [...prologue, ...main].map(({ op, outputs }) => `${op.name} ${outputs[0]?.shape}`);
    };
    const first = names();
    relu(constant([1, 2, 3]));
    makeNode(addOp, [input("a", [2]), input("b", [2])]);
    expect(names()).toEqual(first);
  });
});
