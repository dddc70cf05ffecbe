import type { Tensor } from "../../engine/graph.ts";
import { input } from "../../engine/ops/sources.ts";
import { relu, scale } from "../../engine/ops/unary.ts";
import { CounterRandom } from "../../engine/random.ts";
import { BATCH, sizeOf, type TypedArray, typedArray } from "../../engine/types.ts";
import type { ImageSize } from "../images.ts";
import type { SettingScales, SettingsOf, Severity } from "./severities.ts";

/** Where a corrupted image stands, besides family and severity: whole numbers from 0 to 2^32 − 1. */
export interface CorruptionAddress {
  readonly seed: number;
  /** Of the sample in its data set, not in the batch. */
  readonly id: number;
}

export const corruptionGroups = ["noise", "blur", "weather", "digital"] as const;
export type CorruptionGroup = (typeof corruptionGroups)[number];

/** What every family states of itself. */
export interface FamilyDescription {
  readonly group: CorruptionGroup;
  /** Part of the address; never changed, so that images can be made again. */
  readonly number: number;
  readonly summary: string;
  readonly formula: string;
  readonly scales: SettingScales;
}

/** A family that is part of a graph. */
export interface GraphFamily extends FamilyDescription {
  readonly kind: "graph";
  build(x: Tensor, graph: CorruptionGraph, settings: Readonly<Record<string, number>>): Tensor;
}

/** A family that is a codec on the host. */
export interface CodecFamily extends FamilyDescription {
  readonly kind: "codec";
}

export type CorruptionFamily = GraphFamily | CodecFamily;

/** Declares a family; `build` gets its settings by their names. */
export const graphFamily = <const S extends SettingScales>(
  family: FamilyDescription & {
    readonly scales: S;
    build(x: Tensor, graph: CorruptionGraph, settings: SettingsOf<S>): Tensor;
  },
): GraphFamily => ({ kind: "graph", ...family }) as GraphFamily;

/** Keeps these draws apart from other uses of a seed. */
const firstOp = 0x43000000;

interface FedInput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: "f32" | "i32";
  row(address: CorruptionAddress): ArrayLike<number>;
}

/** What a family builds with: the size, and inputs whose rows follow from each sample's address. */
export class CorruptionGraph {
  readonly #inputs: FedInput[] = [];
  #places = 0;

  constructor(
    readonly size: ImageSize,
    readonly number: number,
    readonly severity: Severity,
    readonly prefix: string,
  ) {}

  /** An input with a row for each sample, drawn from numbers of its own at the sample's address. */
  drawn(shape: readonly number[], row: (random: CounterRandom) => ArrayLike<number>): Tensor {
    const op = this.#nextOp();
    return this.#add("f32", shape, ({ seed, id }) => row(new CounterRandom(seed, this.severity, id, op)));
  }

  /** An input with the same row for every sample. */
  same(shape: readonly number[], values: ArrayLike<number>): Tensor {
    return this.#add("f32", shape, () => values);
  }

  /** Addresses for the ops that draw in shaders, each call others. */
  address(): Tensor {
    const op = this.#nextOp();
    return this.#add("i32", [4], ({ seed, id }) => [seed | 0, this.severity, id | 0, op | 0]);
  }

  #nextOp(): number {
    return firstOp + this.number * 256 + this.#places++;
  }

  #add(dtype: FedInput["dtype"], shape: readonly number[], row: FedInput["row"]): Tensor {
    const name = `${this.prefix}/${this.#inputs.length}`;
    this.#inputs.push({ name, shape, dtype, row });
    return input(name, [BATCH, ...shape], dtype);
  }

  /** The values of the inputs for a batch. */
  feeds(samples: readonly CorruptionAddress[]): Record<string, TypedArray> {
    return Object.fromEntries(
      this.#inputs.map(({ name, shape, dtype, row }) => {
        const size = sizeOf(shape);
        const values = typedArray(dtype, size * samples.length);
        samples.forEach((sample, at) => {
          values.set(row(sample), at * size);
        });
        return [name, values];
      }),
    );
  }
}

/** Values brought inside 0 and `highest`. */
export const clamped = (x: Tensor, highest = 255): Tensor => scale(relu(scale(relu(x), -1, highest)), -1, highest);
