import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const program = root("bin/tepal.mjs");

function run(...args: string[]) {
  const all = [program, "kernels", "run", ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: "utf8" });
  return { code: status, stdout, stderr };
}

describe("tepal kernels run", () => {
  it("runs one op at given shapes, checks it against float64 and times it", () => {
    const { code, stdout, stderr } = run("matmul", "--shape", "2x49x64,64x32", "--repeats", "2", "--json");
    expect(code, stderr).toBe(0);
    const { results } = JSON.parse(stdout);
    expect(results).toHaveLength(1);
    const [result] = results;
    expect(result).toMatchObject({
      op: "matmul",
      shapes: [
        [2, 49, 64],
        [64, 32],
      ],
      ok: true,
    });
    expect(result.kernel).toMatch(/^matmul(Tiled|Subgroups)\.product$/);
    expect(result.error).toBeLessThan(1e-5);
    expect(result.gflopsPerSecond).toBeCloseTo((2 * 98 * 64 * 32) / result.milliseconds / 1e6, 6);
  });

  it("runs the cases of an entry point", () => {
    const { code, stdout } = run("unary.relu6Vectors", "--repeats", "1", "--json");
    expect(code).toBe(0);
    const kernels = JSON.parse(stdout).results.map(({ kernel }: { kernel: string }) => kernel);
    expect(kernels).toContain("unary.relu6Vectors");
  });

  it("refuses what it cannot run, in one line", () => {
    const refusals: readonly (readonly [string[], number, RegExp])[] = [
      [[], 2, /run expects a kernel/],
      [["matmull"], 2, /did you mean matmul\?/],
      [["matmul", "--shape", "3x4"], 2, /matmul has 2 inputs, found 1 shapes/],
      [["matmul", "--shape", "3x4,5x6"], 6, /must equal/],
      [["matmul", "--shape", "3xa,4x4"], 2, /--shape expects sizes/],
      [["conv2d", "--attributes", "[1]"], 2, /--attributes expects a JSON object/],
    ];
    for (const [args, code, message] of refusals) {
      const result = run(...args);
      expect(result.stderr).toMatch(message);
      expect(result.code, args.join(" ")).toBe(code);
    }
  });

  it("--watch loads an edited source and checks it again, also after one that does not compile", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tepal-shaders-"));
    const file = join(folder, "unary.wgsl");
    copyFileSync(root("src/shaders/unary.wgsl"), file);
    const right = readFileSync(file, "utf8");
    const args = [program, "kernels", "run", "square", "--watch", "--shaders", folder, "--repeats", "1"];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
    let text = "";
    child.stdout.on("data", (data) => {
      text += data;
    });
    const until = async (pattern: RegExp): Promise<string> => {
      while (!pattern.test(text)) {
        expect(child.exitCode, text).toBeNull();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const seen = text;
      text = "";
      return seen;
    };
    try {
      expect(await until(/watching/)).not.toMatch(/FAILED/);
      writeFileSync(file, right.replace("value * value;", "value + value;"));
      await until(/version 2[\s\S]*FAILED {2}square/);
      writeFileSync(file, right.replace("value * value;", "value * ;"));
      await until(/FAILED {2}unary \(edit 3\)/);
      writeFileSync(file, right);
      await until(/version 4[\s\S]*ok {4} {2}square/);
    } finally {
      child.kill();
    }
  });
});
