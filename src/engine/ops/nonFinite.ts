import code from "../../shaders/nonFinite.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { flatGrid } from "../kernel.ts";
import { defineOp, type OpCase, type Reference, type Shader } from "../op.ts";
import { formatType, hasBatch, sizeOf, type TensorType } from "../types.ts";
import { splitsFor } from "./lanes.ts";
import { sum } from "./reduce.ts";

const shader: Shader = { name: "nonFinite", code };

const coupled = ({ inputs: [x] }: { inputs: readonly TensorType[] }): boolean => hasBatch(x.shape);

const isNonFinite = (value: number): boolean => !Number.isFinite(value);

/** Partial counts [splits]: count s looks at the elements s, s + splits, … */
export const nonFinitePartialOp = defineOp("nonFinitePartial", {
  arity: 1,
  infer: (_, { splits }) => [{ dtype: "f32", shape: [splits] }],
  kernel: ({ inputs: [x], attributes: { splits } }) => {
    const count = sizeOf(x.shape);
    return {
      shader,
      entryPoint: "nonFinite",
      uniforms: [count, splits],
      grid: flatGrid(splits),
      flops: count,
      bytes: 4 * (count + splits),
    };
  },
  traits: { couplesBatch: coupled },
});
export const nonFinitePartialReference: Reference = ([x], { attributes: { splits } }) => {
  const result = new Float64Array(splits);
  x.data.forEach((value, index) => {
    if (isNonFinite(value)) result[index % splits]++;
  });
  return [result];
};

/** How many numbers of x are NaN or infinite, as f32 []. */
export const nonFiniteCountOp = defineOp("nonFiniteCount", {
  arity: 1,
  infer: ([x]) => {
    if (x.dtype !== "f32") throw new ShapeError(`expected f32, found ${formatType(x)}; integers are always finite`);
    return [{ dtype: "f32", shape: [] }];
  },
  lower: ([x]) => {
    const splits = splitsFor(sizeOf(hasBatch(x.shape) ? x.shape.slice(1) : x.shape));
    return [sum(apply(nonFinitePartialOp, [x], { splits }), [0])];
  },
  traits: { couplesBatch: coupled },
});
export const nonFiniteCountReference: Reference = ([x]) => [Float64Array.of(x.data.filter(isNonFinite).length)];

/** Finite numbers, numbers of which many overflow to an infinity, and nothing but NaN. */
const inputs: OpCase["inputs"][] = [
  [{ shape: [1] }],
  [{ shape: [5, 7, 11] }],
  [{ shape: [1031], scale: 3e38 }],
  [{ shape: [257], offset: Number.NaN }],
];
export const nonFiniteCountCases = (): OpCase[] => inputs.map((tensors) => ({ inputs: tensors }));
export const nonFinitePartialCases = (): OpCase[] =>
  inputs.map((tensors) => ({
    inputs: tensors,
    attributes: { splits: 7 },
  }));

/** How many numbers of x are NaN or infinite, as f32 []; exact up to 2²⁴, and never zero when there is one. */
export const nonFiniteCount = (x: Tensor): Tensor => apply(nonFiniteCountOp, [x]);
