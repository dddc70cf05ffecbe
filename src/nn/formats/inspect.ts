import { WeightsError } from "../../engine/errors.ts";
import { mobileNetV2Table, mobileNetV2Widths } from "../mobilenetV2Table.ts";
import type { Preprocessing } from "./manifest.ts";
import { parsePreprocessing } from "./manifest.ts";
import type { WeightSet } from "./weightSet.ts";

/** Pixels of 0 to 255 as Keras' MobileNetV2 wants them: x / 127.5 − 1. */
export const KERAS_MOBILENET_V2_PREPROCESSING: Preprocessing = {
  name: "x/127.5 - 1",
  scale: 1 / 127.5,
  offset: -1,
  resize: "aspect",
};

/** What the original practical does: EfficientNet's preprocessing, which is the identity, before MobileNetV2. Chosen by name, to see what it costs. */
export const NOTEBOOK_PREPROCESSING: Preprocessing = { name: "identity (notebook)", scale: 1, offset: 0, resize: "tf" };

/** What `inspectWeights` could tell; `null` where the file does not say. */
export interface WeightsInspection {
  readonly architecture: "mobilenetV2" | "unknown";
  readonly width: number | null;
  /** Number of classes of the head; `null` without one. */
  readonly classes: number | null;
  /** Whether the classification head `predictions` is there. */
  readonly top: boolean;
  readonly preprocessing: Preprocessing | null;
  /** All elements, BatchNorm's running statistics included, as Keras counts them. */
  readonly parameters: number;
}

/**
 * Names and shapes of all weights of Keras' MobileNetV2, in the order of its layers: kernels [h, w, Cin, Cout],
 * depthwise kernels [h, w, C], BatchNorm vectors [C], and with `classes` the head `predictions`.
 *
 * @throws WeightsError for a width that is not among mobileNetV2Widths.
 */
export function expectedMobileNetV2(width: number, classes: number | null): Map<string, number[]> {
  if (!mobileNetV2Widths.some((known) => known === width)) {
    throw new WeightsError(
      `expected a width among ${mobileNetV2Widths.join(", ")}; found ${width}; choose one of them`,
    );
  }
  const shapes = new Map<string, number[]>();
  const batchNorm = (name: string, channels: number): void => {
    for (const variable of ["gamma", "beta", "moving_mean", "moving_variance"]) {
      shapes.set(`${name}/${variable}`, [channels]);
    }
  };
  const convolution = (name: string, bn: string, shape: number[]): void => {
    shapes.set(`${name}/kernel`, shape);
    batchNorm(bn, shape[shape.length - 1]);
  };
  const { stem, blocks, features } = mobileNetV2Table(width);
  convolution("Conv1", "bn_Conv1", [3, 3, 3, stem]);
  for (const { name, input, hidden, output } of blocks) {
    if (hidden !== input) convolution(`${name}_expand`, `${name}_expand_BN`, [1, 1, input, hidden]);
    convolution(`${name}_depthwise`, `${name}_depthwise_BN`, [3, 3, hidden]);
    convolution(`${name}_project`, `${name}_project_BN`, [1, 1, hidden, output]);
  }
  convolution("Conv_1", "Conv_1_bn", [1, 1, blocks[blocks.length - 1].output, features]);
  if (classes !== null) {
    shapes.set("predictions/kernel", [features, classes]);
    shapes.set("predictions/bias", [classes]);
  }
  return shapes;
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((extent, i) => extent === b[i]);

const fits = (set: WeightSet, expected: Map<string, number[]>): boolean =>
  [...expected].every(([name, shape]) => {
    const tensor = set.tensors.get(name);
    return tensor !== undefined && sameShape(tensor.shape, shape);
  });

/** What the file says; else, for a Keras file of this network, what Keras' own preprocessing does. */
function findPreprocessing(set: WeightSet, isMobileNetV2: boolean): Preprocessing | null {
  const stated = set.metadata.preprocessing;
  if (stated !== undefined) return parsePreprocessing(stated);
  return isMobileNetV2 && set.source !== "safetensors" ? KERAS_MOBILENET_V2_PREPROCESSING : null;
}

/**
 * Deduces from names and shapes which network the weights belong to. The width follows from the channel counts,
 * the number of classes from `predictions/kernel`.
 *
 * @throws FileError where the file's own statement of the preprocessing is damaged.
 */
export function inspectWeights(set: WeightSet): WeightsInspection {
  const width = mobileNetV2Widths.find((candidate) => fits(set, expectedMobileNetV2(candidate, null))) ?? null;
  const head = set.tensors.get("predictions/kernel");
  let parameters = 0;
  for (const { data } of set.tensors.values()) parameters += data.length;
  return {
    architecture: width === null ? "unknown" : "mobilenetV2",
    width,
    classes: head?.shape[1] ?? null,
    top: head !== undefined,
    preprocessing: findPreprocessing(set, width !== null),
    parameters,
  };
}

/**
 * Checks names and shapes against those of a network (`expectedMobileNetV2`).
 *
 * @throws WeightsError in one line: how many tensors are missing, unexpected or of another shape, and the first of each.
 */
export function checkWeights(set: WeightSet, expected: Map<string, number[]>): void {
  const missing = [...expected.keys()].filter((name) => !set.tensors.has(name));
  const unexpected = [...set.tensors.keys()].filter((name) => !expected.has(name));
  const misshapen = [...expected].filter(([name, shape]) => {
    const tensor = set.tensors.get(name);
    return tensor !== undefined && !sameShape(tensor.shape, shape);
  });
  const findings: string[] = [];
  if (missing.length > 0) findings.push(`${missing.length} missing (first ${missing[0]})`);
  if (unexpected.length > 0) findings.push(`${unexpected.length} unexpected (first ${unexpected[0]})`);
  if (misshapen.length > 0) {
    const [name, shape] = misshapen[0];
    const found = set.tensors.get(name)!.shape;
    findings.push(`${misshapen.length} of another shape (first ${name}: expected [${shape}], found [${found}])`);
  }
  if (findings.length === 0) return;
  throw new WeightsError(
    `expected the network's ${expected.size} tensors; found ${findings.join(", ")}; ` +
      "see `tepal weights info` and choose the file of this network, width and head",
  );
}

/**
 * Checks that weights were trained with the preprocessing that the network will get.
 *
 * @throws WeightsError naming both formulas, or that the file states none.
 */
export function checkPreprocessing(found: Preprocessing | null, expected: Preprocessing): void {
  const formula = ({ scale, offset }: Preprocessing): string => `pixel * ${scale} + ${offset}`;
  if (found === null) {
    throw new WeightsError(
      `expected weights that state their preprocessing; found none; convert the Keras file with \`tepal weights convert\``,
    );
  }
  const close = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-6 * Math.max(1, Math.abs(b));
  if (close(found.scale, expected.scale) && close(found.offset, expected.offset)) return;
  throw new WeightsError(
    `expected preprocessing ${formula(expected)}; found ${formula(found)} (${found.name}); use weights trained with it`,
  );
}
