/** The widths for which Keras publishes MobileNetV2; each has its own channel counts. */
export const mobileNetV2Widths = [0.35, 0.5, 0.75, 1.0, 1.3, 1.4] as const;

/** One inverted residual block; `name` is the prefix of its layers in Keras. */
export interface InvertedResidual {
  readonly name: string;
  readonly input: number;
  /** Channels between expansion and projection. */
  readonly hidden: number;
  readonly output: number;
  readonly stride: number;
}

/** Output channels, repetitions and first stride of the stages after the first block (Sandler et al. 2018, table 2). */
const stages: readonly (readonly [channels: number, repetitions: number, stride: number])[] = [
  [24, 2, 2],
  [32, 3, 2],
  [64, 4, 2],
  [96, 3, 1],
  [160, 3, 2],
  [320, 1, 1],
];
const expansion = 6;

/** Rounds channels to a multiple of 8 without losing more than a tenth (Keras, `_make_divisible`). */
export function makeDivisible(channels: number): number {
  const rounded = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

/** Channels of every layer at a width multiplier: the stem, the blocks in order, and the last convolution. */
export function mobileNetV2Table(width: number): { stem: number; blocks: InvertedResidual[]; features: number } {
  const stem = makeDivisible(32 * width);
  const first = makeDivisible(Math.floor(16 * width));
  const blocks: InvertedResidual[] = [{ name: "expanded_conv", input: stem, hidden: stem, output: first, stride: 1 }];
  for (const [channels, repetitions, firstStride] of stages)
    for (let repetition = 0; repetition < repetitions; repetition++) {
      const input = blocks[blocks.length - 1].output;
      blocks.push({
        name: `block_${blocks.length}`,
        input,
        hidden: input * expansion,
        output: makeDivisible(Math.floor(channels * width)),
        stride: repetition === 0 ? firstStride : 1,
      });
    }
  return { stem, blocks, features: width > 1 ? makeDivisible(1280 * width) : 1280 };
}
