import { DataError } from "../../engine/errors.ts";

/** A pair of bounds that a number is drawn between. */
export type Range = readonly [number, number];

interface Described {
  /** Some words for the documentation. */
  readonly help: string;
}

/** What a setting of a layer may be. `spread` is a number f for [−f, f], or a pair; `optional` ones may be null. */
export type Field = Described &
  (
    | { readonly kind: "number" | "integer"; readonly min: number; readonly max: number; readonly default: number }
    | { readonly kind: "range"; readonly min: number; readonly max: number; readonly default: Range }
    | {
        readonly kind: "spread";
        readonly min: number;
        readonly max: number;
        readonly default: number | Range | null;
        readonly optional?: boolean;
      }
    | { readonly kind: "boolean"; readonly default: boolean }
    | { readonly kind: "choice"; readonly choices: readonly string[]; readonly default: string }
  );

export type Fields = Readonly<Record<string, Field>>;

type ValueOf<F extends Field> = F extends { kind: "number" | "integer" }
  ? number
  : F extends { kind: "range" }
    ? Range
    : F extends { kind: "spread" }
      ? F extends { optional: true }
        ? Range | null
        : Range
      : F extends { kind: "boolean" }
        ? boolean
        : string;

/** The complete settings of a layer, spreads as pairs. */
export type Settings<F extends Fields = Fields> = { readonly [K in keyof F]: ValueOf<F[K]> };

/** What a field takes, in words. */
export function describeField(field: Field): string {
  switch (field.kind) {
    case "number":
    case "integer":
      return `${field.kind === "integer" ? "a whole number" : "a number"} from ${field.min} to ${field.max}`;
    case "range":
      return `a pair of numbers from ${field.min} to ${field.max}`;
    case "spread":
      return `a number f (for −f to f) or a pair, from ${field.min} to ${field.max}${field.optional ? ", or null" : ""}`;
    case "boolean":
      return "true or false";
    case "choice":
      return field.choices.join(", ");
    default:
      return field satisfies never;
  }
}

const isWithin = (value: unknown, min: number, max: number): value is number =>
  typeof value === "number" && value >= min && value <= max;

function pair(value: unknown, min: number, max: number): Range | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [low, high] = value;
  return isWithin(low, min, max) && isWithin(high, min, max) && low <= high ? [low, high] : undefined;
}

function readValue(field: Field, value: unknown): unknown {
  switch (field.kind) {
    case "number":
      return isWithin(value, field.min, field.max) ? value : undefined;
    case "integer":
      return isWithin(value, field.min, field.max) && Number.isInteger(value) ? value : undefined;
    case "range":
      return pair(value, field.min, field.max);
    case "spread":
      if (value === null && field.optional) return null;
      if (isWithin(value, 0, field.max)) return [Math.max(-value, field.min), value];
      return pair(value, field.min, field.max);
    case "boolean":
      return typeof value === "boolean" ? value : undefined;
    case "choice":
      return field.choices.includes(value as string) ? value : undefined;
    default:
      return field satisfies never;
  }
}

/**
 * Settings completed with defaults.
 * @param place shown in errors, e.g. `layers[2] (rotation)`
 * @throws DataError for an unknown setting or a value out of range
 */
export function readSettings<F extends Fields>(
  fields: F,
  given: Readonly<Record<string, unknown>>,
  place: string,
): Settings<F> {
  for (const name of Object.keys(given))
    if (!Object.hasOwn(fields, name))
      throw new DataError(
        `${place}: unknown setting "${name}"; choose from ${Object.keys(fields).join(", ") || "none"}`,
      );
  const settings: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    const value = Object.hasOwn(given, name) ? given[name] : field.default;
    const read = readValue(field, value);
    if (read === undefined)
      throw new DataError(
        `${place}: ${name} expects ${describeField(field)}, found ${JSON.stringify(value)}; correct it`,
      );
    settings[name] = read;
  }
  return settings as Settings<F>;
}
