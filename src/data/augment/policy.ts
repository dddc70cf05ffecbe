import { DataError } from "../../engine/errors.ts";
import { type FillMode, fillModes } from "../../engine/ops/affine.ts";
import { readSettings, type Settings } from "./fields.ts";
import { isMixing, layerTypes } from "./layers.ts";

export interface PolicyLayer {
  /** A name of `layerTypes`. */
  readonly type: string;
  /** Complete, spreads as pairs. */
  readonly settings: Settings;
}

/** What happens to each image, in order. Plain data: `policyToJson` and `parsePolicy` are inverse. */
export interface Policy {
  readonly name: string;
  /** The border rule of fused resamplings. */
  readonly fill: FillMode;
  /** What `constant` fills with, 0 to 255. */
  readonly fillValue: number;
  readonly layers: readonly PolicyLayer[];
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parseLayer(value: unknown, index: number, name: string): PolicyLayer {
  const place = `${name}: layers[${index}]`;
  if (!isRecord(value)) throw new DataError(`${place} expects an object such as {"type": "rotation", "factor": 0.125}`);
  const { type, ...given } = value;
  if (typeof type !== "string" || !Object.hasOwn(layerTypes, type))
    throw new DataError(
      `${place}: type expects one of ${Object.keys(layerTypes).join(", ")}, found ${JSON.stringify(type)}`,
    );
  return { type, settings: readSettings(layerTypes[type].fields, given, `${place} (${type})`) };
}

/**
 * A policy from its JSON object: `{ "name", "fill", "fillValue", "layers": [{ "type", … }] }`; what is left out has a default.
 * @param source shown in errors, such as the file's name
 * @throws DataError that names the layer and the setting at fault
 */
export function parsePolicy(value: unknown, source = "policy"): Policy {
  if (!isRecord(value) || !Array.isArray(value.layers) || value.layers.length === 0)
    throw new DataError(`${source}: expected {"name": …, "layers": [{"type": "flip"}, …]} with a layer or more`);
  const { name = source, fill = "reflect", fillValue = 0, layers, ...rest } = value;
  const stray = Object.keys(rest)[0];
  if (stray !== undefined)
    throw new DataError(`${source}: unknown key "${stray}"; expected name, fill, fillValue and layers`);
  if (typeof name !== "string") throw new DataError(`${source}: name expects text, found ${JSON.stringify(name)}`);
  if (!fillModes.includes(fill as FillMode))
    throw new DataError(`${source}: fill expects one of ${fillModes.join(", ")}, found ${JSON.stringify(fill)}`);
  if (typeof fillValue !== "number" || !(fillValue >= 0 && fillValue <= 255))
    throw new DataError(`${source}: fillValue expects a number from 0 to 255, found ${JSON.stringify(fillValue)}`);
  const parsed = (layers as unknown[]).map((layer, index) => parseLayer(layer, index, source));
  const early = parsed.slice(0, -1).find(({ type }) => isMixing(layerTypes[type]));
  if (early)
    throw new DataError(
      `${source}: ${early.type} mixes finished images; make it the last layer, and the only one that mixes`,
    );
  return { name, fill: fill as FillMode, fillValue, layers: parsed };
}

/** Reads a policy from the text of a JSON file. Throws a DataError. */
export function parsePolicyText(text: string, source: string): Policy {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new DataError(`${source}: expected a policy in JSON: ${(error as Error).message}`);
  }
  return parsePolicy(value, source);
}

/** The object that `parsePolicy` reads, with all settings. */
export const policyToJson = ({ name, fill, fillValue, layers }: Policy): object => ({
  name,
  fill,
  fillValue,
  layers: layers.map(({ type, settings }) => ({ type, ...settings })),
});

/** A policy in words, a line for each layer. */
export function describePolicy({ name, fill, layers }: Policy): string {
  const words = (settings: Settings): string =>
    Object.entries(settings)
      .map(([key, value]) => `${key} ${Array.isArray(value) ? `[${value.join(", ")}]` : value}`)
      .join(", ");
  return [
    `policy ${name}, border ${fill}`,
    ...layers.map(({ type, settings }) => `  ${type.padEnd(18)} ${words(settings)}`),
  ].join("\n");
}

/** Builds a policy in code: `new PolicyBuilder("mine").add("flip").add("rotation", { factor: 0.1 }).build()`. */
export class PolicyBuilder {
  readonly #layers: object[] = [];
  constructor(
    readonly name: string,
    readonly options: { readonly fill?: FillMode; readonly fillValue?: number } = {},
  ) {}

  add(type: string, settings: Readonly<Record<string, unknown>> = {}): this {
    this.#layers.push({ ...settings, type });
    return this;
  }

  /** Throws a DataError as `parsePolicy` does. */
  build(): Policy {
    return parsePolicy({ ...this.options, name: this.name, layers: this.#layers }, this.name);
  }
}

/**
 * A mild policy, and one that also makes networks more robust: gentle geometry and tones, coarse levels, sharpening and AugMix.
 * None of its operations is noise, blur, weather or compression: what it gains there is not practice.
 */
export const builtInPolicies: Readonly<Record<"basic" | "advanced", Policy>> = {
  basic: new PolicyBuilder("basic")
    .add("flip", { vertical: false })
    .add("rotation", { factor: 0.04 })
    .add("zoom", { height: 0.1 })
    .build(),
  advanced: new PolicyBuilder("advanced")
    .add("flip", { vertical: false })
    .add("rotation", { factor: 0.04 })
    .add("zoom", { height: 0.1 })
    .add("translation", { height: 0.06, width: 0.06 })
    .add("brightness", { factor: 0.15 })
    .add("contrast", { factor: 0.2 })
    .add("saturation", { factor: 0.2 })
    .add("posterise", { bits: [3, 6], probability: 0.25 })
    .add("sharpen", { amount: [0, 4], probability: 0.3 })
    .add("augMix", { severity: 3 })
    .build(),
};
