import { gradients } from "../../src/engine/autodiff.ts";
import { caseData } from "../../src/engine/checkOp.ts";
import { ShapeError } from "../../src/engine/errors.ts";
import { type Graph, labelled, makeNode, type Node, nodesOf, type Tensor } from "../../src/engine/graph.ts";
import type { OpCase, OpEntry } from "../../src/engine/op.ts";
import { add, multiply, subtract } from "../../src/engine/ops/binary.ts";
import { batchNorm, biasAdd, channelAffine, channelScale } from "../../src/engine/ops/channel.ts";
import { conv2d } from "../../src/engine/ops/conv2d.ts";
import { depthwiseConv2d } from "../../src/engine/ops/depthwise.ts";
import { matmul, matmulOuter, matmulTransposed } from "../../src/engine/ops/matmul.ts";
import { mean, sum } from "../../src/engine/ops/reduce.ts";
import { registry } from "../../src/engine/ops/registry.ts";
import { reshape } from "../../src/engine/ops/reshape.ts";
import { constant, fill, input, parameter } from "../../src/engine/ops/sources.ts";
import { exp, relu, relu6, scale, square } from "../../src/engine/ops/unary.ts";
import { CounterRandom } from "../../src/engine/random.ts";
import {
  atBatch,
  BATCH,
  type DType,
  f32,
  hasBatch,
  type Shape,
  sizeOf,
  type TypedArray,
} from "../../src/engine/types.ts";

export interface RandomGraph {
  readonly graph: Graph;
  readonly batch: number;
  readonly inputs: Record<string, TypedArray>;
  readonly parameters: Record<string, { data: Float32Array; shape: Shape }>;
  readonly fetch: readonly string[];
}

/** Sizes at which kernels go wrong: nothing, one, primes, one more than a workgroup. */
const sizes = [1, 1, 2, 3, 5, 7, 7, 13, 17, 31];
const largest = 6000;

/** Cases small enough for many graphs. A source has no inputs to chain, an update no outputs. */
const moveable: readonly (readonly [OpEntry, readonly OpCase[]])[] = registry
  .filter(({ op }) => !op.traits.updates)
  .map((entry): [OpEntry, readonly OpCase[]] => [
    entry,
    entry.cases.filter(({ inputs }) => inputs.every(({ shape }) => sizeOf(shape) <= largest)),
  ])
  .filter(([, cases]) => cases.length > 0);

/**
 * A graph that depends on the seed alone: chains of element-wise ops, broadcasting, reductions, products, convolutions with
 * what can be fused behind them, frozen batch normalisation, residual additions, views, any op of the registry through
 * one of its cases, gradients of a scalar, several outputs and fetched labels. `draw` changes the data, not the structure.
 */
export class Generator {
  readonly random: CounterRandom;
  readonly data: CounterRandom;
  readonly batch: number;
  readonly #pool: Tensor[] = [];
  readonly #inputs: Record<string, TypedArray> = {};
  readonly #parameters: RandomGraph["parameters"] = {};
  #names = 0;
  #labels = 0;

  constructor(
    readonly seed: number,
    readonly draw = 0,
  ) {
    this.random = new CounterRandom(seed, 1);
    this.data = new CounterRandom(seed, 2 + draw);
    this.batch = this.random.pick([0, 1, 1, 2, 3, 3, 5, 7]);
  }

  generate(): RandomGraph {
    for (let count = 1 + this.random.integer(2); count > 0; count--) this.#pool.push(this.#leaf(this.#shape()));
    const moves = 2 + this.random.integer(9);
    for (let move = 0; move < moves; move++) this.#move();
    const outputs: Record<string, Tensor> = {};
    const computed = this.#pool.filter(({ node }) => !node.op.traits.source);
    if (computed.length === 0) computed.push(relu(this.#pool[0]));
    for (let count = 1 + this.random.integer(3); count > 0; count--)
      outputs[`y${count}`] = count === 1 ? computed[computed.length - 1] : this.random.pick(computed);
    if (this.random.uniform() < 0.5) this.#differentiate(outputs);
    const graph = { outputs };
    const used = new Set(nodesOf(graph).map(({ attributes }) => attributes.name));
    const only = <T>(values: Record<string, T>) =>
      Object.fromEntries(Object.entries(values).filter(([name]) => used.has(name)));
    const labels = nodesOf(graph).flatMap(({ label }) => (label?.startsWith("label") ? [label] : []));
    const fetch = labels.filter(() => this.random.uniform() < 0.5);
    const batched = nodesOf(graph).filter(({ op, outputs: [y] }) => op.traits.source === "input" && hasBatch(y.shape));
    // Where no input says how large the batch is, a run takes one sample.
    const isFree = !batched.some(({ outputs: [y] }) => sizeOf(y.shape.slice(1)) > 0);
    return {
      graph,
      batch: isFree ? 1 : this.batch,
      inputs: only(this.#inputs),
      parameters: only(this.#parameters),
      fetch,
    };
  }

  /** Gradients of the last value, summed up per sample or weighted, by leaves and by values in between. */
  #differentiate(outputs: Record<string, Tensor>): void {
    const y = Object.values(outputs)[0];
    if (y.dtype !== "f32") return;
    const candidates = ancestors(y.node).flatMap((node) => node.outputs.filter(({ dtype }) => dtype === "f32"));
    for (let count = 1 + this.random.integer(2); count > 0; count--) {
      const x = this.random.pick(candidates);
      try {
        outputs[`d${count}`] = gradients(y, [x], this.random.uniform() < 0.5 ? this.#leaf(y.shape) : undefined)[0];
      } catch (error) {
        if (!/does not depend|no gradient rule/.test((error as Error).message)) throw error;
      }
    }
  }

  #size(): number {
    const choice = this.random.uniform();
    return choice < 0.02 ? 0 : choice < 0.05 ? 257 : this.random.pick(sizes);
  }

  #shape(rank = this.random.pick([1, 2, 2, 3, 4, 4])): Shape {
    const shape = Array.from({ length: rank }, () => this.#size());
    if (this.random.uniform() < 0.5) shape[0] = BATCH;
    for (let axis = rank - 1; this.#count(shape) > largest; axis--) if (shape[axis] !== BATCH) shape[axis] = 2;
    return shape;
  }

  #count = (shape: Shape): number => sizeOf(atBatch(shape, this.batch));

  /** An input, a parameter or a constant with normal values times `factor`. */
  #leaf(shape: Shape, factor = 1, kind = this.random.integer(4)): Tensor {
    const values = Float32Array.from({ length: this.#count(shape) }, () => factor * this.data.normal());
    const name = `x${this.#names++}`;
    if (kind === 1 && !hasBatch(shape)) {
      this.#parameters[name] = { data: values, shape };
      return parameter(name, shape);
    }
    if (kind === 2 && !hasBatch(shape)) return constant(values, shape);
    if (kind === 3 && this.random.uniform() < 0.3) return fill(f32(...shape), 0.5);
    this.#inputs[name] = values;
    return input(name, shape);
  }

  #pick(accept: (shape: Shape) => boolean = () => true): Tensor | undefined {
    const fitting = this.#pool.filter(({ dtype, shape }) => dtype === "f32" && accept(shape));
    return fitting.length > 0 ? this.random.pick(fitting.slice(-4)) : undefined;
  }

  #keep(y: Tensor): void {
    const named =
      !y.node.op.traits.source && !y.node.label && y.node.outputs.length === 1 && this.random.uniform() < 0.2;
    this.#pool.push(named ? labelled(y, `label${this.#labels++}`) : y);
  }

  #move(): void {
    const moves = [this.#unary, this.#unary, this.#binary, this.#binary, this.#reduction, this.#product];
    const move = this.random.pick([
      ...moves,
      this.#convolution,
      this.#convolution,
      this.#normalise,
      this.#view,
      this.#case,
    ]);
    const before = this.#pool.length;
    move();
    // Refused shapes are the builders' business; what they accept must run.
    if (this.#pool.length === before) this.#unary();
  }

  #unary = (): void => {
    const x = this.#pick() as Tensor;
    const f = this.random.pick([relu, relu6, square, scale, exp]);
    if (f === scale) this.#keep(scale(x, this.random.uniform(-2, 2), this.random.uniform(-1, 1)));
    else if (f === exp) this.#keep(exp(scale(relu6(x), -0.5)));
    else this.#keep((f as typeof relu)(f === square ? scale(x, 0.5) : x));
  };

  #binary = (): void => {
    const a = this.#pick() as Tensor;
    const other = this.#pick((shape) => broadcasts(a.shape, shape));
    const shape = a.shape.map((size) => (this.random.uniform() < 0.3 ? 1 : size)).slice(this.random.integer(2));
    const b = other && this.random.uniform() < 0.6 ? other : this.#leaf(shape);
    const operands: [Tensor, Tensor] = this.random.uniform() < 0.5 ? [a, b] : [b, a];
    this.#keep(this.random.pick([add, subtract, multiply])(...operands));
  };

  #reduction = (): void => {
    const x = this.#pick((shape) => shape.length > 0);
    if (!x) return;
    const axes = x.shape.flatMap((_, axis) => (this.random.uniform() < 0.5 ? [axis] : []));
    if (axes.length === 0) axes.push(x.shape.length - 1);
    const keepDims = this.random.uniform() < 0.5;
    // The mean of nothing is not a number, on purpose; it would hide everything after it.
    const isEmpty = axes.some((axis) => atBatch(x.shape, this.batch)[axis] === 0);
    this.#keep(isEmpty || this.random.uniform() < 0.5 ? sum(x, axes, keepDims) : mean(x, axes, keepDims));
  };

  #product = (): void => {
    const a = this.#pick((shape) => shape.length > 1 && this.#count(shape) * 31 <= 40 * largest);
    if (!a) return;
    const last = a.shape[a.shape.length - 1];
    const width = this.#size();
    const factor = 1 / Math.sqrt(Math.max(1, last));
    const kind = this.random.integer(4);
    if (kind === 0) this.#keep(matmulTransposed(a, this.#leaf([width, last], factor)));
    else if (kind === 1) this.#keep(matmulOuter(a, this.#leaf([...a.shape.slice(0, -1), width], factor)));
    else this.#keep(this.#behind(matmul(a, this.#leaf([last, width], factor))));
  };

  #convolution = (): void => {
    const x =
      this.#pick((shape) => shape.length === 4 && this.#count(shape) <= 4000 && !hasBatch(shape.slice(1))) ??
      this.#leaf([
        this.random.pick([BATCH, 1, 2]),
        1 + this.random.integer(9),
        1 + this.random.integer(9),
        this.#size() || 1,
      ]);
    const window = {
      strides: [1 + this.random.integer(3), 1 + this.random.integer(3)] as const,
      padding: [0, 0, 0, 0].map(() => this.random.integer(3)) as unknown as readonly [number, number, number, number],
    };
    const [height, width] = [this.random.pick([1, 3, 3, 5, 2]), this.random.pick([1, 3, 3, 5, 2])];
    const channels = x.shape[3];
    try {
      const factor = 1 / Math.sqrt(Math.max(1, height * width * channels));
      if (this.random.uniform() < 0.5)
        this.#keep(
          this.#behind(
            depthwiseConv2d(x, this.#leaf([height, width, channels], 1 / Math.sqrt(height * width)), window),
          ),
        );
      else this.#keep(this.#behind(conv2d(x, this.#leaf([height, width, channels, this.#size()], factor), window)));
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
    }
  };

  /** Some of what a kernel can take into its epilogue, in an order that it can or cannot. */
  #behind(y: Tensor): Tensor {
    const channels = y.shape[y.shape.length - 1];
    const stages: ((value: Tensor) => Tensor)[] = [
      (value) => biasAdd(value, this.#leaf([channels])),
      (value) => this.random.pick([relu, relu6])(value),
      (value) => add(value, this.#leaf(value.shape)),
      (value) => this.#normalised(value),
    ];
    let result = y;
    for (let count = this.random.integer(4); count > 0; count--) {
      if (this.random.uniform() < 0.15) this.#keep(result);
      result = this.random.pick(stages)(result);
    }
    return result;
  }

  #normalise = (): void => {
    const x = this.#pick((shape) => shape.length > 0 && shape[shape.length - 1] !== BATCH);
    if (x) this.#keep(this.#normalised(x));
  };

  #normalised(x: Tensor): Tensor {
    const shape = [x.shape[x.shape.length - 1]];
    const kind = this.random.integer(2);
    const vector = (): Tensor => this.#leaf(shape, 1, kind);
    switch (this.random.integer(3)) {
      case 0:
        return channelScale(x, vector());
      case 1:
        return channelAffine(x, vector(), vector());
      default: {
        const variance = add(square(vector()), constant([0.25]));
        return batchNorm(x, { gamma: vector(), beta: vector(), mean: vector(), variance, epsilon: 1e-3 });
      }
    }
  }

  #view = (): void => {
    const x = this.#pick() as Tensor;
    const rest = hasBatch(x.shape) ? x.shape.slice(1) : x.shape;
    const size = sizeOf(rest);
    const divisor = this.random.pick([1, 2, 3, 5, 7, 13].filter((value) => size % value === 0));
    const shape = [...(hasBatch(x.shape) ? [BATCH] : []), ...(size === 0 ? rest : [divisor, size / divisor])];
    this.#keep(reshape(x, shape));
  };

  /** Any op of the registry through one of its cases; plain float operands come from the pool where the sizes agree. */
  #case = (): void => {
    const [entry, cases] = this.random.pick(moveable);
    const opCase = this.random.pick(cases);
    const data = caseData(opCase, this.data.bits());
    const operands = opCase.inputs.map(({ shape, dtype, ...rest }, index) => {
      const plain = Object.keys(rest).length === 0 && !opCase.distinct;
      const known = plain && this.#pick((own) => !hasBatch(own) && sizeOf(own) === sizeOf(shape));
      return known ? reshape(known, shape) : this.#feed(shape, dtype, data[index]);
    });
    for (const output of makeNode(entry.op, operands, opCase.attributes).outputs) this.#pool.push(output);
  };

  #feed(shape: Shape, dtype: DType | undefined, data: TypedArray): Tensor {
    const name = `x${this.#names++}`;
    this.#inputs[name] = data;
    return input(name, shape, dtype);
  }
}

function ancestors(root: Node): Node[] {
  return nodesOf({ outputs: { root: root.outputs[0] } });
}

function broadcasts(a: Shape, b: Shape): boolean {
  const length = Math.min(a.length, b.length);
  const aligned = a.slice(a.length - length).every((size, axis) => {
    const other = b.slice(b.length - length)[axis];
    return size === other || size === 1 || other === 1;
  });
  const longer = a.length > b.length ? a : b;
  const shorter = a.length > b.length ? b : a;
  // The batch can only be the first axis of the result.
  return aligned && (longer.length === shorter.length || !hasBatch(shorter));
}
