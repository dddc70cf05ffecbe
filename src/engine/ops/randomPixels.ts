import code from "../../shaders/randomPixels.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { bindInput, bindOutput } from "../kernel.ts";
import {
  type Binding,
  defineOp,
  type KernelContext,
  type OpCase,
  type Reference,
  type ReferenceTensor,
  type Shader,
} from "../op.ts";
import { bitsToUniform, randomBitsAt } from "../random.ts";
import { formatType, type Shape, sizeOf, type TensorType } from "../types.ts";
import { pixelGrid } from "./affine.ts";
import { inverseNormal } from "./erase.ts";

const shader: Shader = { name: "randomPixels", code };

/* @__NO_SIDE_EFFECTS__ */
const kernelOf =
  (entryPoint: string, bindings: readonly Binding[], flops: number) =>
  ({ outputs: [{ shape }] }: KernelContext) => ({
    shader,
    entryPoint,
    uniforms: shape,
    bindings,
    grid: pixelGrid(shape[2], shape[1], shape[0]),
    flops: flops * sizeOf(shape),
    bytes: 8 * sizeOf(shape),
  });

function checkAddress(address: TensorType, samples: number): void {
  if (address.dtype !== "i32" || address.shape.length !== 2 || address.shape[0] !== samples || address.shape[1] !== 4)
    throw new ShapeError(`expected an address i32 [N, 4] for each image, found ${formatType(address)}`);
}

function inferImages([x, amount, address]: readonly TensorType[]): TensorType[] {
  if (x.dtype !== "f32" || x.shape.length !== 4)
    throw new ShapeError(`expected f32 [N, height, width, channels], found ${formatType(x)}`);
  if (amount.dtype !== "f32" || amount.shape.length !== 1 || amount.shape[0] !== x.shape[0])
    throw new ShapeError(`expected an amount f32 [N] for each image of ${formatType(x)}, found ${formatType(amount)}`);
  checkAddress(address, x.shape[0]);
  return [x];
}

/** The random bits of each element of a tensor [N, …]. */
const bitsFor = (addresses: ReferenceTensor, shape: Shape): ((at: number) => number) => {
  const perImage = sizeOf(shape.slice(1));
  return (at) => {
    const image = Math.floor(at / perImage);
    const [seed, stream, sample, op] = addresses.data.subarray(4 * image, 4 * image + 4);
    return randomBitsAt({ seed, stream, sample, op, lane: at % perImage });
  };
};

const normalOf = (bits: number): number => inverseNormal(((bits >>> 9) + 0.5) * 2 ** -23);

/** A Poisson number from 32 random bits: by inversion, above a mean of 32 by Cornish and Fisher's expansion, not rounded. */
function poisson(mean: number, bits: number): number {
  if (mean > 32) {
    const z = normalOf(bits);
    return mean + Math.sqrt(mean) * z + (z * z - 1) / 6;
  }
  const chance = bitsToUniform(bits);
  let count = 0;
  let term = Math.exp(-mean);
  for (let total = term; chance >= total && count < 100; total += term) {
    count++;
    term *= mean / count;
  }
  return count;
}

const clip = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value);

const imageBindings = [bindInput(0), bindInput(1), bindInput(2), bindOutput(0)];

/** x [N, H, W, C] of 0 to 255, photons [N] at full brightness, address i32 [N, 4]: counted photons, as a sensor sees them. */
export const shotNoiseOp = defineOp("shotNoise", {
  arity: 3,
  infer: inferImages,
  kernel: kernelOf("shot", imageBindings, 100),
});
export const shotNoiseReference: Reference = ([x, photons, addresses]) => {
  const bits = bitsFor(addresses, x.shape);
  const perImage = sizeOf(x.shape.slice(1));
  return [
    x.data.map((value, at) => {
      const full = photons.data[Math.floor(at / perImage)];
      if (Number.isNaN(value) || !Number.isFinite(full)) return Number.NaN;
      return full <= 0 ? value : clip((255 / full) * poisson((full * clip(value)) / 255, bits(at)));
    }),
  ];
};
/** Few elements: where a random number falls on a step of the distribution, float32 may count one photon more. */
export const shotNoiseCases = (): OpCase[] =>
  [8, 60].map((photons) => ({
    inputs: [
      { shape: [2, 3, 2, 3], scale: 60, offset: 128 },
      { shape: [2], scale: 2, offset: photons },
      { shape: [2, 4], dtype: "i32", below: 2 ** 31 },
    ],
    differentiate: [],
  }));

/** x [N, H, W, C], share [N], address i32 [N, 4]: that share of the elements becomes 0 or 255. */
export const impulseNoiseOp = defineOp("impulseNoise", {
  arity: 3,
  infer: inferImages,
  kernel: kernelOf("impulse", imageBindings, 20),
});
export const impulseNoiseReference: Reference = ([x, shares, addresses]) => {
  const bits = bitsFor(addresses, x.shape);
  const perImage = sizeOf(x.shape.slice(1));
  return [
    x.data.map((value, at) => {
      const share = shares.data[Math.floor(at / perImage)];
      if (!Number.isFinite(share)) return Number.NaN;
      const chance = bitsToUniform(bits(at));
      return chance < share / 2 ? 0 : chance < share ? 255 : value;
    }),
  ];
};
export const impulseNoiseCases = (): OpCase[] => [
  {
    inputs: [
      { shape: [3, 7, 5, 3], scale: 60, offset: 128 },
      { shape: [3], scale: 0.1, offset: 0.5 },
      { shape: [3, 4], dtype: "i32", below: 2 ** 31 },
    ],
    differentiate: [],
  },
];

/* @__NO_SIDE_EFFECTS__ */
const defineField = (name: string, entryPoint: string) =>
  defineOp(name, {
    arity: 1,
    infer: ([address], { height, width, channels }) => {
      checkAddress(address, address.shape[0]);
      if (![height, width, channels].every((side) => Number.isInteger(side) && side >= 1))
        throw new ShapeError(`expected sides of at least 1, found ${height}×${width}×${channels}`);
      return [{ dtype: "f32", shape: [address.shape[0], height, width, channels] }];
    },
    kernel: kernelOf(entryPoint, [null, null, bindInput(0), bindOutput(0)], 20),
  });

/* @__NO_SIDE_EFFECTS__ */
const fieldReference =
  (numberOf: (bits: number) => number): Reference =>
  ([addresses], { outputs: [y] }) => [
    Float64Array.from({ length: sizeOf(y.shape) }, (_, at) => numberOf(bitsFor(addresses, y.shape)(at))),
  ];

/** address i32 [N, 4] → [N, height, width, channels], uniform in [0, 1). */
export const uniformFieldOp = defineField("uniformField", "uniformField");
export const uniformFieldReference = fieldReference(bitsToUniform);
/** The same, standard normal. */
export const normalFieldOp = defineField("normalField", "normalField");
export const normalFieldReference = fieldReference(normalOf);
export const fieldCases = (): OpCase[] => [
  {
    inputs: [{ shape: [3, 4], dtype: "i32", below: 2 ** 31 }],
    attributes: { height: 5, width: 7, channels: 2 },
    differentiate: [],
  },
];

export const shotNoise = (x: Tensor, photons: Tensor, address: Tensor, label?: string): Tensor =>
  apply(shotNoiseOp, [x, photons, address], {}, label);
export const impulseNoise = (x: Tensor, share: Tensor, address: Tensor, label?: string): Tensor =>
  apply(impulseNoiseOp, [x, share, address], {}, label);

export interface FieldSize {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** White noise at an address i32 [N, 4] for each sample: uniform in [0, 1). Throws a ShapeError for other addresses. */
export const uniformField = (address: Tensor, { height, width, channels }: FieldSize): Tensor =>
  apply(uniformFieldOp, [address], { height, width, channels });

/** White noise, standard normal. */
export const normalField = (address: Tensor, { height, width, channels }: FieldSize): Tensor =>
  apply(normalFieldOp, [address], { height, width, channels });
