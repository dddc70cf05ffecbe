/** Reads a command's arguments: types, limits and defaults are declared, mistakes become one-line usage errors. */
import { statSync } from "node:fs";
import { parseArgs } from "node:util";
import { FileError, UsageError } from "../engine/errors.ts";

interface Common {
  /** One line for `--help`. */
  readonly help: string;
  /** Two or three words shown after the option in `--help`; the type's name without it. */
  readonly placeholder?: string;
  readonly required?: boolean;
  /** The option may be repeated (a positional: takes all that follow) and gives a list. */
  readonly multiple?: boolean;
}

export type OptionSpec =
  | (Common & { readonly type: "boolean" })
  | (Common & { readonly type: "string"; readonly default?: string })
  | (Common & {
      readonly type: "path";
      readonly default?: string;
      readonly exists?: "file" | "folder" | "any";
      /** Stands for something that is no path, and is not looked up. */
      readonly word?: string;
    })
  | (Common & {
      readonly type: "integer" | "number";
      readonly default?: number;
      readonly min?: number;
      readonly max?: number;
    })
  | (Common & { readonly type: "choice"; readonly choices: readonly string[]; readonly default?: string });

/** Arguments without dashes, in order; the last may be `multiple`. */
export type PositionalSpec = OptionSpec & { readonly name: string };

type Single<S> = S extends { type: "boolean" }
  ? boolean
  : S extends { type: "integer" | "number" }
    ? number
    : S extends { type: "choice"; choices: readonly (infer C)[] }
      ? C
      : string;
type Value<S> = S extends { multiple: true } ? Single<S>[] : Single<S>;
type Present<S> = S extends { required: true } | { type: "boolean" } | { multiple: true } | { default: string | number }
  ? Value<S>
  : Value<S> | undefined;

/** The typed values of a command's options and positionals, by their names. */
export type Arguments<O extends Record<string, OptionSpec>, P extends readonly PositionalSpec[]> = {
  [K in keyof O]: Present<O[K]>;
} & { [S in P[number] as S["name"]]: Present<S> };

/** `learningRate` is written `--learning-rate`. */
export const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Edits (insert, delete, replace a letter) between two words: Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}

/** `; did you mean X?` when one of the words is close enough, otherwise the remedy. */
export function suggestion(word: string, known: readonly string[], remedy: string): string {
  const ranked = known.map((name) => ({ name, edits: distance(word, name) })).sort((a, b) => a.edits - b.edits);
  const best = ranked[0];
  const limit = Math.max(1, Math.floor(word.length / 3));
  return best && best.edits <= limit ? `did you mean ${best.name}?` : remedy;
}

function toNumber(label: string, text: string, spec: OptionSpec & { type: "integer" | "number" }): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  const kind = spec.type === "integer" ? "an integer" : "a number";
  const fits = spec.type === "integer" ? Number.isSafeInteger(value) : Number.isFinite(value);
  const { min, max } = spec;
  const range = [min === undefined ? "" : ` from ${min}`, max === undefined ? "" : ` up to ${max}`].join("");
  if (!fits || (min !== undefined && value < min) || (max !== undefined && value > max)) {
    throw new UsageError(`${label} expects ${kind}${range}, found "${text}"`);
  }
  return value;
}

function checkPath(label: string, path: string, exists: "file" | "folder" | "any"): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  const wanted = exists === "any" ? "file or folder" : exists;
  if (!stats) throw new FileError(`${label} expects a ${wanted}, "${path}" does not exist; check the path`);
  const found = stats.isDirectory() ? "folder" : "file";
  if (exists !== "any" && exists !== found)
    throw new FileError(`${label} expects a ${exists}, "${path}" is a ${found}`);
}

function convert(label: string, text: string, spec: OptionSpec): string | number {
  switch (spec.type) {
    case "integer":
    case "number":
      return toNumber(label, text, spec);
    case "choice": {
      if (spec.choices.includes(text)) return text;
      const remedy = `one of ${spec.choices.join(", ")}`;
      throw new UsageError(`${label} expects ${remedy}, found "${text}"`);
    }
    case "path":
      if (text === "") throw new UsageError(`${label} expects a path, found an empty one`);
      if (spec.exists && text !== spec.word) checkPath(label, text, spec.exists);
      return text;
    case "string":
    case "boolean":
      return text;
    default:
      return spec satisfies never;
  }
}

/** The strings given for each option and the positionals, before any conversion. */
function collect(argv: readonly string[], specs: Record<string, OptionSpec>) {
  const nameOf = new Map(Object.keys(specs).map((name) => [flagOf(name), name]));
  const config = Object.fromEntries(
    [...nameOf].map(([flag, name]) => {
      const type = specs[name].type === "boolean" ? ("boolean" as const) : ("string" as const);
      return [flag.slice(2), { type }];
    }),
  );
  const { tokens } = parseArgs({
    args: [...argv],
    options: { ...config, help: { type: "boolean", short: "h" } },
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const name = nameOf.get(token.rawName);
    if (name === undefined) {
      const remedy = suggestion(token.rawName, [...nameOf.keys()], "--help lists the options");
      throw new UsageError(`unknown option ${token.rawName}; ${remedy}`);
    }
    given.set(name, [...(given.get(name) ?? []), optionText(token.rawName, token, specs[name])]);
  }
  return { given, positionals };
}

function optionText(flag: string, token: { value?: string; inlineValue?: boolean }, spec: OptionSpec): string {
  const { value, inlineValue } = token;
  if (spec.type === "boolean") {
    if (value !== undefined) throw new UsageError(`${flag} takes no value, found "${value}"`);
    return "true";
  }
  // `--size --json` has forgotten a value; `--shift -5` has not.
  const looksLikeOption = value?.startsWith("-") && !inlineValue && Number.isNaN(Number(value));
  if (value === undefined || looksLikeOption) throw new UsageError(`${flag} needs a value${describe(spec)}`);
  return value;
}

const describe = (spec: OptionSpec): string => (spec.type === "choice" ? `: ${spec.choices.join(", ")}` : "");

function finish(label: string, texts: string[] | undefined, spec: OptionSpec): unknown {
  if (spec.type === "boolean") return texts !== undefined;
  if (texts === undefined || texts.length === 0) {
    if (spec.required) throw new UsageError(`${label} is missing: ${spec.help}`);
    if (spec.multiple) return [];
    return "default" in spec ? spec.default : undefined;
  }
  if (spec.multiple) return texts.map((text) => convert(label, text, spec));
  if (texts.length > 1) throw new UsageError(`${label} was given ${texts.length} times; give it once`);
  return convert(label, texts[0], spec);
}

/**
 * The typed values of `argv`.
 * @throws UsageError for unknown, repeated, missing or malformed arguments; FileError for paths that must exist.
 */
export function parseArguments(
  argv: readonly string[],
  options: Record<string, OptionSpec>,
  positionals: readonly PositionalSpec[],
): Record<string, unknown> {
  const collected = collect(argv, options);
  const values: Record<string, unknown> = {};
  const rest = [...collected.positionals];
  for (const spec of positionals) {
    const texts = spec.multiple ? rest.splice(0) : rest.splice(0, 1);
    values[spec.name] = finish(spec.name.toUpperCase(), texts, spec);
  }
  if (rest.length > 0) throw new UsageError(`unexpected argument "${rest[0]}"; --help shows the usage`);
  for (const [name, spec] of Object.entries(options)) {
    values[name] = finish(flagOf(name), collected.given.get(name), spec);
  }
  return values;
}
