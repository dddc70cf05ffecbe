/** `tepal train`: killed and resumed to the same files, and options that do not go together. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { historyChart } from "../../src/cli/train/chart.ts";
import { encodePng } from "../../src/data/png.node.ts";
import { uniform } from "../../src/engine/random.ts";
import { TuningTable } from "../../src/engine/tuning.ts";
import { saveTuning } from "../../src/engine/tuningCache.node.ts";
import { readCheckpoint } from "../../src/nn/formats/checkpoint.node.ts";

const program = fileURLToPath(new URL("../../bin/tepal.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tepal-resume-"));
const data = join(folder, "data");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(() => {
  for (const [label, name] of ["blue", "red"].entries()) {
    mkdirSync(join(data, name), { recursive: true });
    for (let index = 0; index < 10; index++) {
      const pixels = Uint8Array.from({ length: 3072 }, (_, at) => {
        return (at % 3 === 2 - 2 * label ? 110 : 80) + 100 * uniform(index, label, at);
      });
      writeFileSync(join(data, name, `${index}.png`), encodePng({ width: 32, height: 32, data: pixels }));
    }
  }
});

const EPOCHS = 50;
const line = (out: string, ...more: string[]): string[] => [
  program,
  ...["train", "--data", data, "--network", "smallCnn", "--channels", "4,8", "--out", join(folder, out)],
  ...["--epochs", String(EPOCHS), "--batch", "6", "--policy", "basic", "--dropout", "0.2", "--schedule", "cosine"],
  ...["--checkpoint-every", "2", "--seed", "3", ...more],
];
const tepal = (...args: string[]) => spawnSync(process.execPath, args, { encoding: "utf8" });
const history = (out: string): string =>
  readFileSync(join(folder, out, "history.json"), "utf8") + readFileSync(join(folder, out, "history.csv"), "utf8");

/** Starts a training and sends a signal as soon as it has written a checkpoint. Gives its exit code. */
function stopped(out: string, signal: NodeJS.Signals): Promise<number | null> {
  const child = spawn(process.execPath, line(out), { stdio: "ignore" });
  const timer = setInterval(() => {
    if (!existsSync(join(folder, out, "checkpoint.safetensors"))) return;
    // Once: a second Ctrl-C ends the program on the spot.
    clearInterval(timer);
    child.kill(signal);
  }, 5);
  return new Promise((done) =>
    child.on("close", (code) => {
      clearInterval(timer);
      done(code);
    }),
  );
}

describe("train --resume", () => {
  it("goes on after SIGKILL and after Ctrl-C to the files of an undisturbed training", async () => {
    const whole = tepal(...line("whole", "--json"));
    expect([whole.status, whole.status === 0 ? "" : whole.stderr]).toEqual([0, ""]);
    expect(history("whole")).not.toContain("seconds");
    const { epochs } = JSON.parse(readFileSync(join(folder, "whole", "timings.json"), "utf8"));
    expect(epochs.length).toBe(EPOCHS);
    for (const [out, signal, code] of [
      ["killed", "SIGKILL", null],
      ["interrupted", "SIGINT", 130],
    ] as const) {
      expect(await stopped(out, signal)).toBe(code);
      expect(existsSync(join(folder, out, "model.json"))).toBe(false);
      const resumed = tepal(...line(out, "--resume", "--json"));
      expect([resumed.status, resumed.stderr.match(/resuming after step \d+/)?.length]).toEqual([0, 1]);
      expect(history(out)).toBe(history("whole"));
      expect(JSON.parse(resumed.stdout).history).toEqual(JSON.parse(whole.stdout).history);
      const model = readFileSync(join(folder, out, "model.safetensors"));
      expect(model.equals(readFileSync(join(folder, "whole", "model.safetensors")))).toBe(true);
    }
    const other = tepal(...line("killed", "--resume", "--lr", "0.5"));
    expect([other.status, other.stderr.trim().split("\n").pop()]).toEqual([
      3,
      expect.stringMatching(/expected learningRate 0.5; found 0.001; resume with the settings/),
    ]);
  });
});

describe("a checkpoint of train", () => {
  it("records the tuning table that was in use, or that there was none", async () => {
    const cache = join(folder, "cache");
    const trained = (out: string) =>
      spawnSync(
        process.execPath,
        line(out, "--json").map((word, at, all) => (all[at - 1] === "--epochs" ? "1" : word)),
        {
          encoding: "utf8",
          env: { ...process.env, XDG_CACHE_HOME: cache },
        },
      );
    const tuningIn = async (out: string) => (await readCheckpoint(join(folder, out, "checkpoint.safetensors")))?.tuning;
    const { adapter } = JSON.parse(trained("untuned").stdout);
    expect(await tuningIn("untuned")).toBeNull();
    const table = new TuningTable(adapter, { "an op of these shapes": { choice: { tile: 4 }, source: "0 0" } });
    await saveTuning(table, join(cache, "tepal"));
    expect(trained("tuned").status).toBe(0);
    expect(await tuningIn("tuned")).toEqual(JSON.parse(JSON.stringify(table)));
    expect(history("tuned")).toBe(history("untuned"));
  });
});

describe("what train refuses", () => {
  it.each([
    [["--nesterov"], /--nesterov needs --optimiser sgd/],
    [["--reduce-lr", "3"], /--reduce-lr and --schedule/],
    [["--step-epochs", "3"], /--step-epochs needs --schedule step/],
    [["--width", "0.5"], /--width is for mobilenetV2/],
    [["--model", folder], /one of --weights FILE, --model DIR and --network NAME/],
    [["--clip-norm", "0"], /--clip-norm expects a number above 0/],
  ])("%j", (more, message) => {
    const { status, stderr } = tepal(...line("refused", ...more));
    expect([status, stderr.trim().split("\n").pop()]).toEqual([2, expect.stringMatching(message)]);
  });
});

describe("the chart of a history", () => {
  it("fits its columns and shows both curves", () => {
    const record = (epoch: number) => ({
      epoch,
      loss: 1 / epoch,
      accuracy: 1 - 1 / epoch,
      valLoss: 0.2 + 1 / epoch,
      valAccuracy: 0.9 - 1 / epoch,
      learningRate: 1e-3,
    });
    const lines = historyChart(
      Array.from({ length: 60 }, (_, index) => record(index + 1)),
      80,
    );
    expect(Math.max(...lines.map((text) => text.length))).toBeLessThanOrEqual(80);
    expect(lines.join("\n")).toMatch(/1\.200 ┤•/);
    expect(lines.at(-1)).toContain("0.0010");
  });
});
