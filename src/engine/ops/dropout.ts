import code from "../../shaders/dropout.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { flatGrid, float } from "../kernel.ts";
import { defineOp, type OpCase, type Reference, type Shader } from "../op.ts";
import { randomBitsAt } from "../random.ts";
import { formatType, sizeOf } from "../types.ts";

const shader: Shader = { name: "dropout", code };

const thresholdOf = (rate: number): number => Math.round(rate * 2 ** 24);

/** x [N, …], address i32 [N, 4] (seed, stream, sample, op): x · keep / (1 − rate). Linear in x, and its own transpose. */
export const dropoutOp = defineOp("dropout", {
  arity: 2,
  infer: ([x, address], { rate }) => {
    if (x.dtype !== "f32" || x.shape.length < 1) throw new ShapeError(`expected f32 [N, …], found ${formatType(x)}`);
    if (`${address.dtype} ${address.shape.join()}` !== `i32 ${[x.shape[0], 4]}`)
      throw new ShapeError(
        `expected an address i32 [N, 4] for each sample of ${formatType(x)}, found ${formatType(address)}`,
      );
    if (!(rate >= 0 && rate < 1)) throw new ShapeError(`expected a rate from 0 to below 1, found ${rate}`);
    return [x];
  },
  gradient: ({ inputs: [, address], attributes: { rate }, upstream: [dy] }) => [
    dropout(dy as Tensor, address, rate),
    null,
  ],
  kernel: ({ inputs: [{ shape }], attributes: { rate } }) => {
    const perSample = sizeOf(shape.slice(1));
    return {
      shader,
      entryPoint: "dropout",
      uniforms: [shape[0], perSample, thresholdOf(rate), float(1 / (1 - rate))],
      grid: flatGrid(shape[0] * Math.ceil(perSample / 4)),
      flops: sizeOf(shape),
      bytes: 8 * sizeOf(shape),
    };
  },
});

export const dropoutReference: Reference = ([x, address], { attributes: { rate } }) => {
  const perSample = sizeOf(x.shape.slice(1));
  return [
    x.data.map((value, at) => {
      const row = 4 * Math.floor(at / perSample);
      const [seed, stream, sample, op] = address.data.subarray(row, row + 4);
      const bits = randomBitsAt({ seed, stream, sample, op, lane: at % perSample });
      return value * (bits >>> 8 >= thresholdOf(rate) ? 1 / (1 - rate) : 0);
    }),
  ];
};

export const dropoutCases = (): OpCase[] =>
  [
    { shape: [5, 7], rate: 0.5 },
    { shape: [3, 257], rate: 0.2 },
    { shape: [2, 3, 5, 4], rate: 0.9 },
    { shape: [9], rate: 0 },
    { shape: [0, 6], rate: 0.3 },
  ].map(({ shape, rate }) => ({
    inputs: [{ shape }, { shape: [shape[0], 4], dtype: "i32", below: 2 ** 31 }],
    attributes: { rate },
    differentiate: [0],
  }));

/**
 * Dropout (Srivastava et al. 2014): each element of x [N, …] is zero with probability `rate`, else divided by 1 − rate. What is
 * dropped follows from `address` i32 [N, 4], the sample's (seed, stream, sample, op), and the element's place alone.
 * Throws a ShapeError for other shapes or a rate outside [0, 1).
 */
export const dropout = (x: Tensor, address: Tensor, rate: number, label?: string): Tensor =>
  apply(dropoutOp, [x, address], { rate }, label);
