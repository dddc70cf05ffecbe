import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { TuningTable } from "../../src/engine/tuning.ts";

const program = fileURLToPath(new URL("../../bin/tepal.mjs", import.meta.url));

function tepal(cache: string, ...args: string[]) {
  const env = { ...process.env, XDG_CACHE_HOME: cache };
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8", env });
  return { code: status, stdout, stderr };
}

describe("tepal tune", () => {
  it("times the candidates of an op, says what was gained, and keeps the table for later commands", () => {
    const cache = mkdtempSync(join(tmpdir(), "tepal-tune-"));
    const { code, stdout, stderr } = tepal(
      cache,
      "tune",
      "--size",
      "32",
      "--only",
      "conv2d",
      "--repeats",
      "1",
      "--json",
    );
    expect(code, stderr).toBe(0);
    const { results, totals, file, table, adapter } = JSON.parse(stdout);
    expect(results).toHaveLength(1);
    expect(results[0]).toMatchObject({ op: "conv2d", name: "Conv1_relu", dispatches: 1, candidates: 4 });
    expect(totals.after).toBeLessThanOrEqual(totals.before);
    expect(file.startsWith(join(cache, "tepal"))).toBe(true);
    const kept = TuningTable.parse(JSON.parse(readFileSync(file, "utf8")));
    expect(kept.adapter).toBe(adapter);
    expect(kept.toJSON()).toEqual(table);
    expect(kept.size).toBe(results[0].choice ? 1 : 0);
    expect(stderr).toMatch(/1 choices|0 choices/);
  });

  it("refuses an op without candidates, and one that the network does not run", () => {
    const cache = mkdtempSync(join(tmpdir(), "tepal-tune-"));
    const unknown = tepal(cache, "tune", "--only", "conv2");
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toMatch(/no op "conv2" has candidates; did you mean conv2d\?/);
    const absent = tepal(cache, "tune", "--size", "32", "--only", "conv2dWeightPartial");
    expect(absent.code).toBe(2);
    expect(absent.stderr).toMatch(/add --training/);
  });
});
