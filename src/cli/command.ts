import { type Arguments, flagOf, type OptionSpec, type PositionalSpec } from "./options.ts";
import type { Terminal } from "./terminal.ts";

export interface CommandContext {
  /** True when stdout is kept for the one JSON object. */
  readonly json: boolean;
  /** Of this program. */
  readonly version: string;
  /** Progress, warnings and colours, all on stderr. */
  readonly terminal: Terminal;
  /** A result for a person: on stdout, or on stderr when `--json` asks for the object. */
  print(text: string): void;
  /** Ends the process with this code although the command gives a result: `verify` above its tolerance. */
  setExitCode(code: number): void;
}

export interface Command<
  O extends Record<string, OptionSpec> = Record<string, OptionSpec>,
  P extends readonly PositionalSpec[] = readonly PositionalSpec[],
> {
  readonly name: string;
  /** One line, shown by `tepal --help`. */
  readonly summary: string;
  /** What follows the command's name, e.g. `IMAGE... --weights FILE [options]`. */
  readonly usage: string;
  readonly positionals: P;
  readonly options: O;
  /** Whole command lines with what they do. */
  readonly examples: readonly (readonly [command: string, purpose: string])[];
  /** The object is what `--json` prints; text for people goes through `context.print`. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a command without a result returns nothing
  run(args: Arguments<O, P>, context: CommandContext): Promise<object | void>;
}

/**
 * Declares a command; the types of its arguments follow from its options.
 * `--json` and `--help` belong to every command and are not declared.
 */
export function defineCommand<
  const O extends Record<string, OptionSpec>,
  const P extends readonly PositionalSpec[] = readonly [],
>(command: Command<O, P>): Command {
  return command as unknown as Command;
}

function placeholder(spec: OptionSpec): string {
  if (spec.type === "boolean") return "";
  if (spec.placeholder) return ` ${spec.placeholder}`;
  return spec.type === "choice" ? ` ${spec.choices.join("|")}` : ` ${spec.type.toUpperCase()}`;
}

function remarks(spec: OptionSpec): string {
  const parts = [
    spec.required ? "required" : "",
    spec.multiple ? "repeatable" : "",
    "min" in spec && spec.min !== undefined ? `at least ${spec.min}` : "",
    "max" in spec && spec.max !== undefined ? `at most ${spec.max}` : "",
    "default" in spec && spec.default !== undefined ? `default ${spec.default}` : "",
  ];
  const text = parts.filter(Boolean).join(", ");
  return text ? ` (${text})` : "";
}

/** Two columns; the second starts at the same place in every row. */
export function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.min(38, Math.max(...rows.map(([left]) => left.length)));
  return rows
    .map(([left, right]) => {
      const gap = left.length > width ? `\n${" ".repeat(width + 4)}` : " ".repeat(width - left.length + 2);
      return `  ${left}${gap}${right}`;
    })
    .join("\n");
}

/** The text of `tepal COMMAND --help`. */
export function commandHelp(command: Command): string {
  const positionals = command.positionals.map(
    (spec) => [spec.name.toUpperCase() + (spec.multiple ? "..." : ""), spec.help] as const,
  );
  const options = Object.entries(command.options).map(
    ([name, spec]) => [flagOf(name) + placeholder(spec), spec.help + remarks(spec)] as const,
  );
  const general = [
    ["--json", "print one JSON object on stdout and everything else on stderr"],
    ["--help", "print this text"],
  ] as const;
  const sections = [
    `tepal ${command.name}: ${command.summary}`,
    `Usage: tepal ${command.name} ${command.usage}`,
    positionals.length > 0 ? `Arguments:\n${columns(positionals)}` : "",
    `Options:\n${columns([...options, ...general])}`,
    command.examples.length > 0
      ? `Examples:\n${command.examples.map(([line, purpose]) => `  # ${purpose}\n  ${line}`).join("\n")}`
      : "",
  ];
  return sections.filter(Boolean).join("\n\n");
}
