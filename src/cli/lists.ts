/** Options that hold several values in one, separated by commas. */
import { UsageError } from "../engine/errors.ts";
import { suggestion } from "./options.ts";

const wordsOf = (flag: string, text: string): string[] => {
  const words = text.split(",").map((word) => word.trim());
  if (words.some((word) => word === "") || new Set(words).size !== words.length)
    throw new UsageError(`${flag} expects different values separated by commas, found "${text}"`);
  return words;
};

/** Names out of a known list, in the order given. Throws a UsageError that names the nearest. */
export function namesFrom(flag: string, text: string, known: readonly string[]): string[] {
  const words = wordsOf(flag, text);
  const stray = words.find((word) => !known.includes(word));
  if (stray === undefined) return words;
  const remedy = suggestion(stray, known, `choose of ${known.join(", ")}`);
  throw new UsageError(`${flag} does not know "${stray}"; ${remedy}`);
}

/** Whole numbers from `min` to `max`, ascending. Throws a UsageError. */
export function integersFrom(flag: string, text: string, { min, max }: { min: number; max: number }): number[] {
  const numbers = wordsOf(flag, text).map(Number);
  if (!numbers.every((value) => Number.isInteger(value) && value >= min && value <= max))
    throw new UsageError(`${flag} expects whole numbers from ${min} to ${max} separated by commas, found "${text}"`);
  return numbers.sort((a, b) => a - b);
}
