import { augmentationNumbers } from "../augmentation.ts";
import { pixelsOf } from "../material.ts";
import type { Workload } from "../workloads.ts";
import type { Work } from "./engine.ts";
import type { Any, Runtime } from "./tensorflow.ts";

/** The `advanced` policy as a user of TF.js writes it: `tf.image.transform` with the composed matrix, then arithmetic. */
export function tensorFlowAugmentation({ tf, select }: Runtime, workload: Workload): Work {
  const { batch, size } = workload;
  const numbers = augmentationNumbers(workload);
  const data = pixelsOf(batch, size);
  const perImage = (values: Float32Array): Any => tf.tensor4d(values, [batch, 1, 1, values.length / batch]);
  const column = (at: number): Any =>
    perImage(Float32Array.from({ length: batch }, (_, image) => numbers.boxes[4 * image + at]));
  const augmented = (): Any => {
    const images = tf.tensor4d(data, [batch, size, size, 3]);
    const matrices = tf.tensor2d(numbers.matrices, [batch, 8]);
    let x = tf.image.transform(images, matrices, "bilinear", "reflect", 0, [size, size]);
    x = tf.clipByValue(tf.add(x, perImage(numbers.brightness)), 0, 255);
    const mean = tf.mean(x, [1, 2], true);
    x = tf.clipByValue(tf.add(tf.mul(tf.sub(x, mean), perImage(numbers.contrast)), mean), 0, 255);
    const luma = tf.tensor4d([0.2989, 0.587, 0.114], [1, 1, 1, 3]);
    const grey = tf.sum(tf.mul(x, luma), 3, true);
    x = tf.clipByValue(tf.add(grey, tf.mul(tf.sub(x, grey), perImage(numbers.saturation))), 0, 255);
    const greyAfter = tf.sum(tf.mul(x, luma), 3, true);
    x = tf.add(x, tf.mul(tf.sub(greyAfter, x), perImage(numbers.greyscale)));
    const rows = tf.sub(tf.reshape(tf.range(0, size), [1, size, 1, 1]), column(0));
    const columns = tf.sub(tf.reshape(tf.range(0, size), [1, 1, size, 1]), column(1));
    const isWithin = (at: Any, length: Any): Any => tf.logicalAnd(tf.greaterEqual(at, 0), tf.less(at, length));
    const inside = tf.logicalAnd(isWithin(rows, column(2)), isWithin(columns, column(3)));
    return tf.where(inside, perImage(numbers.colours), x);
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
