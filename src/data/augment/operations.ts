import { levelCodes } from "../../engine/ops/levels.ts";
import { type PhotometricStep, photometricCodes } from "../../engine/ops/photometric.ts";
import type { CounterRandom } from "../../engine/random.ts";
import type { ImageSize } from "../images.ts";
import { compose, identity, type Matrix, rotationMatrix, shearMatrix, translationMatrix } from "./affine.ts";
import type { Operation } from "./layer.ts";

/** An operation that RandAugment and AugMix draw; its amount comes from a strength of 0 to 1 and a sign. */
interface PoolEntry {
  amount(strength: number, sign: number): number;
  readonly matrix?: (amount: number, size: ImageSize) => Matrix;
  readonly code?: number;
  readonly acts?: "equalise" | "sharpen";
}

const signed =
  (most: number) =>
  (strength: number, sign: number): number =>
    sign * strength * most;
const aboutOne =
  (most: number) =>
  (strength: number, sign: number): number =>
    1 + sign * strength * most;

/** Amounts at strength 1: those of Cubuk et al. (2020) where they are a ratio, milder for solarise and translation. */
const pool: Readonly<Record<string, PoolEntry>> = {
  identity: { amount: () => 0 },
  rotate: { amount: signed(Math.PI / 6), matrix: (amount, size) => rotationMatrix(size, amount) },
  shearX: { amount: signed(0.3), matrix: (amount, size) => shearMatrix(size, amount, 0) },
  shearY: { amount: signed(0.3), matrix: (amount, size) => shearMatrix(size, 0, amount) },
  translateX: { amount: signed(0.3), matrix: (amount, { width }) => translationMatrix(amount * width, 0) },
  translateY: { amount: signed(0.3), matrix: (amount, { height }) => translationMatrix(0, amount * height) },
  posterise: { amount: (strength) => 8 - Math.round(4 * strength), code: photometricCodes.posterise },
  solarise: { amount: (strength) => 256 - 176 * strength, code: photometricCodes.solarise },
  equalise: { amount: () => 1, acts: "equalise" },
  brightness: { amount: signed(96), code: photometricCodes.brightness },
  contrast: { amount: aboutOne(0.9), code: photometricCodes.contrast },
  saturation: { amount: aboutOne(0.9), code: photometricCodes.saturation },
  sharpness: { amount: signed(0.9), acts: "sharpen" },
};

/** The operations of RandAugment. */
export const randAugmentPool = Object.keys(pool);

/** AugMix leaves out what resembles the corruptions that robustness is measured with. */
export const augMixPool = randAugmentPool.filter(
  (name) => !["identity", "brightness", "contrast", "saturation", "sharpness"].includes(name),
);

/** One operation of the pool; it always takes two numbers. */
export function drawOperation(random: CounterRandom, names: readonly string[], strength: number): Operation {
  const name = random.pick(names);
  return { name, amount: pool[name].amount(strength, random.uniform() < 0.5 ? -1 : 1) };
}

/** The geometric part of operations in their order, as one map. */
export const operationsMatrix = (operations: readonly Operation[], size: ImageSize): Matrix =>
  compose(...operations.map(({ name, amount }) => pool[name].matrix?.(amount, size) ?? identity));

/** The photometric step of an operation: one that does nothing when it is of another kind. */
export const operationStep = (operation: Operation | undefined): readonly [number, number] =>
  operation ? [pool[operation.name].code ?? photometricCodes.nothing, operation.amount] : [photometricCodes.nothing, 0];

/** The kinds of step that the pool has. */
export const operationSteps: readonly PhotometricStep[] = [
  "posterise",
  "solarise",
  "brightness",
  "contrast",
  "saturation",
];

/** Those of AugMix. */
export const augMixSteps: readonly PhotometricStep[] = ["posterise", "solarise"];

/** The step on whole levels of an operation of AugMix. */
export function levelStep(operation: Operation | undefined): readonly [code: number, amount: number] {
  const { name, amount } = operation ?? { name: "identity", amount: 0 };
  if (name === "equalise") return [levelCodes.equalise, 0];
  if (name === "posterise") return [levelCodes.posterise, amount];
  // A whole number reaches a threshold when it reaches the next whole one.
  return name === "solarise" ? [levelCodes.solarise, Math.ceil(amount)] : [levelCodes.nothing, 0];
}

/** The amount for the op `acts`, or 0 when the operation is another. */
export const operationAmount = (operation: Operation | undefined, acts: "equalise" | "sharpen"): number =>
  operation && pool[operation.name].acts === acts ? operation.amount : 0;
