import code from "../../shaders/histogram.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { bindInput, bindOutput, flatGrid } from "../kernel.ts";
import { defineOp, type OpCase, type Reference, type Shader } from "../op.ts";
import { formatType, sizeOf } from "../types.ts";

const shader: Shader = { name: "histogram", code };
const levels = 256;

const levelOf = (value: number): number => Math.floor(Math.min(Math.max(value, 0), 255) + 0.5);

/** x [N, H, W, C] of 0 to 255 → counts i32 [N, C, 256] of the values rounded to bytes; a NaN is not counted. */
export const histogramOp = defineOp("histogram", {
  arity: 1,
  infer: ([x]) => {
    if (x.dtype !== "f32" || x.shape.length !== 4)
      throw new ShapeError(`expected f32 [N, height, width, channels], found ${formatType(x)}`);
    return [{ dtype: "i32", shape: [x.shape[0], x.shape[3], levels] }];
  },
  kernel: ({ inputs: [x], outputs: [y] }) => ({
    shader,
    entryPoint: "histogram",
    uniforms: [sizeOf(x.shape), x.shape[1] * x.shape[2], x.shape[3]],
    bindings: [bindInput(0), null, null, null, bindOutput(0)],
    grid: flatGrid(x.shape[0] * x.shape[3], 1),
    flops: sizeOf(x.shape),
    bytes: 4 * (sizeOf(x.shape) + sizeOf(y.shape)),
  }),
});
export const histogramReference: Reference = ([x]) => {
  const [samples, height, width, channels] = x.shape;
  const counts = new Float64Array(samples * channels * levels);
  x.data.forEach((value, at) => {
    const line = Math.floor(at / (height * width * channels)) * channels + (at % channels);
    if (!Number.isNaN(value)) counts[line * levels + levelOf(value)]++;
  });
  return [counts];
};
export const histogramCases = (): OpCase[] => [
  { inputs: [{ shape: [2, 9, 11, 3], scale: 90, offset: 128 }] },
  { inputs: [{ shape: [3, 1, 70, 1], scale: 3, offset: 40 }] },
];

/** counts [N, C, 256] → the table [N, C, 256] that spreads them evenly, in whole numbers as Pillow's `ImageOps.equalize`. */
export const equaliseTableOp = defineOp("equaliseTable", {
  arity: 1,
  infer: ([counts]) => {
    if (counts.dtype !== "i32" || counts.shape.length !== 3 || counts.shape[2] !== levels)
      throw new ShapeError(`expected counts i32 [N, C, 256], found ${formatType(counts)}`);
    return [{ dtype: "f32", shape: counts.shape }];
  },
  kernel: ({ inputs: [counts] }) => {
    const lines = counts.shape[0] * counts.shape[1];
    return {
      shader,
      entryPoint: "equaliseTable",
      uniforms: [lines, 1, 1],
      bindings: [null, bindInput(0), null, null, bindOutput(0)],
      grid: flatGrid(lines, 1),
      flops: 4 * lines * levels,
      bytes: 8 * lines * levels,
    };
  },
});
export const equaliseTableReference: Reference = ([counts]) => {
  const table = new Float64Array(counts.data.length);
  for (let first = 0; first < table.length; first += levels) {
    const line = counts.data.subarray(first, first + levels);
    const total = line.reduce((sum, count) => sum + count, 0);
    const last = line.findLast((count) => count > 0) ?? 0;
    const step = Math.floor((total - last) / 255);
    let below = Math.floor(step / 2);
    line.forEach((count, value) => {
      table[first + value] = step === 0 ? value : Math.min(Math.floor(below / step), 255);
      below += count;
    });
  }
  return [table];
};
export const equaliseTableCases = (): OpCase[] => [
  { inputs: [{ shape: [2, 3, levels], dtype: "i32", below: 40 }] },
  { inputs: [{ shape: [1, 2, levels], dtype: "i32", below: 2 }] },
];

/** x [N, H, W, C], table [N, C, 256], switched [N] → table[x rounded to a byte] where switched is not 0, else x. */
export const lookUpOp = defineOp("lookUp", {
  arity: 3,
  infer: ([x, table, switched]) => {
    const [samples, , , channels] = x.shape;
    if (x.dtype !== "f32" || x.shape.length !== 4)
      throw new ShapeError(`expected f32 [N, height, width, channels], found ${formatType(x)}`);
    if (table.dtype !== "f32" || table.shape.join() !== [samples, channels, levels].join())
      throw new ShapeError(`expected a table f32 [N, ${channels}, 256], found ${formatType(table)}`);
    if (switched.dtype !== "f32" || switched.shape.join() !== `${samples}`)
      throw new ShapeError(`expected a switch f32 [N] for each image, found ${formatType(switched)}`);
    return [x];
  },
  kernel: ({ inputs: [x] }) => ({
    shader,
    entryPoint: "lookUp",
    uniforms: [sizeOf(x.shape), x.shape[1] * x.shape[2], x.shape[3]],
    bindings: [bindInput(0), null, bindInput(1), bindInput(2), bindOutput(0)],
    grid: flatGrid(sizeOf(x.shape)),
    flops: sizeOf(x.shape),
    bytes: 8 * sizeOf(x.shape),
  }),
});
export const lookUpReference: Reference = ([x, table, switched]) => {
  const [, height, width, channels] = x.shape;
  return [
    x.data.map((value, at) => {
      const image = Math.floor(at / (height * width * channels));
      if (switched.data[image] === 0 || Number.isNaN(value)) return value;
      return table.data[(image * channels + (at % channels)) * levels + levelOf(value)];
    }),
  ];
};
export const lookUpCases = (): OpCase[] => [
  {
    inputs: [{ shape: [3, 5, 4, 3], scale: 90, offset: 128 }, { shape: [3, 3, levels], scale: 60 }, { shape: [3] }],
    differentiate: [],
  },
];

/** How often each level comes in x [N, H, W, C] of 0 to 255: i32 [N, C, 256]. */
export const histogram = (x: Tensor): Tensor => apply(histogramOp, [x]);

/** x [N, H, W, C] through a table [N, C, 256] in the images whose `switched` [N] is not 0. */
export const lookUp = (x: Tensor, table: Tensor, switched: Tensor, label?: string): Tensor =>
  apply(lookUpOp, [x, table, switched], {}, label);

/** Histogram equalisation of x [N, H, W, C] of 0 to 255 in the images whose `switched` [N] is not 0. */
export const equalise = (x: Tensor, switched: Tensor, label?: string): Tensor =>
  lookUp(x, apply(equaliseTableOp, [histogram(x)]), switched, label);
