import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as errors from "../../src/engine/errors.ts";

const folder = mkdtempSync(join(tmpdir(), "tepal-frame-"));
const program = join(folder, "program.mjs");
const image = join(folder, "a.png");

beforeAll(async () => {
  writeFileSync(image, "");
  await build({
    entryPoints: [fileURLToPath(new URL("./frameProgram.ts", import.meta.url))],
    outfile: program,
    bundle: true,
    format: "esm",
    platform: "node",
    // The frame's own registry is not used here.
    external: ["./commands/*"],
    banner: { js: 'import { createRequire as r } from "node:module"; const require = r(import.meta.url);' },
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

function tepal(args: string[], env: Record<string, string> = {}, onStart?: (child: ReturnType<typeof spawn>) => void) {
  return new Promise<Outcome>((done) => {
    const child = spawn(process.execPath, [program, ...args], { env: { ...process.env, FORCE_COLOR: "", ...env } });
    const outcome: Outcome = { code: null, stdout: "", stderr: "" };
    child.stdout.on("data", (data) => {
      outcome.stdout += data;
    });
    child.stderr.on("data", (data) => {
      outcome.stderr += data;
    });
    child.on("close", (code) => done({ ...outcome, code }));
    onStart?.(child);
  });
}

/** The one message of a failed run, without the program's name. */
async function failure(args: string[], code: number): Promise<string> {
  const outcome = await tepal(args);
  expect(outcome.code, outcome.stderr).toBe(code);
  expect(outcome.stdout).toBe("");
  expect(outcome.stderr).toMatch(/^tepal: [^\n]+\n$/);
  return outcome.stderr.slice("tepal: ".length, -1);
}

describe("a command that succeeds", () => {
  it("prints for people on stdout", async () => {
    const outcome = await tepal(["result", image]);
    expect(outcome.code).toBe(0);
    expect(outcome.stdout).toBe("size 224\na library talks\n");
    expect(outcome.stderr).toBe("warning: a warning\n");
  });

  it("prints exactly one object on stdout with --json, wherever the flag stands", async () => {
    for (const args of [
      ["--json", "result", image, "--size=64", "--learning-rate", "1e-3", "--label", "a", "--label", "b", "--strict"],
      ["result", "--size", "64", "--learning-rate=0.001", "--label=a", "--label=b", image, "--strict", "--json"],
    ]) {
      const outcome = await tepal(args);
      expect(outcome.code).toBe(0);
      expect(JSON.parse(outcome.stdout)).toEqual({
        files: [image],
        size: 64,
        learningRate: 0.001,
        method: "gradcam",
        label: ["a", "b"],
        strict: true,
        values: [0.5, null],
      });
      expect(outcome.stderr).toBe("size 64\nwarning: a warning\na library talks\n");
    }
  });

  it("takes negative numbers as values", async () => {
    const outcome = await tepal(["result", "--shift", "-5", "--json"]);
    expect(JSON.parse(outcome.stdout).shift).toBe(-5);
  });

  it("may end with a code of its own and still give its result", async () => {
    const outcome = await tepal(["tolerance", "--json"]);
    expect(outcome.code).toBe(12);
    expect(JSON.parse(outcome.stdout)).toEqual({ worst: 0.5 });
  });

  it("flushes a large result before it ends", async () => {
    const outcome = await tepal(["large", "--json"]);
    expect(JSON.parse(outcome.stdout).text).toHaveLength(4_000_000);
  });
});

describe("help and version", () => {
  it("lists commands and every exit code", async () => {
    const { code, stdout, stderr } = await tepal(["--help"]);
    expect(code).toBe(0);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^ {2}result +gives back its arguments$/m);
    for (const [name, kind] of Object.entries(errors)) {
      const shown = name === "TepalError" ? "an unexpected exception" : `${name}:`;
      expect(stdout).toMatch(new RegExp(`^ {2}${new kind("").exitCode} +${shown}`, "m"));
    }
  });

  it("describes a command's options", async () => {
    const { code, stdout } = await tepal(["result", "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain("Usage: tepal result FILE... [options]");
    expect(stdout).toMatch(/--size INTEGER +edge in pixels \(at least 32, at most 512, default 224\)/);
    expect(stdout).toMatch(/--learning-rate NUMBER/);
    expect(stdout).toMatch(/--method gradcam\|ig/);
    expect(stdout).toContain("  # the simplest call\n  tepal result a.png");
  });

  it("prints the version, also as an object", async () => {
    expect((await tepal(["--version"])).stdout).toBe("9.8.7\n");
    expect(JSON.parse((await tepal(["--version", "--json"])).stdout)).toEqual({ version: "9.8.7" });
  });
});

describe("wrong usage ends with code 2 and one line", () => {
  it.each([
    [[], "a command is missing; tepal --help lists the commands"],
    [["resutl"], 'unknown command "resutl"; did you mean result?'],
    [["toString"], 'unknown command "toString"; tepal --help lists the commands'],
    [["result", "--sise", "64"], "unknown option --sise; did you mean --size?"],
    [["result", "-x"], "unknown option -x; --help lists the options"],
    [["result", "--size", "64.5"], '--size expects an integer from 32 up to 512, found "64.5"'],
    [["result", "--size", "31"], '--size expects an integer from 32 up to 512, found "31"'],
    [["result", "--size", "513"], '--size expects an integer from 32 up to 512, found "513"'],
    [["result", "--size="], '--size expects an integer from 32 up to 512, found ""'],
    [["result", "--shift", "NaN"], '--shift expects a number, found "NaN"'],
    [["result", "--size"], "--size needs a value"],
    [["result", "--size", "--strict"], "--size needs a value"],
    [["result", "--size", "64", "--size", "96"], "--size was given 2 times; give it once"],
    [["result", "--strict=yes"], '--strict takes no value, found "yes"'],
    [["result", "--method", "lime"], '--method expects one of gradcam, ig, found "lime"'],
    [["required", "a"], "--data is missing: class folders"],
    [["required", "--data", "x"], "IMAGE is missing: a photograph"],
    [["required", "--data", "x", "a", "b"], 'unexpected argument "b"; --help shows the usage'],
    [["tolerance", "a"], 'unexpected argument "a"; --help shows the usage'],
  ])("%j", async (args, message) => {
    expect(await failure(args as string[], 2)).toBe(message);
  });
});

describe("files", () => {
  it("must exist and be of the right kind: code 3", async () => {
    expect(await failure(["result", "nowhere.png"], 3)).toContain('"nowhere.png" does not exist');
    expect(await failure(["result", folder], 3)).toContain("is a folder");
    expect(await failure(["result", "--folder", image], 3)).toContain("is a file");
    expect(await failure(["missing"], 3)).toBe('"/nonexistent/file" does not exist; check the path');
  });
});

describe("failures", () => {
  it.each(Object.entries(errors))("%s ends with its exit code", async (name, kind) => {
    expect(await failure([name], new kind("").exitCode)).toBe(`a ${name}`);
  });

  it("have codes of their own", () => {
    const codes = Object.values(errors).map((kind) => new kind("").exitCode);
    expect(new Set(codes).size).toBe(codes.length);
    // 126 and above belong to shells; 130 is how they report an interruption.
    expect(codes.every((code) => (code > 0 && code < 126) || code === 130)).toBe(true);
  });

  it("are one object with --json", async () => {
    const outcome = await tepal(["DeviceError", "--json"]);
    expect(outcome.code).toBe(9);
    expect(JSON.parse(outcome.stdout)).toEqual({
      error: { name: "DeviceError", message: "a DeviceError", exitCode: 9 },
    });
    expect(outcome.stderr).toBe("tepal: a DeviceError\n");
    expect(JSON.parse((await tepal(["result", "--bad", "--json"])).stdout).error.exitCode).toBe(2);
  });

  it("that nobody expected end with code 1 and one line, and a stack on request", async () => {
    expect(await failure(["throws"], 1)).toBe("first line second line");
    expect(await failure(["later"], 1)).toMatch(/undefined/);
    const { code, stderr } = await tepal(["throws"], { TEPAL_DEBUG: "1" });
    expect(code).toBe(1);
    expect(stderr).toMatch(/RangeError: first line(.|\n)*at /);
  });

  it("of promises that nobody awaits end the program", async () => {
    expect(await failure(["rejects"], 9)).toBe("expected a GPU, found none; buy one");
  });

  it("include a command that never ends its work", async () => {
    expect(await failure(["hangs"], 1)).toContain("never settled");
  });
});

describe("a reader that closes the pipe", () => {
  it("ends the work without a message", async () => {
    const outcome = await tepal(["endless"], {}, (child) => {
      child.stdout?.once("data", () => child.stdout?.destroy());
    });
    expect(outcome.code).toBe(141);
    expect(outcome.stderr).toBe("");
  });
});
