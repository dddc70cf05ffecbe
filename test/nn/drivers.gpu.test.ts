import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { hasDriverFiles } from "../../src/engine/softwareAdapter.node.ts";
import { parseSafetensors, type StoredTensor, toFloat32 } from "../../src/nn/formats/safetensors.ts";
import { expectDistance, weightsFile } from "../reference.ts";
import { hasShared, shared } from "../shared.ts";

const program = fileURLToPath(new URL("../../bin/tepal.mjs", import.meta.url));
const images = ["n01484850_great_white_shark", "n01592084_chickadee", "n02129165_lion"].map((name) =>
  shared(`data/imagenet_samples/${name}.JPEG`),
);

/** What the adapter calls itself, and the logits [N, 1000] that the command line gives on it. */
function logitsOn(choice: "system" | "swiftshader", folder: string): { adapter: string; logits: Float32Array } {
  const raw = join(folder, `${choice}.safetensors`);
  const env = { ...process.env, TEPAL_ADAPTER: choice };
  const args = [program, "classify", ...images, "--weights", shared(weightsFile), "--raw", raw, "--json"];
  const { adapter } = JSON.parse(execFileSync("node", args, { env, stdio: "pipe", encoding: "utf8" }));
  return { adapter, logits: toFloat32(parseSafetensors(readFileSync(raw)).tensors.get("logits") as StoredTensor) };
}

const argmax = (values: Float32Array): number => values.indexOf(Math.max(...values));

describe.skipIf(!hasShared || !hasDriverFiles())("two unrelated drivers", () => {
  it("agree on MobileNetV2's logits: largest difference ÷ largest logit ≤ 1e-5, same top-1; the same driver gives the same bits", () => {
    const folder = mkdtempSync(join(tmpdir(), "tepal-drivers-"));
    try {
      const [run, again, otherRun] = [
        logitsOn("swiftshader", folder),
        logitsOn("swiftshader", folder),
        logitsOn("system", folder),
      ];
      const [first, other] = [run.logits, otherRun.logits];
      expect(otherRun.adapter).not.toBe(run.adapter);
      expect(again.logits).toEqual(first);
      const largest = Math.max(...first.map(Math.abs));
      const difference = Math.max(...first.map((value, index) => Math.abs(value - other[index])));
      expectDistance("drivers: largest difference ÷ largest logit", difference / largest, 1e-5);
      images.forEach((_, index) => {
        const range = [1000 * index, 1000 * (index + 1)] as const;
        expect(argmax(first.subarray(...range))).toBe(argmax(other.subarray(...range)));
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
