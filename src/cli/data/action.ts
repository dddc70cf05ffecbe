import type { CommandContext } from "../command.ts";
import type { OptionSpec } from "../options.ts";

/** The arguments of `tepal data ACTION NAME …` that were given; an option that was not is undefined (a flag: false). */
export interface DataArguments {
  readonly name: string;
  readonly [option: string]: unknown;
}

/** One action of `tepal data`: its options, what follows its name, and what it does. */
export interface DataAction {
  /** What follows `tepal data ACTION`, e.g. `NAME_OR_DIR [--root DIR]`. */
  readonly usage: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly examples: readonly (readonly [command: string, purpose: string])[];
  run(args: DataArguments, context: CommandContext): Promise<object>;
}
