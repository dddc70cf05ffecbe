/** The policies that a comparison knows by name, and which corruptions are their own operations. */
import { type Policy, PolicyBuilder, type PolicyLayer } from "../../data/augment/policy.ts";
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

const noises = ["gaussianNoise", "shotNoise", "impulseNoise"];
const blurs = ["defocusBlur", "motionBlur", "zoomBlur"];
const tones = ["brightness", "contrast", "saturate"];

/**
 * Corruptions that a layer, or one of the operations that it draws, does in training, and their close relatives: who trains on one
 * noise has not met another by chance. Erasing covers parts of the image, as spatter does; sharpness below 0 smooths.
 */
const corruptionsOfLayers: Readonly<Record<string, readonly string[]>> = {
  brightness: ["brightness"],
  contrast: ["contrast"],
  saturation: ["saturate"],
  greyscale: ["saturate"],
  hue: ["saturate"],
  noise: noises,
  blur: blurs,
  erasing: ["spatter"],
  cutMix: ["spatter"],
  equalise: ["contrast"],
  randAugment: [...tones, ...blurs],
  augMix: tones,
};

function corruptionsOfLayer({ type, settings }: PolicyLayer): readonly string[] {
  if (type === "sharpen") return (settings.amount as readonly number[])[0] < 0 ? blurs : [];
  return corruptionsOfLayers[type] ?? [];
}

/** The corruption families that are operations of a policy: what it gains there says nothing about other corruptions. */
export const ownCorruptions = (policy: Policy | null): string[] => [
  ...new Set(policy?.layers.flatMap(corruptionsOfLayer) ?? []),
];
