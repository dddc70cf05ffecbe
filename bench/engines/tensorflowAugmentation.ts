import { type AugmentationNumbers, augmentationNumbers, type ChainStep } from "../augmentation.ts";
import { pixelsOf } from "../material.ts";
import type { Workload } from "../workloads.ts";
import type { Work } from "./engine.ts";
import type { Any, Runtime } from "./tensorflow.ts";

type Tf = Any;

/** [N] as one value for each image of [N, H, W, C]. */
const perImage = (tf: Tf, values: Float32Array): Any => tf.tensor4d(values, [values.length, 1, 1, 1]);

const clipped = (tf: Tf, x: Any): Any => tf.clipByValue(x, 0, 255);

function warp(tf: Tf, x: Any, matrices: Float32Array): Any {
  const [batch, height, width] = x.shape;
  return tf.image.transform(x, tf.tensor2d(matrices, [batch, 8]), "bilinear", "reflect", 0, [height, width]);
}

/** Brightness, contrast about the mean, saturation about the grey. */
function tones(tf: Tf, images: Any, { brightness, contrast, saturation }: AugmentationNumbers): Any {
  const bright = clipped(tf, tf.add(images, perImage(tf, brightness)));
  const mean = tf.mean(bright, [1, 2], true);
  const spread = clipped(tf, tf.add(tf.mul(tf.sub(bright, mean), perImage(tf, contrast)), mean));
  const grey = tf.sum(tf.mul(spread, tf.tensor4d([0.2989, 0.587, 0.114], [1, 1, 1, 3])), 3, true);
  return clipped(tf, tf.add(grey, tf.mul(tf.sub(spread, grey), perImage(tf, saturation))));
}

function posterise(tf: Tf, x: Any, levels: Float32Array): Any {
  const size = perImage(tf, levels);
  const coarse = tf.mul(tf.floor(tf.div(x, tf.maximum(size, 1))), size);
  return tf.where(tf.greater(size, 0), coarse, x);
}

const solarise = (tf: Tf, x: Any, thresholds: Float32Array): Any =>
  tf.where(tf.greaterEqual(x, perImage(tf, thresholds)), tf.sub(255, x), x);

/** Against the 3 × 3 mean with weight 5 in the middle; the border repeats. */
function sharpen(tf: Tf, x: Any, amounts: Float32Array): Any {
  const window = Float32Array.from({ length: 27 }, (_, at) => (Math.floor(at / 3) === 4 ? 5 : 1) / 13);
  const sides = [0, 1, 1, 0].map((margin) => [margin, margin]);
  const smooth = tf.depthwiseConv2d(tf.mirrorPad(x, sides, "symmetric"), tf.tensor4d(window, [3, 3, 3, 1]), 1, "valid");
  return clipped(tf, tf.add(x, tf.mul(tf.sub(x, smooth), perImage(tf, amounts))));
}

/**
 * How often each level is in each line: [lines, 256]. In one line of all, since `denseBincount` counts only the first 256 values of a
 * line on TF.js's WebGPU backend (4.22).
 */
function histogram(tf: Tf, levels: Any): Any {
  const [lines] = levels.shape;
  const first = tf.mul(tf.range(0, lines, 1, "int32"), tf.scalar(256, "int32"));
  const places = tf.reshape(tf.add(levels, tf.reshape(first, [lines, 1])), [-1]);
  return tf.reshape(tf.cast(tf.bincount(places, tf.tensor1d([]), 256 * lines), "float32"), [lines, 256]);
}

/** The table [lines, 256] that spreads the counts of each line evenly, in whole numbers. */
function equaliseTable(tf: Tf, levels: Any): Any {
  const counts = histogram(tf, levels);
  const highest = tf.oneHot(tf.max(levels, 1), 256);
  const last = tf.sum(tf.mul(counts, tf.cast(highest, "float32")), 1, true);
  const step = tf.floor(tf.div(tf.sub(levels.shape[1], last), 255));
  const below = tf.add(tf.cumsum(counts, 1, true), tf.floor(tf.div(step, 2)));
  // Half more, so that a quotient that is whole cannot be rounded below itself.
  const even = tf.minimum(tf.floor(tf.div(tf.add(below, 0.5), tf.maximum(step, 1))), 255);
  return tf.where(tf.greater(step, 0), even, tf.reshape(tf.range(0, 256), [1, 256]));
}

function equalise(tf: Tf, x: Any, switched: Float32Array): Any {
  const [batch, height, width, channels] = x.shape;
  const lines = tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [batch * channels, height * width]);
  const levels = tf.cast(tf.floor(tf.add(clipped(tf, lines), 0.5)), "int32");
  const spread = tf.gather(equaliseTable(tf, levels), levels, 1, 1);
  const images = tf.transpose(tf.reshape(spread, [batch, channels, height, width]), [0, 2, 3, 1]);
  return tf.where(tf.greater(perImage(tf, switched), 0), images, x);
}

/** Tidied step by step: a chain would otherwise hold gigabytes. */
function augMix(tf: Tf, x: Any, { shares, chains }: AugmentationNumbers): Any {
  const applyStep = (y: Any, { levels, thresholds, equalise: switched }: ChainStep): Any =>
    tf.tidy(() => equalise(tf, solarise(tf, posterise(tf, y, levels), thresholds), switched));
  return chains.reduce(
    (total, { matrices, steps }, chain) =>
      tf.tidy(() => {
        const warped = tf.tidy(() => warp(tf, x, matrices));
        return tf.add(total, tf.mul(steps.reduce(applyStep, warped), perImage(tf, shares[chain + 1])));
      }),
    tf.mul(x, perImage(tf, shares[0])),
  );
}

/** The `advanced` policy as a user of TF.js writes it: `tf.image.transform` with the composed matrices, then arithmetic. */
export function tensorFlowAugmentation({ tf, select }: Runtime, workload: Workload): Work {
  const { batch, size } = workload;
  const numbers = augmentationNumbers(workload);
  const data = pixelsOf(batch, size);
  const augmented = (): Any => {
    const images = tf.tensor4d(data, [batch, size, size, 3]);
    const toned = tf.tidy(() => tones(tf, warp(tf, images, numbers.matrices), numbers));
    const sharp = tf.tidy(() => sharpen(tf, posterise(tf, toned, numbers.levels), numbers.sharpen));
    return augMix(tf, sharp, numbers);
  };
  return {
    run: async () => {
      await select();
      const y = tf.tidy(augmented);
      const values = await y.data();
      y.dispose();
      return values;
    },
    dispose: () => undefined,
  };
}
