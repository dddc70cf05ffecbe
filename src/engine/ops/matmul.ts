import code from "../../shaders/matmul.wgsl?raw";
import subgroupsCode from "../../shaders/matmulSubgroups.wgsl?raw";
import tiledCode from "../../shaders/matmulTiled.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { flatGrid } from "../kernel.ts";
import {
  type AdapterTraits,
  type Choice,
  defineOp,
  type KernelCall,
  type KernelContext,
  type MaskSupport,
  type OpCase,
  type Reference,
  type Shader,
} from "../op.ts";
import { BATCH, formatShape, formatType, hasBatch, type Shape, sizeOf, type TensorType } from "../types.ts";
import { epilogueBindings, epilogueOverrides, withMasks } from "./epilogue.ts";
import { sum } from "./reduce.ts";

const shader: Shader = { name: "matmul", code };
const tiledShader: Shader = { name: "matmulTiled", code: tiledCode };
const subgroupsShader: Shader = { name: "matmulSubgroups", code: subgroupsCode };

export const lastOf = (shape: Shape): number => shape[shape.length - 1];

const checkFloats = (types: readonly TensorType[]): void => {
  const batched = types.find((type) => lastOf(type.shape) === BATCH);
  if (batched)
    throw new ShapeError(`a product cannot run over the batch, found ${formatType(batched)}; use matmulOuter or sum`);
  const other = types.find((type) => type.dtype !== "f32" || type.shape.length === 0);
  if (other) throw new ShapeError(`expected f32 tensors of rank 1 or more, found ${formatType(other)}`);
};

type Kernel = (context: KernelContext) => KernelCall;

/** Rows, contracted length and columns of y[m, n] = Σ_k a[m, k] · b[k, n], or with b[n, k] when transposed; all leading axes of a are rows. */
const productSizes = ({ inputs: [a], outputs: [y] }: KernelContext) => ({
  rows: sizeOf(a.shape.slice(0, -1)),
  inner: lastOf(a.shape),
  columns: lastOf(y.shape),
});

const naiveProduct =
  (entryPoint: string): Kernel =>
  (context) => {
    const { rows, inner, columns } = productSizes(context);
    return {
      shader,
      entryPoint,
      overrides: epilogueOverrides(context.attributes),
      uniforms: [rows, inner, columns],
      bindings: [{ input: 0 }, { input: 1 }, ...epilogueBindings(context.attributes), { output: 0 }],
      grid: flatGrid(rows * columns),
      flops: 2 * rows * inner * columns,
      bytes: 4 * (rows * inner + inner * columns + rows * columns),
    };
  };

/** The tile of one invocation of `matmulTiled.wgsl`. */
export const tile = 8;
export const tileMasks = (): MaskSupport => ({ writesRows: tile });

/** Invocations along columns and rows: as many neighbours along the columns as leave none idle. */
export function workgroupOf(columns: number, { adapter, choice }: KernelContext): [number, number] {
  if (choice) return [choice.across, choice.down];
  const invocations = adapter.software ? 32 : 64;
  const tiles = Math.ceil(columns / tile);
  const candidates = adapter.software ? [4, 2, 1] : [8, 4, 2, 1];
  const across = candidates.find((size) => tiles % size === 0) as number;
  return [across, invocations / across];
}

/** Workgroups of `matmulTiled.wgsl`: neighbours along columns and rows, as many columns as there are at most. */
export const candidates = ({ outputs: [y], adapter }: KernelContext): Choice[] =>
  lastOf(y.shape) % 4 !== 0
    ? []
    : [32, 64, 128].flatMap((invocations) =>
        [1, 2, 4, 8]
          .filter((across) => invocations <= adapter.maxInvocations && 8 * across < 2 * lastOf(y.shape))
          .map((across) => ({ across, down: invocations / across })),
      );

/** Whether loads cost so much, and subgroups are such, that `matmulSubgroups.wgsl` pays. */
export const sharesLoads = ({ software, subgroupSize }: AdapterTraits): boolean => software && subgroupSize === lanes;

/** Blocks of 16 rows × 32 columns of `matmulSubgroups.wgsl`, one per subgroup. */
const lanes = 8;
export const subgroupGrid = (rows: number, columns: number): [number, number] => [
  Math.ceil(columns / 4 / lanes),
  Math.ceil(rows / 2 / lanes),
];

/** What `matmulSubgroups.wgsl` takes as uniforms, so that all products share a pipeline. */
export const epilogueWords = ["BIAS", "ACTIVATION", "RESIDUAL", "MASK", "MASK_ROWS", "MASK_BELOW"];

function subgroupProduct(call: KernelCall, rows: number, columns: number): KernelCall {
  const stages = call.overrides ?? {};
  const shared = {
    ...call,
    shader: subgroupsShader,
    uniforms: [...call.uniforms, 0, ...epilogueWords.map((name) => stages[name])],
    grid: [...subgroupGrid(rows, columns), 1] as const,
  };
  return rows > 1
    ? { ...shared, overrides: {} }
    : { ...shared, entryPoint: "rowProduct", overrides: { TRANSPOSED: call.entryPoint === "product" ? 0 : 1 } };
}

const fastProduct =
  (entryPoint: string): Kernel =>
  (context) => {
    const { adapter } = context;
    const naive = naiveProduct(entryPoint)(context);
    const { rows, inner, columns } = productSizes(context);
    if (columns % 4 !== 0 || rows === 0) return naive;
    const call = withMasks(naive, context.attributes);
    if (inner % 4 === 0 && !context.choice && sharesLoads(adapter)) return subgroupProduct(call, rows, columns);
    const [across, down] = workgroupOf(columns, context);
    return {
      ...call,
      shader: tiledShader,
      overrides: { ...call.overrides, ROLLED: adapter.software ? 1 : 0, WORKGROUP_X: across, WORKGROUP_Y: down },
      grid: [Math.ceil(columns / tile / across), Math.ceil(rows / tile / down), 1],
    };
  };

const naiveOuter: Kernel = ({ inputs: [a, b], attributes: { splits } }) => {
  const rows = sizeOf(a.shape.slice(0, -1));
  const [inner, columns] = [lastOf(a.shape), lastOf(b.shape)];
  return {
    shader,
    entryPoint: "outerProduct",
    uniforms: [rows, inner, columns, Math.ceil(rows / splits)],
    bindings: [{ input: 0 }, { input: 1 }, null, null, { output: 0 }],
    grid: [Math.ceil(columns / 8), Math.ceil(inner / 8), splits],
    flops: 2 * rows * inner * columns,
    bytes: 4 * (rows * inner + rows * columns + splits * inner * columns),
  };
};

const fastOuter: Kernel = (context) => {
  const { adapter, attributes } = context;
  const call = naiveOuter(context);
  const [inner, columns] = context.inputs.map(({ shape }) => lastOf(shape));
  if (columns % 4 !== 0) return call;
  if (!context.choice && sharesLoads(adapter))
    return { ...call, shader: subgroupsShader, grid: [...subgroupGrid(inner, columns), attributes.splits] };
  if (inner % 4 !== 0) return call;
  const [across, down] = workgroupOf(columns, context);
  return {
    ...call,
    shader: tiledShader,
    overrides: { ROLLED: adapter.software ? 1 : 0, WORKGROUP_X: across, WORKGROUP_Y: down },
    grid: [Math.ceil(columns / tile / across), Math.ceil(inner / tile / down), attributes.splits],
  };
};

/** The naive rung of each op by its name: the oracle of the tiled one, which gives the same bits. */
export const naiveMatmulKernels: Readonly<Record<string, Kernel>> = {
  matmul: naiveProduct("product"),
  matmulTransposed: naiveProduct("transposedProduct"),
  matmulOuterPartial: naiveOuter,
};

/* @__NO_SIDE_EFFECTS__ */
const productReference =
  (transposed: boolean): Reference =>
  ([a, b]) => {
    const inner = lastOf(a.shape);
    const columns = transposed ? b.shape[0] : b.shape[1];
    const rows = sizeOf(a.shape.slice(0, -1));
    const result = new Float64Array(rows * columns);
    for (let m = 0; m < rows; m++)
      for (let k = 0; k < inner; k++) {
        const left = a.data[m * inner + k];
        for (let n = 0; n < columns; n++)
          result[m * columns + n] += left * (transposed ? b.data[n * inner + k] : b.data[k * columns + n]);
      }
    return [result];
  };

const sizes = [
  [33, 65, 17],
  [1, 1, 1],
  [64, 64, 64],
  [7, 512, 3],
  [130, 24, 144],
];

/** a [..., K] × b [K, M] → [..., M]: a dense layer, and every 1×1 convolution. */
export const matmulOp = defineOp("matmul", {
  arity: 2,
  infer: ([a, b]) => {
    checkFloats([a, b]);
    if (b.shape.length !== 2 || b.shape[0] !== lastOf(a.shape))
      throw new ShapeError(
        `the last axis of the left operand must equal the first of the right, found ${formatShape(a.shape)} × ${formatShape(b.shape)}`,
      );
    return [{ dtype: "f32", shape: [...a.shape.slice(0, -1), b.shape[1]] }];
  },
  gradient: ({ inputs: [a, b], upstream: [dy] }) => [matmulTransposed(dy as Tensor, b), matmulOuter(a, dy as Tensor)],
  kernel: fastProduct("product"),
  candidates,
  traits: { acceptsEpilogue: true, masks: tileMasks, linear: { weights: 1, scales: "output", isMatrix: true } },
});
export const matmulReference = productReference(false);
export const matmulCases = (): OpCase[] =>
  sizes.map(([m, k, n]) => ({ inputs: [{ shape: [m, k] }, { shape: [k, n] }] }));

/** a [..., M] × bᵀ with b [K, M] → [..., K]: the input gradient of `matmul`, without copying a transpose. */
export const matmulTransposedOp = defineOp("matmulTransposed", {
  arity: 2,
  infer: ([a, b]) => {
    checkFloats([a, b]);
    if (b.shape.length !== 2 || b.shape[1] !== lastOf(a.shape))
      throw new ShapeError(
        `the last axes must be equal, found ${formatShape(a.shape)} × transposed ${formatShape(b.shape)}`,
      );
    return [{ dtype: "f32", shape: [...a.shape.slice(0, -1), b.shape[0]] }];
  },
  gradient: ({ inputs: [a, b], upstream: [dy] }) => [matmul(dy as Tensor, b), matmulOuter(dy as Tensor, a)],
  kernel: fastProduct("transposedProduct"),
  candidates,
  traits: { acceptsEpilogue: true, masks: tileMasks, linear: { weights: 1, scales: "input", isMatrix: true } },
});
export const matmulTransposedReference = productReference(true);
export const matmulTransposedCases = (): OpCase[] =>
  sizes.map(([m, k, n]) => ({
    inputs: [{ shape: [m, k] }, { shape: [n, k] }],
  }));

/** Partial sums of aᵀ·b over the leading axes: split s takes the rows s·length … of a [rows, K] and b [rows, M] → [splits, K, M]. */
export const matmulOuterPartialOp = defineOp("matmulOuterPartial", {
  arity: 2,
  infer: ([a, b], { splits }) => [{ dtype: "f32", shape: [splits, lastOf(a.shape), lastOf(b.shape)] }],
  kernel: fastOuter,
  candidates: (context) => (lastOf(context.inputs[0].shape) % 4 === 0 ? candidates(context) : []),
  traits: { couplesBatch: true },
});
export const matmulOuterPartialReference: Reference = ([a, b], { attributes: { splits } }) => {
  const [inner, columns] = [lastOf(a.shape), lastOf(b.shape)];
  const rows = sizeOf(a.shape.slice(0, -1));
  const length = Math.ceil(rows / splits);
  const result = new Float64Array(splits * inner * columns);
  for (let row = 0; row < rows; row++) {
    const base = Math.floor(row / length) * inner * columns;
    for (let k = 0; k < inner; k++)
      for (let n = 0; n < columns; n++)
        result[base + k * columns + n] += a.data[row * inner + k] * b.data[row * columns + n];
  }
  return [result];
};
export const matmulOuterPartialCases = (): OpCase[] => [
  { inputs: [{ shape: [33, 5] }, { shape: [33, 7] }], attributes: { splits: 4 } },
  { inputs: [{ shape: [3, 11, 9] }, { shape: [3, 11, 12] }], attributes: { splits: 1 } },
  { inputs: [{ shape: [2, 17, 20] }, { shape: [2, 17, 12] }], attributes: { splits: 3 } },
];

/** aᵀ·b over all leading axes: a [..., K], b [..., M] → [K, M]: the weight gradient of `matmul`. */
export const matmulOuterOp = defineOp("matmulOuter", {
  arity: 2,
  infer: ([a, b]) => {
    checkFloats([a, b]);
    if (formatShape(a.shape.slice(0, -1)) !== formatShape(b.shape.slice(0, -1)))
      throw new ShapeError(`the leading axes must be equal, found ${formatShape(a.shape)} and ${formatShape(b.shape)}`);
    return [{ dtype: "f32", shape: [lastOf(a.shape), lastOf(b.shape)] }];
  },
  gradient: ({ inputs: [a, b], upstream: [dy] }) => [matmulTransposed(b, dy as Tensor), matmul(a, dy as Tensor)],
  lower: ([a, b]) => {
    const rowsPerSample = sizeOf(a.shape.slice(hasBatch(a.shape) ? 1 : 0, -1));
    const splits = outerSplits(rowsPerSample, lastOf(a.shape) * lastOf(b.shape));
    const partial = apply(matmulOuterPartialOp, [a, b], { splits });
    return [sum(partial, [0])];
  },
  traits: { couplesBatch: true },
});
export const matmulOuterReference: Reference = (inputs, context) =>
  matmulOuterPartialReference(inputs, { ...context, attributes: { splits: 1 } });
export const matmulOuterCases = (): OpCase[] => [
  { inputs: [{ shape: [33, 5] }, { shape: [33, 7] }] },
  { inputs: [{ shape: [2, 25, 13, 6] }, { shape: [2, 25, 13, 11] }] },
];

/** Enough partial sums to fill a GPU, few enough to keep them small; depends on the shape of one sample alone. */
function outerSplits(rowsPerSample: number, outputs: number): number {
  const byRows = Math.ceil(rowsPerSample / 64);
  const byOutputs = Math.max(1, Math.floor((1 << 18) / Math.max(1, outputs)));
  return Math.max(1, Math.min(byRows, byOutputs, 128));
}

/** a [..., K] × b [K, M] → [..., M]. */
export const matmul = (a: Tensor, b: Tensor, label?: string): Tensor => apply(matmulOp, [a, b], {}, label);
/** a [..., M] × transposed b [K, M] → [..., K]. */
export const matmulTransposed = (a: Tensor, b: Tensor): Tensor => apply(matmulTransposedOp, [a, b]);
/** aᵀ·b over all leading axes → [K, M]. */
export const matmulOuter = (a: Tensor, b: Tensor): Tensor => apply(matmulOuterOp, [a, b]);
