import fillCode from "../../shaders/fill.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { flatGrid, float } from "../kernel.ts";
import { defineOp, type OpCase, type Reference, type Shader } from "../op.ts";
import {
  BATCH,
  type DType,
  dtypeOf,
  formatShape,
  hasBatch,
  type Shape,
  sizeOf,
  type TensorType,
  type TypedArray,
} from "../types.ts";

const fillShader: Shader = { name: "fill", code: fillCode };

export const inputOp = defineOp("input", { arity: 0, infer: (_, { type }) => [type], traits: { source: "input" } });

export const parameterOp = defineOp("parameter", {
  arity: 0,
  infer: (_, { type }) => [type],
  traits: { source: "parameter" },
});

export const constantOp = defineOp("constant", {
  arity: 0,
  infer: (_, { type }) => [type],
  traits: { source: "constant" },
});

/** A value given at each run under `name`. */
export function input(name: string, shape: Shape, dtype: DType = "f32"): Tensor {
  checkShape(shape);
  return apply(inputOp, [], { name, type: { dtype, shape } }, name);
}

/** A value that lives in the parameter store under `name`, shared by every plan that uses the store. */
export function parameter(name: string, shape: Shape, dtype: DType = "f32"): Tensor {
  checkShape(shape);
  if (hasBatch(shape))
    throw new ShapeError(`parameter ${name} cannot have a batch dimension, found ${formatShape(shape)}`);
  return apply(parameterOp, [], { name, type: { dtype, shape } });
}

/** A value known when the graph is built; plain numbers become float32. */
export function constant(data: TypedArray | readonly number[], shape?: Shape): Tensor {
  const values =
    data instanceof Float32Array || data instanceof Int32Array || data instanceof Uint8Array
      ? data
      : Float32Array.from(data);
  const type: TensorType = { dtype: dtypeOf(values), shape: shape ?? [values.length] };
  if (sizeOf(type.shape) !== values.length)
    throw new ShapeError(
      `constant: shape ${formatShape(type.shape)} needs ${sizeOf(type.shape)} values, found ${values.length}`,
    );
  return apply(constantOp, [], { data: values, type });
}

/** One value repeated: unlike a constant it may have a batch dimension, and nothing is uploaded. */
export const fillOp = defineOp("fill", {
  arity: 0,
  infer: (_, { type }) => [type],
  kernel: ({ outputs, attributes }) => {
    const count = sizeOf(outputs[0].shape);
    return {
      shader: fillShader,
      entryPoint: "fill",
      uniforms: [count, float(attributes.value)],
      grid: flatGrid(count),
      flops: 0,
      bytes: 4 * count,
    };
  },
});

export const fillReference: Reference = (_, { attributes, outputs }) => [
  new Float64Array(sizeOf(outputs[0].shape)).fill(attributes.value),
];

export const fillCases = (): readonly OpCase[] => [
  { inputs: [], attributes: { type: { dtype: "f32", shape: [3, 5] }, value: 0.25 } },
  { inputs: [], attributes: { type: { dtype: "f32", shape: [257] }, value: -3 } },
];

export const fill = (type: TensorType, value: number): Tensor => apply(fillOp, [], { type, value });
export const ones = (type: TensorType): Tensor => fill(type, 1);

function checkShape(shape: Shape): void {
  shape.forEach((dimension, index) => {
    const batch = dimension === BATCH && index === 0;
    if (!batch && (!Number.isInteger(dimension) || dimension < 0))
      throw new ShapeError(
        `a dimension must be a whole number of at least 0 (only the first may be the batch), found ${formatShape(shape)}`,
      );
  });
}
