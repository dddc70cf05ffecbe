import code from "../../shaders/maxPool2d.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { flatGrid } from "../kernel.ts";
import {
  type Attributes,
  defineOp,
  type KernelContext,
  type OpCase,
  type Reference,
  type ReferenceTensor,
  type Shader,
} from "../op.ts";
import { formatShape, formatType, type Shape, sameShape, sizeOf } from "../types.ts";

const shader: Shader = { name: "maxPool2d", code };

export interface PoolOptions {
  /** Height and width of the window. */
  readonly size: readonly [number, number];
  readonly strides: readonly [number, number];
  /** Rows and columns added at the top, bottom, left and right, each less than the window; they never win. */
  readonly padding?: readonly [number, number, number, number];
}

const isNatural = (value: number, least: number): boolean => Number.isInteger(value) && value >= least;

function pooledShape(shape: Shape, { size, strides, padding }: Attributes): Shape {
  const [samples, height, width, channels] = shape;
  const [top, bottom, left, right] = padding;
  const whole =
    [...size, ...strides].every((value) => isNatural(value, 1)) &&
    [top, bottom].every((value) => isNatural(value, 0) && value < size[0]) &&
    [left, right].every((value) => isNatural(value, 0) && value < size[1]);
  if (!whole)
    throw new ShapeError(
      `expected size and strides of at least 1 and padding less than the window, found size ${size}, strides ${strides}, padding ${padding}`,
    );
  const along = (length: number, window: number, stride: number): number => Math.floor((length - window) / stride) + 1;
  const pooled = [
    samples,
    along(height + top + bottom, size[0], strides[0]),
    along(width + left + right, size[1], strides[1]),
    channels,
  ];
  if (!(pooled[1] >= 1 && pooled[2] >= 1))
    throw new ShapeError(`a window of ${size.join("×")} does not fit ${formatShape(shape)} with padding ${padding}`);
  return pooled;
}

/* @__NO_SIDE_EFFECTS__ */
const kernelOf =
  (entryPoint: string) =>
  ({ inputs, outputs: [written], attributes: { size, strides, padding } }: KernelContext) => {
    const [, height, width, channels] = inputs[0].shape;
    const [, outHeight, outWidth] = (inputs[1] ?? written).shape;
    const count = sizeOf(written.shape);
    const moved = [...inputs, written].reduce((total, { shape }) => total + sizeOf(shape), 0);
    const perElement = size[0] * size[1];
    return {
      shader,
      entryPoint,
      uniforms: [
        count,
        ...[height, width, channels, outHeight, outWidth],
        ...[...size, ...strides],
        ...[padding[0], padding[2]],
      ],
      grid: flatGrid(count),
      flops: inputs[1] ? sizeOf(inputs[1].shape) * perElement ** 2 : count * perElement,
      bytes: 4 * moved,
    };
  };

/** Visits each output element with the position in x of its window's first maximum. */
function eachMaximum(
  x: ReferenceTensor,
  outputShape: Shape,
  { size, strides, padding }: Attributes,
  visit: (output: number, at: number) => void,
): void {
  const [, height, width, channels] = x.shape;
  const [, outHeight, outWidth] = outputShape;
  for (let output = 0; output < sizeOf(outputShape); output++) {
    const c = output % channels;
    const ox = Math.floor(output / channels) % outWidth;
    const oy = Math.floor(output / channels / outWidth) % outHeight;
    const n = Math.floor(output / channels / outWidth / outHeight);
    let best = -1;
    for (let dy = 0; dy < size[0]; dy++)
      for (let dx = 0; dx < size[1]; dx++) {
        const iy = oy * strides[0] - padding[0] + dy;
        const ix = ox * strides[1] - padding[2] + dx;
        if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
        const at = ((n * height + iy) * width + ix) * channels + c;
        const wins = best < 0 || x.data[at] > x.data[best] || (Number.isNaN(x.data[at]) && !Number.isNaN(x.data[best]));
        if (wins) best = at;
      }
    visit(output, best);
  }
}

/** The maximum of each window, NHWC; a window that holds a NaN gives NaN. */
export const maxPool2dOp = defineOp("maxPool2d", {
  arity: 1,
  infer: ([x], attributes) => {
    if (x.dtype !== "f32" || x.shape.length !== 4)
      throw new ShapeError(`expected f32 [N, height, width, channels], found ${formatType(x)}`);
    return [{ dtype: "f32", shape: pooledShape(x.shape, attributes) }];
  },
  gradient: ({ inputs: [x], attributes, upstream: [dy] }) => [
    apply(maxPool2dGradientOp, [x, dy as Tensor], attributes),
  ],
  kernel: kernelOf("maxPool2d"),
});
export const maxPool2dReference: Reference = ([x], { attributes, outputs: [y] }) => {
  const result = new Float64Array(sizeOf(y.shape));
  eachMaximum(x, y.shape, attributes, (output, at) => {
    result[output] = x.data[at];
  });
  return [result];
};

/** x, dy → dx: each window's cotangent goes to its first maximum, in the order of rows. Not differentiated again. */
export const maxPool2dGradientOp = defineOp("maxPool2dGradient", {
  arity: 2,
  infer: ([x, dy], attributes) => {
    const expected = pooledShape(x.shape, attributes);
    if (!sameShape(expected, dy.shape))
      throw new ShapeError(`expected a cotangent ${formatShape(expected)}, found ${formatShape(dy.shape)}`);
    return [x];
  },
  kernel: kernelOf("maxPool2dGradient"),
});
export const maxPool2dGradientReference: Reference = ([x, dy], { attributes }) => {
  const result = new Float64Array(x.data.length);
  eachMaximum(x, dy.shape, attributes, (output, at) => {
    result[at] += dy.data[output];
  });
  return [result];
};

const poolings: readonly {
  readonly shape: Shape;
  readonly pooled: Shape;
  readonly attributes: Required<PoolOptions>;
}[] = [
  {
    shape: [2, 6, 8, 3],
    pooled: [2, 3, 4, 3],
    attributes: { size: [2, 2], strides: [2, 2], padding: [0, 0, 0, 0] },
  },
  // Overlapping windows, padding on all sides.
  {
    shape: [2, 7, 9, 5],
    pooled: [2, 4, 5, 5],
    attributes: { size: [3, 3], strides: [2, 2], padding: [1, 1, 1, 1] },
  },
  // Uneven in everything; the last rows are in no window.
  {
    shape: [1, 8, 11, 2],
    pooled: [1, 3, 12, 2],
    attributes: { size: [2, 3], strides: [3, 1], padding: [0, 1, 1, 2] },
  },
  { shape: [3, 1, 1, 4], pooled: [3, 1, 1, 4], attributes: { size: [1, 1], strides: [1, 1], padding: [0, 0, 0, 0] } },
];

// A wide scale keeps ties out of reach of the step of central differences.
export const maxPool2dCases = (): OpCase[] => [
  ...poolings.map(({ shape, attributes }) => ({
    inputs: [{ shape, scale: 100 }],
    attributes: { ...attributes },
    distinct: true,
  })),
  {
    inputs: [{ shape: [1, 5, 5, 2], offset: Number.NaN }],
    attributes: { ...poolings[1].attributes },
    differentiate: [],
  },
];
export const maxPool2dGradientCases = (): OpCase[] => [
  ...poolings.map(({ shape, pooled, attributes }) => ({
    inputs: [{ shape }, { shape: pooled }],
    attributes: { ...attributes },
  })),
  // Ties everywhere: the first maximum takes all.
  { inputs: [{ shape: [2, 7, 9, 5], scale: 0 }, { shape: [2, 4, 5, 5] }], attributes: { ...poolings[1].attributes } },
];

/**
 * Max pooling of x [N, H, W, C] → [N, ⌊(H + top + bottom − h)/stride⌋ + 1, …, C]; padding counts as −∞, NaN as the greatest.
 * Throws a ShapeError when no window fits or the padding is not smaller than the window.
 */
export const maxPool2d = (x: Tensor, { size, strides, padding = [0, 0, 0, 0] }: PoolOptions, label?: string): Tensor =>
  apply(maxPool2dOp, [x], { size, strides, padding }, label);
