import code from "../../shaders/matmulHalf.wgsl?raw";
import subgroupsCode from "../../shaders/matmulHalfSubgroups.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { halvesIn } from "../halves.ts";
import {
  defineOp,
  type KernelCall,
  type KernelContext,
  type OpCase,
  type OpDescription,
  type Reference,
  type Shader,
} from "../op.ts";
import { formatType, type Shape, sizeOf, type TensorType } from "../types.ts";
import { epilogueBindings, epilogueOverrides, withMasks } from "./epilogue.ts";
import {
  candidates,
  epilogueWords,
  lastOf,
  sharesLoads,
  subgroupGrid,
  tile,
  tileMasks,
  workgroupOf,
} from "./matmul.ts";

const shader: Shader = { name: "matmulHalf", code };
const subgroupsShader: Shader = { name: "matmulHalfSubgroups", code: subgroupsCode };

/** Inputs before the epilogue's: rows, words of two halves, scales. */
const arity = 3;

/** Whether a matrix of this shape can be stored in halves: the kernels read and write vectors of four. */
export const fitsHalves = (shape: Shape): boolean => shape.length === 2 && shape.every((size) => size % 4 === 0);

/** [K, N] of the matrix in words [K, N / 2]. */
const matrixOf = ({ shape: [k, words] }: TensorType): [number, number] => [k, 2 * words];

function checkTypes([a, words, scales]: readonly TensorType[], inner: 0 | 1): void {
  const isSound =
    a.dtype === "f32" &&
    a.shape.length > 0 &&
    words.dtype === "i32" &&
    words.shape.length === 2 &&
    scales.dtype === "f32";
  const shape = isSound ? matrixOf(words) : [];
  if (!fitsHalves(shape) || lastOf(a.shape) !== shape[inner] || String(scales.shape) !== String([shape[1]]))
    throw new ShapeError(
      `expected f32 [..., ${inner === 0 ? "K" : "N"}], i32 [K, N / 2] and f32 [N] with K and N multiples of 4, found ${[a, words, scales].map(formatType).join(", ")}`,
    );
}

/* @__NO_SIDE_EFFECTS__ */
const kernelOf =
  (entryPoint: string) =>
  (context: KernelContext): KernelCall => {
    const { inputs, outputs, attributes, adapter } = context;
    const [a, y] = [inputs[0].shape, outputs[0].shape];
    const [rows, inner, columns] = [sizeOf(a.slice(0, -1)), lastOf(a), lastOf(y)];
    const [across, down] = workgroupOf(columns, context);
    const call: KernelCall = {
      shader,
      entryPoint,
      overrides: {
        ...epilogueOverrides(attributes),
        ROLLED: adapter.software ? 1 : 0,
        WORKGROUP_X: across,
        WORKGROUP_Y: down,
      },
      uniforms: [rows, inner, columns],
      bindings: [{ input: 0 }, { input: 1 }, { input: 2 }, ...epilogueBindings(attributes, arity), { output: 0 }],
      grid: [Math.ceil(columns / tile / across), Math.ceil(rows / tile / down), 1],
      flops: 2 * rows * inner * columns,
      bytes: 4 * rows * inner + 2 * inner * columns + 4 * rows * columns,
    };
    const masked = withMasks(call, attributes, arity);
    return sharesLoads(adapter) && !context.choice ? subgroupProduct(masked, rows, columns) : masked;
  };

function subgroupProduct({ overrides: stages = {}, ...call }: KernelCall, rows: number, columns: number): KernelCall {
  const shared = {
    ...call,
    shader: subgroupsShader,
    uniforms: [...call.uniforms, ...epilogueWords.map((name) => stages[name])],
    grid: [...subgroupGrid(rows, columns), 1] as const,
  };
  return rows === 1
    ? { ...shared, entryPoint: "rowProduct", overrides: { TRANSPOSED: call.entryPoint === "product" ? 0 : 1 } }
    : shared;
}

const traits = { acceptsEpilogue: true, masks: tileMasks } as const;

/** a [..., K] × a matrix of halves (words i32 [K, N / 2], scales f32 [N]) → [..., N]. Its weights carry no gradient. */
export const matmulHalfOp = defineOp("matmulHalf", {
  arity,
  infer: (types) => {
    checkTypes(types, 0);
    return [{ dtype: "f32", shape: [...types[0].shape.slice(0, -1), matrixOf(types[1])[1]] }];
  },
  gradient: ({ inputs: [, words, scales], upstream: [dy] }) => [
    matmulHalfTransposed(dy as Tensor, words, scales),
    null,
    null,
  ],
  kernel: kernelOf("product"),
  candidates,
  traits: { ...traits, linear: { weights: 2, scales: "output" } },
} satisfies OpDescription);

/** a [..., N] × a transposed matrix of halves (words i32 [K, N / 2], scales f32 [N]) → [..., K]. Its weights carry no gradient. */
export const matmulHalfTransposedOp = defineOp("matmulHalfTransposed", {
  arity,
  infer: (types) => {
    checkTypes(types, 1);
    return [{ dtype: "f32", shape: [...types[0].shape.slice(0, -1), matrixOf(types[1])[0]] }];
  },
  gradient: ({ inputs: [, words, scales], upstream: [dy] }) => [matmulHalf(dy as Tensor, words, scales), null, null],
  kernel: kernelOf("transposedProduct"),
  candidates,
  traits: { ...traits, linear: { weights: 2, scales: "input" } },
} satisfies OpDescription);

/* @__NO_SIDE_EFFECTS__ */
const referenceOf =
  (isTransposed: boolean): Reference =>
  ([a, words, scales], { outputs: [y] }) => {
    const halves = halvesIn(words.data);
    const [inner, columns] = [lastOf(a.shape), lastOf(y.shape)];
    return [
      new Float64Array(sizeOf(y.shape)).map((_, at) => {
        const [m, n] = [Math.floor(at / columns), at % columns];
        let total = 0;
        for (let k = 0; k < inner; k++)
          total +=
            a.data[m * inner + k] * (isTransposed ? halves[n * inner + k] * scales.data[k] : halves[k * columns + n]);
        return isTransposed ? total : total * scales.data[n];
      }),
    ];
  };
export const matmulHalfReference = referenceOf(false);
export const matmulHalfTransposedReference = referenceOf(true);

const sizes = [
  [33, 68, 20],
  [1, 12, 20],
  [2, 256, 60],
  [130, 24, 144],
];
const caseOf = (rows: number[], [k, n]: readonly number[]): OpCase => ({
  inputs: [{ shape: rows }, { shape: [k, n / 2], dtype: "i32", halves: true }, { shape: [n] }],
  differentiate: [0],
});
export const matmulHalfCases = (): OpCase[] => sizes.map(([m, k, n]) => caseOf([m, k], [k, n]));
export const matmulHalfTransposedCases = (): OpCase[] => sizes.map(([m, k, n]) => caseOf([m, n], [k, n]));

export const matmulHalf = (a: Tensor, words: Tensor, scales: Tensor, label?: string): Tensor =>
  apply(matmulHalfOp, [a, words, scales], {}, label);

export const matmulHalfTransposed = (a: Tensor, words: Tensor, scales: Tensor, label?: string): Tensor =>
  apply(matmulHalfTransposedOp, [a, words, scales], {}, label);
