import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serializeSafetensors } from "../../src/nn/formats/safetensors.ts";
import { hasShared, shared } from "../shared.ts";

const program = fileURLToPath(new URL("../../bin/tepal.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tepal-weights-"));
const small = join(folder, "small.safetensors");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function tepal(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8" });
  return { code: status, stdout, stderr };
}

beforeAll(() => {
  const tensors = {
    "a/kernel": { dtype: "F32" as const, shape: [2, 3], data: new Float32Array([1, 2, 3, 4, 5, 6]) },
    "b/bias": { dtype: "F32" as const, shape: [3], data: new Float32Array([0.5, 0.25, 70000]) },
  };
  writeFileSync(small, serializeSafetensors(tensors));
});

describe("the program bin/tepal.mjs", () => {
  it("starts, and has the package's version", () => {
    expect(tepal("--version")).toEqual({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: "" });
  });

  it("describes every command it lists", () => {
    const { code, stdout } = tepal("--help");
    expect(code).toBe(0);
    const names = [...stdout.split("Exit codes:")[0].matchAll(/^ {2}(\w+) {2,}/gm)].map((match) => match[1]);
    expect(names).toContain("weights");
    for (const name of names) {
      const help = tepal(name, "--help");
      expect([name, help.code]).toEqual([name, 0]);
      expect(help.stdout).toContain(`Usage: tepal ${name} `);
    }
  });
});

describe("weights", () => {
  it("tells what a file holds", () => {
    const { code, stdout, stderr } = tepal("weights", "info", small, "--json");
    expect([code, stderr]).toEqual([0, expect.stringContaining("a/kernel")]);
    expect(JSON.parse(stdout)).toMatchObject({
      format: "safetensors",
      architecture: "unknown",
      parameters: 9,
      tensors: expect.arrayContaining([{ name: "a/kernel", dtype: "F32", shape: [2, 3] }]),
    });
    expect(tepal("weights", "info", small).stdout).toMatch(/a\/kernel +F32 \[2, 3\]/);
  });

  it.each([
    [["weights"], 2, /ACTION is missing/],
    [["weights", "inform", small], 2, /info, convert/],
    [["weights", "info"], 2, /FILE is missing/],
    [["weights", "info", small, small], 2, /one file/],
    [["weights", "info", small, "--dtype", "float16"], 2, /--dtype/],
    [["weights", "info", "nowhere.h5"], 3, /does not exist/],
    [["weights", "info", fileURLToPath(import.meta.url)], 3, /safetensors/],
    [["weights", "convert", small], 2, /OUTPUT/],
    [["weights", "convert", small, "out.h5"], 2, /\.safetensors/],
    [["weights", "convert", small, "/nonexistent/out.safetensors"], 3, /writable/],
  ])("%j ends with code %i", (args, code, message) => {
    const outcome = tepal(...(args as string[]));
    expect([outcome.code, outcome.stdout]).toEqual([code, ""]);
    expect(outcome.stderr).toMatch(/^tepal: [^\n]+\n$/);
    expect(outcome.stderr).toMatch(message as RegExp);
  });

  it("leaves nothing behind when a value does not fit float16", () => {
    const output = join(folder, "half.safetensors");
    const outcome = tepal("weights", "convert", small, output, "--dtype", "float16", "--json");
    expect(outcome.code).toBe(4);
    expect(JSON.parse(outcome.stdout).error.name).toBe("WeightsError");
    expect(existsSync(output)).toBe(false);
    expect(readdirSync(folder)).toEqual(["small.safetensors"]);
  });

  describe.skipIf(!hasShared)("of MobileNetV2", () => {
    it("are converted to half the size, with everything that the Keras file said", () => {
      const source = shared("weights/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5");
      const output = join(folder, "mobilenet.safetensors");
      const original = JSON.parse(tepal("weights", "info", source, "--json").stdout);
      expect(original).toMatchObject({ architecture: "mobilenetV2", width: 1, classes: 1000, parameters: 3538984 });
      const outcome = tepal("weights", "convert", source, output, "--dtype", "float16", "--json");
      expect(outcome.code, outcome.stderr).toBe(0);
      const { file: _, bytes, sha256: __, format: ___, tensors, ...same } = JSON.parse(outcome.stdout);
      expect(original).toMatchObject(same);
      expect(tensors).toHaveLength(original.tensors.length);
      expect(bytes).toBe(statSync(output).size);
      expect(bytes / (2 * 3538984)).toBeLessThan(1.01);
    });
  });
});
