import code from "../../shaders/photometric.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { bindInput, bindOutput } from "../kernel.ts";
import { type Attributes, defineOp, type OpCase, type Reference, type Shader } from "../op.ts";
import { formatType, sizeOf, type TensorType } from "../types.ts";
import { pixelGrid } from "./affine.ts";
import { mean } from "./reduce.ts";

const shader: Shader = { name: "photometric", code };

/** The steps of a photometric program by their codes; `photometric.wgsl` says what each does with its amount. */
export const photometricCodes = {
  nothing: 0,
  brightness: 1,
  contrast: 2,
  saturation: 3,
  hue: 4,
  greyscale: 5,
  posterise: 6,
  solarise: 7,
  saturationHsv: 8,
  value: 9,
  chroma: 10,
  chromaShift: 11,
} as const;
export type PhotometricStep = keyof typeof photometricCodes;

type Colour = readonly [number, number, number];

const clip = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value);
const grey = ([red, green, blue]: Colour): number => 0.2989 * red + 0.587 * green + 0.114 * blue;
const each = (rgb: Colour, f: (value: number, channel: number) => number): Colour => [
  f(rgb[0], 0),
  f(rgb[1], 1),
  f(rgb[2], 2),
];

/** Turns the hue in HSV (Smith 1978), as `tf.image.adjust_hue` does; a grey stays. */
function turnHue(rgb: Colour, turns: number): Colour {
  const [red, green, blue] = rgb;
  const highest = Math.max(red, green, blue);
  const chroma = highest - Math.min(red, green, blue);
  if (!(chroma > 0)) return rgb;
  const sixths =
    highest === red
      ? (green - blue) / chroma
      : highest === green
        ? (blue - red) / chroma + 2
        : (red - green) / chroma + 4;
  const channel = (offset: number): number => {
    const place = offset + sixths + 6 * turns;
    const wrapped = place - 6 * Math.floor(place / 6);
    return highest - chroma * Math.min(Math.max(Math.min(wrapped, 4 - wrapped), 0), 1);
  };
  return [channel(5), channel(3), channel(1)];
}

/** V of HSV moved, at the same hue and saturation; black becomes grey. */
function shiftValue(rgb: Colour, amount: number): Colour {
  const highest = rgb.some(Number.isNaN) ? Number.NaN : Math.max(...rgb);
  if (Number.isNaN(highest)) return rgb;
  const moved = clip(highest + amount);
  return each(rgb, (value) => (highest > 0 ? value * (moved / highest) : moved));
}

/** S of HSV becomes S·factor + shift, within 0 and 1; a grey stays. */
function changeChroma(rgb: Colour, factor: number, shift: number): Colour {
  if (rgb.some(Number.isNaN)) return rgb;
  const highest = Math.max(...rgb);
  const chroma = highest - Math.min(...rgb);
  if (!(chroma > 0) || !(highest > 0)) return rgb;
  const saturation = chroma / highest;
  const changed = saturation * factor + shift;
  const inside = changed < 0 ? 0 : changed > 1 ? 1 : changed;
  return each(rgb, (value) => highest - (highest - value) * (inside / saturation));
}

/** One step on one colour of 0 to 255, in float64. */
export function photometricStep(rgb: Colour, code: number, amount: number, about: Colour): Colour {
  switch (code) {
    case photometricCodes.brightness:
      return each(rgb, (value) => clip(value + amount));
    case photometricCodes.contrast:
      return each(rgb, (value, channel) => clip((value - about[channel]) * amount + about[channel]));
    case photometricCodes.saturation:
      return each(rgb, (value) => clip(grey(rgb) + (value - grey(rgb)) * amount));
    case photometricCodes.hue:
      return turnHue(rgb, amount);
    case photometricCodes.greyscale:
      return each(rgb, (value) => value + (grey(rgb) - value) * amount);
    case photometricCodes.posterise: {
      const size = 2 ** (8 - Math.min(Math.floor(amount), 8));
      return each(rgb, (value) => Math.floor(value / size) * size);
    }
    case photometricCodes.solarise:
      return each(rgb, (value) => (value >= amount ? 255 - value : value));
    case photometricCodes.saturationHsv: {
      if (rgb.some(Number.isNaN)) return rgb;
      const highest = Math.max(...rgb);
      return each(rgb, (value) => highest - (highest - value) * amount);
    }
    case photometricCodes.value:
      return shiftValue(rgb, amount);
    case photometricCodes.chroma:
      return changeChroma(rgb, amount, 0);
    case photometricCodes.chromaShift:
      return changeChroma(rgb, 1, amount);
    default:
      return rgb;
  }
}

function infer([x, program, means]: readonly TensorType[]): TensorType[] {
  if (x.dtype !== "f32" || x.shape.length !== 4 || x.shape[3] !== 3)
    throw new ShapeError(`expected RGB images f32 [N, height, width, 3], found ${formatType(x)}`);
  const { shape } = program;
  if (program.dtype !== "f32" || shape.length !== 3 || shape[0] !== x.shape[0] || shape[2] !== 2)
    throw new ShapeError(
      `expected a program f32 [N, steps, 2] for each image of ${formatType(x)}, found ${formatType(program)}`,
    );
  if (means && (means.shape.length !== 2 || means.shape[0] !== x.shape[0] || means.shape[1] !== 3))
    throw new ShapeError(`expected means f32 [N, 3] of ${formatType(x)}, found ${formatType(means)}`);
  return [x];
}

/** The codes that programs may have, as bits; all when nothing is said. */
const codesOf = ({ codes }: Attributes): number => (codes as number | undefined) ?? 4095;

/* @__NO_SIDE_EFFECTS__ */
const defineWith = (name: string, arity: 2 | 3, entryPoint: string) =>
  defineOp(name, {
    arity,
    infer,
    kernel: ({ inputs: [x, program], attributes }) => {
      const [samples, height, width] = x.shape;
      const pixels = samples * height * width;
      const steps = program.shape[1];
      return {
        shader,
        entryPoint,
        overrides: { CODES: codesOf(attributes) },
        uniforms: [samples, height, width, steps],
        bindings: [bindInput(0), bindInput(1), arity === 3 ? bindInput(2) : null, bindOutput(0)],
        grid: pixelGrid(width, height, samples),
        flops: 20 * steps * pixels,
        bytes: 24 * pixels,
      };
    },
  });

/** x [N, H, W, 3] of 0 to 255 through program [N, steps, 2]: pairs (code of {@link photometricCodes}, amount), in order. */
export const photometricOp = defineWith("photometric", 2, "apply");

/** The same with means [N, 3], about which `contrast` turns. */
export const photometricAboutOp = defineWith("photometricAbout", 3, "applyAbout");

export const photometricReference: Reference = ([x, program, means], { attributes }) => {
  const [samples, height, width] = x.shape;
  const steps = program.shape[1];
  const result = new Float64Array(sizeOf(x.shape));
  for (let pixel = 0; pixel < samples * height * width; pixel++) {
    const image = Math.floor(pixel / (height * width));
    const about: Colour = means
      ? [means.data[3 * image], means.data[3 * image + 1], means.data[3 * image + 2]]
      : [0, 0, 0];
    let rgb: Colour = [x.data[3 * pixel], x.data[3 * pixel + 1], x.data[3 * pixel + 2]];
    for (let step = 0; step < steps; step++) {
      const at = 2 * (image * steps + step);
      const code = Math.trunc(program.data[at]);
      if ((codesOf(attributes) >> code) & 1) rgb = photometricStep(rgb, code, program.data[at + 1], about);
    }
    result.set(rgb, 3 * pixel);
  }
  return [result];
};

/** Random codes (a negative one does nothing) and amounts near `offset`, so that every step is met. */
const cases = (): OpCase[] =>
  [
    { scale: 2, offset: 2.5 },
    { scale: 0.1, offset: 1.5 },
    { scale: 0.1, offset: 2.5 },
    { scale: 0.1, offset: 3.5 },
    { scale: 0.1, offset: 4.5 },
    { scale: 0.1, offset: 5.5 },
    { scale: 0.1, offset: 8.5 },
    { scale: 0.1, offset: 9.5 },
    { scale: 0.1, offset: 10.5 },
    { scale: 0.1, offset: 11.5 },
  ].map((values) => ({
    inputs: [
      { shape: [5, 3, 4, 3], scale: 60, offset: 128 },
      { shape: [5, 1, 2], positive: true, ...values },
    ],
    differentiate: [],
  }));
export const photometricCases = () => cases();
export const photometricAboutCases = () =>
  cases().map(({ inputs, differentiate }) => ({
    inputs: [...inputs, { shape: [5, 3], scale: 10, offset: 120 }],
    differentiate,
  }));

/**
 * A program on x [N, H, W, 3] of 0 to 255. With `contrast` the first step may turn about the mean of each image and channel,
 * which is then computed before. `steps` names those that programs may have, all by default; the others do nothing and cost
 * nothing. Throws a ShapeError unless program is [N, steps, 2].
 */
export function photometric(
  x: Tensor,
  program: Tensor,
  { contrast = false, steps }: { readonly contrast?: boolean; readonly steps?: readonly PhotometricStep[] } = {},
  label?: string,
): Tensor {
  const codes = steps?.reduce((bits, step) => bits | (1 << photometricCodes[step]), 1);
  const attributes = codes === undefined ? {} : { codes };
  return contrast
    ? apply(photometricAboutOp, [x, program, mean(x, [1, 2])], attributes, label)
    : apply(photometricOp, [x, program], attributes, label);
}
