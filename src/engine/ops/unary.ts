import code from "../../shaders/unary.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { float } from "../kernel.ts";
import { defineOp, type KernelContext, type OpCase, type Reference, type Shader, type UniformWord } from "../op.ts";
import { formatType, sizeOf, type TensorType } from "../types.ts";
import { multiply } from "./binary.ts";
import { flatRung } from "./lanes.ts";
import { relu6Mask, reluMask } from "./masks.ts";

const shader: Shader = { name: "unary", code };

const sameType = ([x]: readonly TensorType[]): TensorType[] => {
  if (x.dtype !== "f32") throw new ShapeError(`expected f32, found ${formatType(x)}; cast it first`);
  return [x];
};

/* @__NO_SIDE_EFFECTS__ */
const kernelOf =
  (
    entryPoint: string,
    flops: number,
    words: (attributes: KernelContext["attributes"]) => UniformWord[] = () => [0, 0],
  ) =>
  ({ outputs: [{ shape }], attributes, adapter }: KernelContext) => {
    const count = sizeOf(shape);
    const { items, ...rung } = flatRung(entryPoint, shape, adapter);
    return {
      shader,
      ...rung,
      uniforms: [items, ...words(attributes)],
      flops: flops * count,
      bytes: 8 * count,
    };
  };

const shapes: OpCase["inputs"][] = [
  [{ shape: [2, 3] }],
  [{ shape: [1] }],
  [{ shape: [257] }],
  [{ shape: [3, 5, 7, 2] }],
  [{ shape: [3, 5, 7, 4] }],
];

/** max(x, 0). A NaN stays a NaN. */
export const reluOp = defineOp("relu", {
  arity: 1,
  infer: sameType,
  gradient: ({ outputs: [y], upstream: [dy] }) => [reluMask(y, dy as Tensor)],
  kernel: kernelOf("relu", 1),
  traits: { epilogue: { stage: "relu" } },
});
export const reluReference: Reference = ([x]) => [x.data.map((value) => (value < 0 ? 0 : value))];
export const reluCases = (): OpCase[] => shapes.map(([x]) => ({ inputs: [{ ...x, avoid: [0] }] }));

/** min(max(x, 0), 6), the activation of MobileNet (Howard et al. 2017). A NaN stays a NaN. */
export const relu6Op = defineOp("relu6", {
  arity: 1,
  infer: sameType,
  gradient: ({ outputs: [y], upstream: [dy] }) => [relu6Mask(y, dy as Tensor)],
  kernel: kernelOf("relu6", 2),
  traits: { epilogue: { stage: "relu6" } },
});
export const relu6Reference: Reference = ([x]) => [x.data.map((value) => (value < 0 ? 0 : value > 6 ? 6 : value))];
export const relu6Cases = (): OpCase[] => shapes.map(([x]) => ({ inputs: [{ ...x, scale: 5, avoid: [0, 6] }] }));

/** x · factor + offset with numbers fixed when the graph is built. */
export const scaleOp = defineOp("scale", {
  arity: 1,
  infer: sameType,
  gradient: ({ attributes, upstream: [dy] }) => [scale(dy as Tensor, attributes.factor)],
  kernel: kernelOf("scale", 2, ({ factor, offset }) => [float(factor), float(offset)]),
});
export const scaleReference: Reference = ([x], { attributes }) => {
  const factor = Math.fround(attributes.factor);
  const offset = Math.fround(attributes.offset);
  return [x.data.map((value) => value * factor + offset)];
};
export const scaleCases = (): OpCase[] =>
  shapes.map((inputs) => ({ inputs, attributes: { factor: 0.3, offset: -1.5 } }));

/** x². */
export const squareOp = defineOp("square", {
  arity: 1,
  infer: sameType,
  gradient: ({ inputs: [x], upstream: [dy] }) => [scale(multiply(x, dy as Tensor), 2)],
  kernel: kernelOf("square", 1),
});
export const squareReference: Reference = ([x]) => [x.data.map((value) => value * value)];
export const squareCases = (): OpCase[] => shapes.map((inputs) => ({ inputs }));

/** eˣ. */
export const expOp = defineOp("exp", {
  arity: 1,
  infer: sameType,
  gradient: ({ outputs: [y], upstream: [dy] }) => [multiply(y, dy as Tensor)],
  kernel: kernelOf("exponential", 8),
});
export const expReference: Reference = ([x]) => [x.data.map(Math.exp)];
export const expCases = (): OpCase[] => shapes.map((inputs) => ({ inputs }));

export const relu = (x: Tensor, label?: string): Tensor => apply(reluOp, [x], {}, label);
export const relu6 = (x: Tensor, label?: string): Tensor => apply(relu6Op, [x], {}, label);
/** x · factor + offset. */
export const scale = (x: Tensor, factor: number, offset = 0, label?: string): Tensor =>
  apply(scaleOp, [x], { factor, offset }, label);
export const square = (x: Tensor): Tensor => apply(squareOp, [x]);
export const exp = (x: Tensor): Tensor => apply(expOp, [x]);
