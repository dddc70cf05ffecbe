import code from "../../shaders/resizeBilinear.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { flatGrid } from "../kernel.ts";
import { defineOp, type KernelContext, type OpCase, type Reference, type Shader } from "../op.ts";
import { formatType, type Shape, sizeOf, type TensorType } from "../types.ts";

const shader: Shader = { name: "resizeBilinear", code };

/** The largest side: positions are whole numbers of half output pixels, which must fit 31 bits. */
const longestSide = 32767;

const infer = ([x]: readonly TensorType[], { height, width }: { height: number; width: number }): TensorType[] => {
  if (x.dtype !== "f32" || x.shape.length !== 4)
    throw new ShapeError(`expected f32 [N, height, width, channels], found ${formatType(x)}`);
  const sides = [x.shape[1], x.shape[2], height, width];
  if (!sides.every((side) => Number.isInteger(side) && side >= 1 && side <= longestSide))
    throw new ShapeError(`expected sides from 1 to ${longestSide}, found ${formatType(x)} to ${height}×${width}`);
  return [{ dtype: "f32", shape: [x.shape[0], height, width, x.shape[3]] }];
};

/** `from` is the input of the resizing and `to` its output, whichever way the data flow. */
/* @__NO_SIDE_EFFECTS__ */
const kernelOf = (entryPoint: string, context: KernelContext, from: Shape, to: Shape) => {
  const [x, y] = [context.inputs[0], context.outputs[0]];
  const count = sizeOf(y.shape);
  return {
    shader,
    entryPoint,
    uniforms: [count, from[1], from[2], from[3], to[1], to[2]],
    grid: flatGrid(count),
    flops: entryPoint === "resize" ? 8 * count : 12 * sizeOf(x.shape),
    bytes: 4 * (count + sizeOf(x.shape)),
  };
};

/** Visits every (input element, output element, weight) of the resizing. */
function eachTap(from: Shape, to: Shape, visit: (input: number, output: number, weight: number) => void): void {
  const [samples, height, width, channels] = from;
  const tapsOf = (output: number, size: number, outSize: number): [number, number][] => {
    const position = Math.max(((2 * output + 1) * size - outSize) / (2 * outSize), 0);
    const lower = Math.floor(position);
    const fraction = position - lower;
    const taps: [number, number][] = [[lower, 1 - fraction]];
    // A pixel without weight is left out, so that its NaN or infinity stays where it is.
    if (fraction > 0) taps.push([Math.min(lower + 1, size - 1), fraction]);
    return taps;
  };
  for (let n = 0; n < samples; n++)
    for (let oy = 0; oy < to[1]; oy++)
      for (let ox = 0; ox < to[2]; ox++)
        for (const [iy, rowWeight] of tapsOf(oy, height, to[1]))
          for (const [ix, columnWeight] of tapsOf(ox, width, to[2]))
            for (let c = 0; c < channels; c++)
              visit(
                ((n * height + iy) * width + ix) * channels + c,
                ((n * to[1] + oy) * to[2] + ox) * channels + c,
                rowWeight * columnWeight,
              );
}

/** x [N, H, W, C] → [N, height, width, C], bilinear with half-pixel centres and clamped borders, without antialias. */
export const resizeBilinearOp = defineOp("resizeBilinear", {
  arity: 1,
  infer: (inputs, { height, width }) => infer(inputs, { height, width }),
  gradient: ({ inputs: [x], upstream: [dy] }) => [
    apply(resizeBilinearTransposedOp, [dy as Tensor], { height: x.shape[1], width: x.shape[2] }),
  ],
  kernel: (context) => kernelOf("resize", context, context.inputs[0].shape, context.outputs[0].shape),
});
export const resizeBilinearReference: Reference = ([x], { outputs: [y] }) => {
  const result = new Float64Array(sizeOf(y.shape));
  eachTap(x.shape, y.shape, (input, output, weight) => {
    result[output] += weight * x.data[input];
  });
  return [result];
};

/** The transpose of resizing from height × width to the size of dy: its gradient. */
export const resizeBilinearTransposedOp = defineOp("resizeBilinearTransposed", {
  arity: 1,
  infer: (inputs, { height, width }) => infer(inputs, { height, width }),
  gradient: ({ inputs: [dy], upstream: [dz] }) => [
    resizeBilinear(dz as Tensor, { height: dy.shape[1], width: dy.shape[2] }),
  ],
  kernel: (context) => kernelOf("transposed", context, context.outputs[0].shape, context.inputs[0].shape),
});
export const resizeBilinearTransposedReference: Reference = ([dy], { outputs: [dx] }) => {
  const result = new Float64Array(sizeOf(dx.shape));
  eachTap(dx.shape, dy.shape, (input, output, weight) => {
    result[input] += weight * dy.data[output];
  });
  return [result];
};

/** Up, down, by whole and broken factors, and to the same size. */
export const resizeBilinearCases = (): OpCase[] =>
  [
    { shape: [2, 3, 4, 3], height: 7, width: 9 },
    { shape: [1, 7, 7, 1], height: 224, width: 224 },
    { shape: [1, 33, 21, 2], height: 5, width: 8 },
    { shape: [2, 4, 6, 5], height: 8, width: 3 },
    { shape: [1, 1, 5, 3], height: 4, width: 5 },
    { shape: [3, 6, 6, 2], height: 1, width: 1 },
  ].map(({ shape, ...attributes }) => ({ inputs: [{ shape }], attributes }));

/**
 * x [N, H, W, C] → [N, height, width, C] as `tf.image.resize` does: bilinear, half-pixel centres, no antialias, clamped.
 * Throws a ShapeError for sides outside 1 to 32767.
 */
export const resizeBilinear = (
  x: Tensor,
  { height, width }: { height: number; width: number },
  label?: string,
): Tensor => apply(resizeBilinearOp, [x], { height, width }, label);
