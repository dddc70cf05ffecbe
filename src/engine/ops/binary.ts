import code from "../../shaders/binary.wgsl?raw";
import { broadcastShape, broadcastStrides, repeatedAxes } from "../broadcast.ts";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { flatGrid } from "../kernel.ts";
import {
  defineOp,
  type KernelCall,
  type KernelContext,
  type OpCase,
  type Reference,
  type ReferenceTensor,
  type Shader,
  type Traits,
} from "../op.ts";
import { formatType, sameShape, sizeOf, type TensorType } from "../types.ts";
import { flatRung } from "./lanes.ts";
import { sum } from "./reduce.ts";
import { reshape } from "./reshape.ts";
import { scale } from "./unary.ts";

const shader: Shader = { name: "binary", code };
const rank = 4;

const infer = ([a, b]: readonly TensorType[]): TensorType[] => {
  if (a.dtype !== "f32" || b.dtype !== "f32")
    throw new ShapeError(`expected f32 operands, found ${formatType(a)} and ${formatType(b)}; cast them first`);
  return [{ dtype: "f32", shape: broadcastShape(a.shape, b.shape) }];
};

/* @__NO_SIDE_EFFECTS__ */
const kernelOf =
  (name: string) =>
  ({ inputs: [a, b], outputs: [y], adapter }: KernelContext): KernelCall => {
    const count = sizeOf(y.shape);
    const cost = { flops: count, bytes: 4 * (count + sizeOf(a.shape) + sizeOf(b.shape)) };
    if (sameShape(a.shape, b.shape)) {
      const { items, ...rung } = flatRung(name, y.shape, adapter);
      return { shader, ...rung, uniforms: [items, ...new Array(11).fill(0)], ...cost };
    }
    const strides = broadcastStrides(a.shape, b.shape, y.shape, rank);
    return {
      shader,
      entryPoint: `${name}Broadcast`,
      uniforms: [count, ...strides.sizes.slice(1), ...strides.a, ...strides.b],
      grid: flatGrid(count),
      ...cost,
    };
  };

/** The gradient of an operand that was repeated is the sum over its repetitions. */
function sumTo(dy: Tensor, target: Tensor): Tensor {
  if (sameShape(dy.shape, target.shape)) return dy;
  const summed = sum(dy, repeatedAxes(target.shape, dy.shape), true);
  return sameShape(summed.shape, target.shape) ? summed : reshape(summed, target.shape);
}

/* @__NO_SIDE_EFFECTS__ */
const elementwise =
  (f: (a: number, b: number) => number): Reference =>
  ([a, b]: readonly ReferenceTensor[], { outputs: [y] }) => {
    const strides = broadcastStrides(a.shape, b.shape, y.shape, 8);
    const result = new Float64Array(sizeOf(y.shape));
    for (let index = 0; index < result.length; index++) {
      let rest = index;
      let left = 0;
      let right = 0;
      for (let axis = strides.sizes.length - 1; axis >= 0; axis--) {
        const position = rest % strides.sizes[axis];
        rest = (rest - position) / strides.sizes[axis];
        left += position * strides.a[axis];
        right += position * strides.b[axis];
      }
      result[index] = f(a.data[left], b.data[right]);
    }
    return [result];
  };

export const binaryCases = (): OpCase[] =>
  [
    [
      [2, 3],
      [2, 3],
    ],
    [[257], [257]],
    [
      [3, 5, 7, 4],
      [3, 5, 7, 4],
    ],
    [[4, 5, 3, 7], [7]],
    [
      [4, 5, 3, 7],
      [4, 1, 1, 7],
    ],
    [
      [3, 1, 5],
      [2, 1],
    ],
    [[], [3, 2]],
    [
      [2, 1, 3, 1],
      [1, 5, 1, 4],
    ],
    [
      [2, 1, 3, 1, 5],
      [1, 2, 3, 1, 5],
    ],
  ].map(([a, b]) => ({ inputs: [{ shape: a }, { shape: b }] }));

const symmetric: Traits = { commutative: true };

/** a + b, broadcast like NumPy. */
export const addOp = defineOp("add", {
  arity: 2,
  infer,
  gradient: ({ inputs: [a, b], upstream: [dy] }) => [sumTo(dy as Tensor, a), sumTo(dy as Tensor, b)],
  kernel: kernelOf("add"),
  traits: { ...symmetric, epilogue: { stage: "add", operand: 1 } },
});
export const addReference = elementwise((a, b) => a + b);

/** a − b, broadcast like NumPy. */
export const subtractOp = defineOp("subtract", {
  arity: 2,
  infer,
  gradient: ({ inputs: [a, b], upstream: [dy] }) => [sumTo(dy as Tensor, a), sumTo(scale(dy as Tensor, -1), b)],
  kernel: kernelOf("subtract"),
});
export const subtractReference = elementwise((a, b) => a - b);

/** a · b element by element, broadcast like NumPy. */
export const multiplyOp = defineOp("multiply", {
  arity: 2,
  infer,
  gradient: ({ inputs: [a, b], upstream: [dy] }) => [
    sumTo(multiply(dy as Tensor, b), a),
    sumTo(multiply(dy as Tensor, a), b),
  ],
  kernel: kernelOf("multiply"),
  traits: symmetric,
});
export const multiplyReference = elementwise((a, b) => a * b);

/** a / b element by element, broadcast like NumPy. */
export const divideOp = defineOp("divide", {
  arity: 2,
  infer,
  gradient: ({ inputs: [a, b], outputs: [y], upstream: [dy] }) => {
    const da = divide(dy as Tensor, b);
    return [sumTo(da, a), sumTo(scale(multiply(da, y), -1), b)];
  },
  kernel: kernelOf("divide"),
});
export const divideReference = elementwise((a, b) => a / b);
/** Denominators at a distance from zero, where the central difference has no meaning. */
export const divideCases = (): OpCase[] =>
  binaryCases().map(({ inputs: [a, b] }) => ({
    inputs: [a, { ...b, positive: true, offset: 0.5 }],
  }));

export const add = (a: Tensor, b: Tensor, label?: string): Tensor => apply(addOp, [a, b], {}, label);
export const subtract = (a: Tensor, b: Tensor): Tensor => apply(subtractOp, [a, b]);
export const multiply = (a: Tensor, b: Tensor): Tensor => apply(multiplyOp, [a, b]);
export const divide = (a: Tensor, b: Tensor): Tensor => apply(divideOp, [a, b]);
