import code from "../../shaders/masks.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { defineOp, type OpCase, type Reference, type ReferenceTensor, type Shader } from "../op.ts";
import { formatShape, sameShape, sizeOf } from "../types.ts";
import { flatRung } from "./lanes.ts";

const shader: Shader = { name: "masks", code };

/** The gradient of a clipped activation: dy where low < y < high, else 0. Reads the output y, so the input can be freed early. */
/* @__NO_SIDE_EFFECTS__ */
const defineMask = (name: string, inside: (y: number) => boolean, below: number) => {
  const op = defineOp(name, {
    arity: 2,
    infer: ([y, dy]) => {
      if (!sameShape(y.shape, dy.shape))
        throw new ShapeError(`expected equal shapes, found ${formatShape(y.shape)} and ${formatShape(dy.shape)}`);
      return [dy];
    },
    gradient: ({ inputs: [y], upstream: [dz] }) => [null, apply(op, [y, dz as Tensor])],
    kernel: ({ outputs: [{ shape }], adapter }) => {
      const count = sizeOf(shape);
      const { items, ...rung } = flatRung(name, shape, adapter);
      return { shader, ...rung, uniforms: [items], flops: count, bytes: 12 * count };
    },
    traits: { mask: { below } },
  });
  const reference: Reference = ([y, dy]: readonly ReferenceTensor[]) => [
    dy.data.map((value, index) => (inside(y.data[index]) ? value : 0)),
  ];
  return { op, reference };
};

const reluMaskParts = defineMask("reluMask", (y) => y > 0, 0x7f800001);
const relu6MaskParts = defineMask("relu6Mask", (y) => y > 0 && y < 6, 0x40c00000);

export const reluMaskOp = reluMaskParts.op;
export const reluMaskReference = reluMaskParts.reference;
export const relu6MaskOp = relu6MaskParts.op;
export const relu6MaskReference = relu6MaskParts.reference;

export const maskCases = (): OpCase[] => [
  ...[[2, 3], [1], [257], [3, 5, 7, 2], [3, 5, 7, 4]].map((shape) => ({
    inputs: [{ shape, scale: 5, avoid: [0, 6] }, { shape }],
    differentiate: [1],
  })),
  // Exactly at the kinks, where clipped activations are, and at the smallest number above zero.
  ...[0, 6, 2 ** -149].flatMap((offset) =>
    [[5], [2, 4]].map((shape) => ({ inputs: [{ shape, scale: 0, offset }, { shape }], differentiate: [1] })),
  ),
];

export const reluMask = (y: Tensor, dy: Tensor): Tensor => apply(reluMaskOp, [y, dy]);
export const relu6Mask = (y: Tensor, dy: Tensor): Tensor => apply(relu6MaskOp, [y, dy]);
