/** Augmentation as commands use it: policies by name or file, and a policy joined to the images that it augments. */
import { existsSync, readFileSync } from "node:fs";
import { Augmentation } from "../data/augment/augmentation.ts";
import { batchPartners } from "../data/augment/parameters.ts";
import { builtInPolicies, type Policy, parsePolicyText, policyToJson } from "../data/augment/policy.ts";
import { DataError, UsageError } from "../engine/errors.ts";
import { cast } from "../engine/ops/cast.ts";
import type { LabelledPixelSource } from "../nn/pixelSource.ts";
import type { OptionSpec } from "./options.ts";

/** A built-in policy by name, or the one of a JSON file. Throws UsageError for a missing file, DataError for what it holds. */
export function namedPolicy(name: string): Policy {
  if (name === "basic" || name === "advanced") return builtInPolicies[name];
  if (!existsSync(name)) throw new UsageError(`--policy expects basic, advanced or a JSON file, found "${name}"`);
  return parsePolicyText(readFileSync(name, "utf8"), name);
}

/** The option of commands that train. */
export const policyOption = {
  type: "string",
  default: "none",
  placeholder: "none|basic|advanced|FILE",
  help: "augments the training images, anew in each epoch; FILE is a policy in JSON",
} as const satisfies OptionSpec;

/** What `policyOption` chooses; null is none. Throws as `namedPolicy`. */
export const trainingPolicy = (name: string): Policy | null => (name === "none" ? null : namedPolicy(name));

/** A policy in one line. */
export const summarisePolicy = (policy: Policy | null): string =>
  policy === null ? "none" : `${policy.name}: ${policy.layers.map(({ type }) => type).join(", ")}`;

/** A policy as a model's file keeps it. */
export const savedPolicy = (policy: Policy | null): object | "none" =>
  policy === null ? "none" : policyToJson(policy);

/** Labelled images that know their number in the data set, by which they are augmented. */
export interface AddressedSource extends LabelledPixelSource {
  readonly ids: ArrayLike<number>;
}

/**
 * Images augmented by a policy in the graph that reads them. What an image gets follows from the seed, the epoch and its number in
 * the data set alone; partners are neighbours in the epoch's order, in pairs.
 * @throws DataError, when the graph is built, for a policy whose images have another size than the network reads
 */
export function augmentedSource<T extends AddressedSource>(
  source: T,
  policy: Policy,
  { seed, inputSize: [height, width] }: { readonly seed: number; readonly inputSize: readonly [number, number] },
): T {
  const augmentation = new Augmentation(policy, { height, width });
  const { outputSize, mixes } = augmentation;
  if (outputSize.height !== height || outputSize.width !== width)
    throw new DataError(
      `${policy.name}: expected images of ${height} × ${width}, as the network reads them, found ${outputSize.height} × ${outputSize.width}; correct the crop's height and width`,
    );
  return {
    ...source,
    mixes,
    build(inputSize, labels) {
      const { pixels } = source.build(inputSize);
      const augmented = augmentation.build({ images: cast(pixels, "f32"), labels });
      return { pixels: augmented.images, labels: augmented.labels };
    },
    async inputs(indices, place) {
      const partners = mixes ? batchPartners(place.first, indices.length, source.count) : undefined;
      const samples = Array.from(indices, (index, at) => ({
        seed,
        epoch: place.epoch,
        id: source.ids[index],
        partner: partners?.[at],
      }));
      return { ...(await source.inputs(indices, place)), ...augmentation.feeds(samples, { labels: mixes }) };
    },
  };
}
