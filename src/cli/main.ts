/** The program `tepal`: finds the command, reads its arguments, and sees to it that no failure ends with code 0. */
import { inspect } from "node:util";
import { UsageError } from "../engine/errors.ts";
import { type Command, type CommandContext, columns, commandHelp } from "./command.ts";
import { describeFailure, toJson } from "./json.ts";
import { parseArguments, suggestion } from "./options.ts";
import { Terminal } from "./terminal.ts";

/** Loads a command when it is asked for, so that `tepal weights` does not wait for the engine. */
export type Registry = Readonly<Record<string, () => Promise<{ command: Command }>>>;

/** One line per command. */
const commands: Registry = {
  classify: () => import("./commands/classify.ts"),
  explain: () => import("./commands/explain.ts"),
  train: () => import("./commands/train.ts"),
  evaluate: () => import("./commands/evaluate.ts"),
  robustness: () => import("./commands/robustness.ts"),
  compare: () => import("./commands/compare.ts"),
  practical: () => import("./commands/practical.ts"),
  backbone: () => import("./commands/backbone.ts"),
  weights: () => import("./commands/weights.ts"),
  data: () => import("./commands/data.ts"),
  introspect: () => import("./commands/introspect.ts"),
  "xai-bench": () => import("./commands/xaiBench.ts"),
  demo: () => import("./commands/demo.ts"),
  doctor: () => import("./commands/doctor.ts"),
  kernels: () => import("./commands/kernels.ts"),
  tune: () => import("./commands/tune.ts"),
  verify: () => import("./commands/verify.ts"),
  augment: () => import("./commands/augment.ts"),
  "augment-verify": () => import("./commands/augmentVerify.ts"),
};

const exitCodes: readonly (readonly [string, string])[] = [
  ["0", "success"],
  ["1", "an unexpected exception (TEPAL_DEBUG=1 prints its stack); verify: a case is above its tolerance"],
  ["2", "UsageError: unknown option or command, missing argument, value out of range"],
  ["3", "FileError: a file is missing, unreadable, or not what its name promises"],
  ["4", "WeightsError: a weight file does not fit the network"],
  ["5", "DataError: a data set cannot be used"],
  ["6", "ShapeError: a tensor's shape or type does not fit"],
  ["7", "GraphError: a graph breaks a rule of the engine"],
  ["8", "LimitError: a limit of the adapter or of the memory would be exceeded"],
  ["9", "DeviceError: no adapter can be had, or the GPU reported an error"],
  ["10", "DeviceLostError: the device was lost while in use"],
  ["11", "NonFiniteError: a NaN or an infinity appeared"],
  ["12", "ToleranceError: a measured error is above its tolerance"],
  ["130", "InterruptedError: stopped by Ctrl-C; train --resume goes on"],
];

async function mainHelp(registry: Registry): Promise<string> {
  const loaded = await Promise.all(Object.values(registry).map((load) => load()));
  const rows = loaded.map(({ command }) => [command.name, command.summary] as const);
  return [
    "tepal: a tensor engine on WebGPU; trains, classifies and explains",
    "Usage: tepal COMMAND [options]     tepal COMMAND --help     tepal --version",
    `Commands:\n${columns(rows)}`,
    `Exit codes:\n${columns(exitCodes)}`,
    `Environment:\n${columns([
      ["TEPAL_ADAPTER", "auto (default), system, or swiftshader: which driver to use"],
      ["VK_DRIVER_FILES", "the Vulkan driver to use, as its loader documents"],
      ["TEPAL_DEBUG=1", "print the stack of a failure"],
      ["NO_COLOR", "no colours"],
    ])}`,
  ].join("\n\n");
}

async function loadCommand(name: string, registry: Registry): Promise<Command> {
  if (!Object.hasOwn(registry, name)) {
    const remedy = suggestion(name, Object.keys(registry), "tepal --help lists the commands");
    throw new UsageError(`unknown command "${name}"; ${remedy}`);
  }
  return (await registry[name]()).command;
}

interface Program {
  readonly registry: Registry;
  readonly version: string;
  readonly json: boolean;
  readonly terminal: Terminal;
  exitCode: number;
}

async function runCommand(argv: readonly string[], program: Program): Promise<void> {
  const [name, ...rest] = argv.filter((argument) => argument !== "--json");
  if (name === undefined) throw new UsageError("a command is missing; tepal --help lists the commands");
  if (name === "--version" || name === "-v") return result(program, program.version, { version: program.version });
  if (name === "--help" || name === "-h" || name === "help") return help(program, await mainHelp(program.registry));
  const command = await loadCommand(name, program.registry);
  if (rest.includes("--help") || rest.includes("-h")) return help(program, commandHelp(command));
  const args = parseArguments(rest, command.options, command.positionals);
  const context: CommandContext = {
    json: program.json,
    version: program.version,
    terminal: program.terminal,
    print: (text) => (program.json ? process.stderr : process.stdout).write(`${text}\n`),
    setExitCode: (code) => {
      program.exitCode = code;
    },
  };
  const value = await command.run(args as never, context);
  if (program.json) process.stdout.write(`${toJson(value ?? {})}\n`);
}

const help = (program: Program, text: string): void => result(program, text, { help: text });

function result(program: Program, text: string, value: object): void {
  process.stdout.write(`${program.json ? toJson(value) : text}\n`);
}

function fail(error: unknown, program: Program): number {
  const failure = describeFailure(error);
  program.terminal.line(`${program.terminal.colors.red("tepal:")} ${failure.message}`);
  if (process.env.TEPAL_DEBUG) program.terminal.line(inspect(error));
  if (program.json) process.stdout.write(`${toJson({ error: failure })}\n`);
  return failure.exitCode;
}

/** Ends the process: a Dawn device would keep it alive, or crash while Node takes it apart. */
async function exit(code: number): Promise<never> {
  process.exitCode = code;
  const flushed = (stream: NodeJS.WriteStream) => new Promise<void>((done) => stream.write("", () => done()));
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  process.exit(code);
}

/** What a program that is stopped by SIGPIPE ends with; Node ignores that signal. */
const CLOSED_PIPE = 141;

/** A reader that closes the pipe early (`tepal … | head`) gets no message; the work that nobody reads ends. */
function endQuietlyOnClosedPipe(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? Number(process.exitCode ?? CLOSED_PIPE) : 1);
  });
  process.stderr.on("error", () => {});
}

/** Runs the command of `argv` (without the program's name) and ends the process with its exit code. */
export async function main(argv: readonly string[], version: string, registry: Registry = commands): Promise<never> {
  const terminal = new Terminal(process.stderr);
  const program: Program = { registry, version, json: argv.includes("--json"), terminal, exitCode: 0 };
  // Libraries that log must not spoil the one JSON object.
  if (program.json) console.log = console.info = console.debug = console.error;
  endQuietlyOnClosedPipe();
  let ending = false;
  const end = async (code: number): Promise<void> => {
    if (ending) return;
    ending = true;
    await exit(code);
  };
  const crash = (error: unknown) => {
    if (!ending) void end(fail(error, program));
  };
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);
  // A promise that nothing will ever settle empties the event loop, and Node would end with code 0.
  process.once("beforeExit", () => crash(new Error("the command ended without a result: a promise never settled")));
  try {
    await runCommand(argv, program);
    await end(program.exitCode);
  } catch (error) {
    crash(error);
  }
  return new Promise<never>(() => {});
}
