import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { command } from "../../src/cli/commands/compare.ts";
import { parseArguments } from "../../src/cli/options.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import type { ComparisonResult } from "../../src/report/comparison.ts";

const out = mkdtempSync(join(tmpdir(), "compare-robustness-"));
afterAll(() => rmSync(out, { recursive: true }));

/** The command of docs/robustness.md. */
const words = ["--data", "petals", "--policies", "none,advanced", "--corruptions", "all", "--out", out];

describe("the advanced policy on petals", () => {
  it("lowers the mean corruption error by 15 % on corruptions that it never practised", async () => {
    const context = { json: true, version: "0", print: () => {}, setExitCode: () => {} };
    const args = parseArguments(words, command.options, command.positionals) as never;
    const terminal = new Terminal(process.stderr);
    const result = (await command.run(args, { ...context, terminal })) as unknown as ComparisonResult;
    const [baseline, advanced] = result.policies;
    expect(result.seeds).toHaveLength(3);
    expect(advanced.runs).toHaveLength(3);
    expect(baseline.foreignMce).toBeCloseTo(1, 12);
    expect(result.robustness?.models[0].families).toHaveLength(15);
    expect(advanced.ownCorruptions).toEqual(["brightness", "contrast", "saturate"]);
    expect(advanced.foreignMce).toBeLessThanOrEqual(0.85);
    expect(advanced.foreignInterval?.high).toBeLessThan(1);
  }, 10_800_000);
});
