/** What training must reach, against Keras with the same files and settings. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { hasShared, shared } from "../shared.ts";

const program = fileURLToPath(new URL("../../bin/tepal.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tepal-figures-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function tepal(command: string, options: Readonly<Record<string, string | number>>) {
  const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, command, ...words, "--json"], {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(stderr.slice(-400));
  return JSON.parse(stdout);
}

const weights = shared("weights/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5");
const flowers = { data: shared("data/flower_photos"), split: shared("data/flower_photos_split.json") };
const cached = { cache: join(folder, "cache") };
const seeds = [1, 2, 3];
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const best = (result: { best: { valAccuracy: number } }): number => result.best.valAccuracy;

describe.skipIf(!hasShared)("on the flower photographs at 96 pixels", () => {
  const head = (seed: number) => join(folder, `head-${seed}`);
  const frozen = { ...flowers, ...cached, weights, size: 96, resize: "tf" };

  it("fine-tuning from block_14 on beats the frozen head by at least 0.02", () => {
    const before = seeds.map((seed) => best(tepal("train", { ...frozen, seed, out: head(seed) })));
    const after = seeds.map((seed) =>
      best(
        tepal("train", {
          ...flowers,
          ...cached,
          model: head(seed),
          trainable: "block_14",
          lr: 1e-4,
          epochs: 8,
          seed,
          out: join(folder, `tuned-${seed}`),
        }),
      ),
    );
    console.log(`frozen ${before} (Keras 0.833), fine-tuned ${after} (Keras 0.867)`);
    expect(mean(after) - mean(before)).toBeGreaterThanOrEqual(0.02);
  });

  it("the notebook's preprocessing costs what it costs in Keras", () => {
    const [seed] = seeds;
    const result = best(tepal("train", { ...frozen, preprocessing: "notebook", seed, out: join(folder, "notebook") }));
    console.log(`notebook's preprocessing: ${result} (Keras about 0.47)`);
    expect(Math.abs(result - 0.47)).toBeLessThanOrEqual(0.06);
  });
});

describe.skipIf(!hasShared)("on the CIFAR-10 archive", () => {
  const cifar = { data: "cifar10", root: shared("data"), seed: 1 };
  const accuracy = (out: string): number =>
    tepal("evaluate", { model: out, data: "cifar10", root: shared("data"), part: "test" }).accuracy;

  it("smallCnn from scratch reaches 0.60 on the test images in 20 epochs", () => {
    const policy = join(folder, "shift.json");
    const layers = [
      { type: "flip", vertical: false },
      { type: "translation", height: 0.125, width: 0.125 },
    ];
    writeFileSync(policy, JSON.stringify({ name: "flips and shifts", layers }));
    const out = join(folder, "cifar-small");
    const network = { network: "smallCnn", stem: "cifar", channels: "32,64,128,192", policy };
    tepal("train", { ...cifar, ...network, epochs: 20, batch: 64, lr: 0.01, schedule: "cosine", out });
    const reached = accuracy(out);
    console.log(`smallCnn: ${reached} (Keras 0.61 to 0.63 with 95,000 parameters)`);
    expect(reached).toBeGreaterThanOrEqual(0.6);
  });
});
