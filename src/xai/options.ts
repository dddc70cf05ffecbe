import { UsageError } from "../engine/errors.ts";
import { baselineNames } from "./baselines.ts";
import type { MethodOptions } from "./explanation.ts";
import { quadratureRules } from "./quadrature.ts";

const choices: Readonly<Record<"score" | "rule", readonly string[]>> = {
  score: ["logit", "prob"],
  rule: ["adaptive", ...quadratureRules],
};
const namedBaselines: readonly string[] = [...baselineNames, "blur", "noise"];

/**
 * What no method could follow is refused before anything is compiled; a script without types may hand over anything.
 * @throws UsageError
 */
export function checkOptions(options: MethodOptions): void {
  for (const name of ["steps", "samples", "maxBatch"] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isInteger(value) && value >= 1))
      throw new UsageError(`expected ${name} to be a whole number of at least 1, found ${value}`);
  }
  for (const name of ["score", "rule"] as const) {
    const value = options[name];
    if (value !== undefined && !choices[name].includes(value))
      throw new UsageError(`expected ${name} to be one of ${choices[name].join(", ")}, found "${value}"`);
  }
  for (const name of ["layers", "baselines"] as const)
    if (options[name]?.length === 0)
      throw new UsageError(`expected one of ${name} or more, found none; leave it out for the usual one`);
  if (options.tolerance !== undefined && !(options.tolerance >= 0))
    throw new UsageError(`expected a tolerance of at least 0, found ${options.tolerance}`);
  const unknown = options.baselines?.find((choice) => typeof choice === "string" && !namedBaselines.includes(choice));
  if (unknown !== undefined)
    throw new UsageError(`expected baselines of ${namedBaselines.join(", ")} or pixels, found "${unknown}"`);
}
