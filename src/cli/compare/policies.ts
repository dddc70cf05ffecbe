/** The policies that a comparison knows by name, and which corruptions are their own operations. */
import { type Policy, PolicyBuilder } from "../../data/augment/policy.ts";
import { namedPolicy } from "../policy.ts";

const mixing: Readonly<Record<string, Policy>> = {
  mixup: new PolicyBuilder("mixup").add("mixUp").build(),
  cutmix: new PolicyBuilder("cutmix").add("cutMix").build(),
};

/** `none` (the baseline: null), `mixup`, `cutmix`, or what `--policy` of train takes. Throws as `namedPolicy`. */
export function comparedPolicy(name: string): Policy | null {
  if (name === "none") return null;
  return Object.hasOwn(mixing, name) ? mixing[name] : namedPolicy(name);
}

/** Corruptions that a layer, or one of the operations that it draws, does in training. */
const corruptionsOfLayers: Readonly<Record<string, readonly string[]>> = {
  brightness: ["brightness"],
  contrast: ["contrast"],
  saturation: ["saturate"],
  greyscale: ["saturate"],
  hue: ["saturate"],
  noise: ["gaussianNoise"],
  blur: ["defocusBlur"],
  randAugment: ["brightness", "contrast", "saturate"],
  augMix: ["brightness", "contrast", "saturate"],
};

/** The corruption families that are operations of a policy: what it gains there says nothing about other corruptions. */
export const ownCorruptions = (policy: Policy | null): string[] => [
  ...new Set(policy?.layers.flatMap(({ type }) => corruptionsOfLayers[type] ?? [])),
];
