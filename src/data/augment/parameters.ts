import { DataError } from "../../engine/errors.ts";
import { CounterRandom } from "../../engine/random.ts";
import type { Mode, Parameters } from "./layer.ts";
import { layerTypes } from "./layers.ts";
import type { Policy } from "./policy.ts";

/** Where an augmented image stands: all that its parameters depend on, besides the policy. Whole numbers from 0 to 2^32 − 1. */
export interface SampleAddress {
  readonly seed: number;
  readonly epoch: number;
  /** Of the sample in its data set, not in the batch. */
  readonly id: number;
}

/** The parameters of every layer of a policy, in its order. */
export type Drawn = readonly Parameters[];

/** Keeps these draws apart from other uses of a seed. */
const firstOp = 0x41000000;
/** The pixels of noise stand beside the layer's own numbers. */
export const pixelOp = 0x01000000;

/** The `op` word of each layer's address: its number and how many like it came before, so that other layers may come and go. */
export function opsOf({ layers }: Policy): number[] {
  const seen = new Map<string, number>();
  return layers.map(({ type }) => {
    const before = seen.get(type) ?? 0;
    seen.set(type, before + 1);
    return firstOp + layerTypes[type].number * 256 + before;
  });
}

/** Throws a DataError unless all three are whole numbers of 32 bits. */
export function checkAddress({ seed, epoch, id }: SampleAddress): void {
  for (const [name, value] of Object.entries({ seed, epoch, id }))
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff)
      throw new DataError(
        `the ${name} of an augmented image must be a whole number from 0 to 2^32 - 1, found ${value}`,
      );
}

/** The parameters of one image. They depend on the arguments alone: not on the batch, its order, or what else was drawn. */
export function drawParameters(policy: Policy, address: SampleAddress, mode: Mode = "documented"): Drawn {
  checkAddress(address);
  const ops = opsOf(policy);
  return policy.layers.map(({ type, settings }, index) => {
    const random = new CounterRandom(address.seed, address.epoch, address.id, ops[index]);
    return layerTypes[type].draw(settings as never, random, mode);
  });
}

/** Draws as if every random number were the same one. */
class ConstantRandom extends CounterRandom {
  constructor(readonly word: number) {
    super(0);
  }
  override bits(): number {
    return this.word;
  }
}

/**
 * Whether every image gets the same parameters whatever its address, so that what is computed from it can be kept: nothing is drawn
 * pixel by pixel, operation by operation or from a partner, and the lowest, middle and highest numbers draw the same.
 */
export function isDeterministic({ layers }: Policy, mode: Mode = "documented"): boolean {
  const always: readonly string[] = ["noise", "randAugment", "augMix", "mixUp", "cutMix"];
  const words = [0, 0x7fff0000, 0xffff0000];
  return layers.every(({ type, settings }) => {
    const layer = layerTypes[type];
    if (always.includes(layer.kind)) return false;
    const drawn = words.map((word) => JSON.stringify(layer.draw(settings as never, new ConstantRandom(word), mode)));
    return drawn.every((text) => text === drawn[0]);
  });
}

/**
 * The partners of MixUp and CutMix: the epoch's order taken in pairs. `partners[p]` is the place in the order of the sample that
 * is mixed into the one at place p; the last of an odd number is its own. Pairs stay together in batches of any even size that
 * follow the order, so that who is mixed with whom does not depend on it.
 */
export const epochPartners = (count: number): Uint32Array =>
  Uint32Array.from({ length: count }, (_, place) => Math.min(place ^ 1, count - 1));

/**
 * The same for one batch, as places in the batch.
 * @param first place of its first sample in the epoch's order
 * @throws DataError when the batch cuts a pair
 */
export function batchPartners(first: number, size: number, count: number): Int32Array {
  return Int32Array.from({ length: size }, (_, offset) => {
    const partner = Math.min((first + offset) ^ 1, count - 1) - first;
    if (partner < 0 || partner >= size)
      throw new DataError(`the batch from place ${first} with ${size} samples cuts a pair; use an even batch size`);
    return partner;
  });
}

/** `seed:epoch:id` as an address. Throws a DataError. */
export function parseAddress(text: string): SampleAddress {
  const match = /^(\d+):(\d+):(\d+)$/.exec(text);
  if (!match) throw new DataError(`expected an address seed:epoch:id such as 7:0:12, found "${text}"`);
  const [seed, epoch, id] = match.slice(1).map(Number);
  checkAddress({ seed, epoch, id });
  return { seed, epoch, id };
}

export const formatAddress = ({ seed, epoch, id }: SampleAddress): string => `${seed}:${epoch}:${id}`;
