/** A program with commands that behave in every way the frame must survive; bundled and started by the frame's tests. */
import { defineCommand } from "../../src/cli/command.ts";
import { main } from "../../src/cli/main.ts";
import * as errors from "../../src/engine/errors.ts";

const result = defineCommand({
  name: "result",
  summary: "gives back its arguments",
  usage: "FILE... [options]",
  positionals: [{ name: "files", type: "path", exists: "file", multiple: true, help: "files that exist" }],
  options: {
    size: { type: "integer", default: 224, min: 32, max: 512, help: "edge in pixels" },
    learningRate: { type: "number", min: 0, help: "step of the optimiser" },
    shift: { type: "number", help: "may be negative" },
    method: { type: "choice", choices: ["gradcam", "ig"], default: "gradcam", help: "what to compute" },
    folder: { type: "path", exists: "folder", help: "a folder that exists" },
    label: { type: "string", multiple: true, help: "a name" },
    strict: { type: "boolean", help: "be strict" },
  },
  examples: [["tepal result a.png", "the simplest call"]],
  async run(args, context) {
    context.print(`size ${args.size}`);
    context.terminal.warn("a warning");
    console.log("a library talks");
    return { ...args, values: new Float32Array([0.5, Number.NaN]) };
  },
});

const simple = (name: string, run: (args: unknown, context: never) => Promise<object | undefined>) =>
  defineCommand({ name, summary: name, usage: "", positionals: [], options: {}, examples: [], run: run as never });

const required = defineCommand({
  name: "required",
  summary: "needs an option and a file",
  usage: "IMAGE --data DIR",
  positionals: [{ name: "image", type: "string", required: true, help: "a photograph" }],
  options: { data: { type: "path", required: true, help: "class folders" } },
  examples: [],
  async run() {},
});

const commands = [
  result,
  required,
  simple("throws", async () => {
    throw new RangeError("first line\n  second line");
  }),
  simple("later", () => new Promise(() => setTimeout(() => (undefined as never as { x(): void }).x(), 10))),
  simple("rejects", async () => {
    void Promise.reject(new errors.DeviceError("expected a GPU, found none; buy one"));
    await new Promise((done) => setTimeout(done, 1000));
    return {};
  }),
  simple("hangs", () => new Promise(() => {})),
  simple("tolerance", async (_args, context: { setExitCode(code: number): void }) => {
    context.setExitCode(12);
    return { worst: 0.5 };
  }),
  simple("missing", async () => {
    const { readFileSync } = await import("node:fs");
    readFileSync("/nonexistent/file");
    return {};
  }),
  simple("endless", async () => {
    for (;;) {
      process.stdout.write("line\n".repeat(1000));
      await new Promise((done) => setTimeout(done, 1));
    }
  }),
  simple("large", async () => ({ text: "x".repeat(4_000_000) })),
  ...Object.entries(errors).map(([name, kind]) =>
    simple(name, async () => {
      throw new kind(`a ${name}`);
    }),
  ),
];

await main(
  process.argv.slice(2),
  "9.8.7",
  Object.fromEntries(commands.map((command) => [command.name, async () => ({ command })])),
);
