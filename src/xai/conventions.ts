/** Ways in which photographs of 0 to 255 are commonly handed to networks. */
export interface Convention {
  readonly name: string;
  /** A value is pixel · scale[channel] + offset[channel]. */
  readonly scale: readonly [number, number, number];
  readonly offset: readonly [number, number, number];
  /** True where blue comes first; scale and offset are then those of blue, green, red. */
  readonly bgr?: boolean;
}

const even = (name: string, scale: number, offset: number): Convention => ({
  name,
  scale: [scale, scale, scale],
  offset: [offset, offset, offset],
});

/** Mean and deviation of ImageNet's training images in units of 0 to 1, as torchvision normalises by them. */
const imageNetMean = [0.485, 0.456, 0.406] as const;
const imageNetDeviation = [0.229, 0.224, 0.225] as const;

/** Caffe's means of ImageNet in units of 0 to 255, blue first. */
const caffeMean = [103.939, 116.779, 123.68] as const;

export const conventions = {
  signedUnit: even("x / 127.5 − 1 (−1 to 1)", 1 / 127.5, -1),
  identity: even("identity (0 to 255)", 1, 0),
  unit: even("x / 255 (0 to 1)", 1 / 255, 0),
  imageNet: {
    name: "ImageNet mean and deviation (about −2.1 to 2.6)",
    scale: [1 / 255 / imageNetDeviation[0], 1 / 255 / imageNetDeviation[1], 1 / 255 / imageNetDeviation[2]],
    offset: [
      -imageNetMean[0] / imageNetDeviation[0],
      -imageNetMean[1] / imageNetDeviation[1],
      -imageNetMean[2] / imageNetDeviation[2],
    ],
  },
  caffe: {
    name: "ImageNet mean subtracted, blue first (−124 to 151)",
    scale: [1, 1, 1],
    offset: [-caffeMean[0], -caffeMean[1], -caffeMean[2]],
    bgr: true,
  },
} as const satisfies Record<string, Convention>;

export type ConventionName = keyof typeof conventions;
export const conventionNames = Object.keys(conventions) as ConventionName[];

/** Pixels [..., 3] of 0 to 255, red first, as a convention hands them over. */
export function applyConvention({ scale, offset, bgr }: Convention, pixels: ArrayLike<number>): Float32Array {
  return Float32Array.from({ length: pixels.length }, (_, at) => {
    const channel = at % 3;
    return pixels[bgr ? at - channel + 2 - channel : at] * scale[channel] + offset[channel];
  });
}

/** The pixels, red first, that a convention would have handed over as these values. */
export function invertConvention({ scale, offset, bgr }: Convention, values: ArrayLike<number>): Float32Array {
  return Float32Array.from({ length: values.length }, (_, at) => {
    const channel = bgr ? 2 - (at % 3) : at % 3;
    return (values[bgr ? at - (at % 3) + channel : at] - offset[channel]) / scale[channel];
  });
}

/** The second convention applied to what the first hands over, as when a program and its library both preprocess. */
export const twice = (first: Convention, second: Convention): Convention => ({
  name: `${first.name}, then ${second.name}`,
  scale: [0, 1, 2].map((c) => first.scale[c] * second.scale[c]) as [number, number, number],
  offset: [0, 1, 2].map((c) => first.offset[c] * second.scale[c] + second.offset[c]) as [number, number, number],
  bgr: first.bgr,
});
