/** `tepal practical`: killed in a training and among the corruptions, and resumed to the figures of an undisturbed run. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";

const program = fileURLToPath(new URL("../../bin/tepal.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tepal-practical-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const line = (out: string, ...more: string[]): string[] => [
  program,
  ...[
    "practical",
    "--size",
    "32",
    "--epochs",
    "1",
    "--explain",
    "1",
    "--steps",
    "48",
    "--scratch",
    "--scratch-size",
    "32",
  ],
  ...["--seed", "3", "--out", join(folder, out), ...more],
];

/** Starts a practical and kills it as soon as a part is kept. */
function killedAt(out: string, part: string, ...more: string[]): Promise<void> {
  const child = spawn(process.execPath, line(out, ...more), { stdio: "ignore" });
  const timer = setInterval(() => {
    if (existsSync(join(folder, out, "parts", part))) child.kill("SIGKILL");
  }, 20);
  return new Promise((done) =>
    child.on("close", () => {
      clearInterval(timer);
      done();
    }),
  );
}

/** What the report says, without the times and the command. */
function figures(out: string): object {
  const page = readFileSync(join(folder, out, "report.html"), "utf8");
  const text = /<script type="application\/json" id="tepal-report">([\s\S]*?)<\/script>/.exec(page)?.[1] ?? "";
  const { timings, settings, ...rest } = JSON.parse(text);
  return rest;
}

it("goes on to the same figures after two kills", async () => {
  const whole = spawnSync(process.execPath, line("whole"), { encoding: "utf8" });
  expect(whole.status, whole.stderr).toBe(0);
  await killedAt("killed", "baseline-3.json");
  await killedAt("killed", "corrupted-defocusBlur.json", "--resume");
  expect(existsSync(join(folder, "killed/report.html"))).toBe(false);
  const end = spawnSync(process.execPath, line("killed", "--resume"), { encoding: "utf8" });
  expect(end.status, end.stderr).toBe(0);
  expect(end.stderr).toContain("baseline-3: kept from before");
  expect(end.stderr).toContain("corrupted-defocusBlur: kept from before");
  expect(figures("killed")).toEqual(figures("whole"));
  expect(existsSync(join(folder, "killed/parts"))).toBe(false);
  const other = spawnSync(process.execPath, line("killed", "--resume"), { encoding: "utf8" });
  expect(other.status).toBe(0);
  expect(figures("killed")).toEqual(figures("whole"));
});
