import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { builtInPolicies, policyToJson } from "../../src/data/augment/policy.ts";
import { encodePng } from "../../src/data/png.node.ts";
import { uniform } from "../../src/engine/random.ts";
import { weightShapesOf } from "../../src/nn/classifier.ts";
import { KERAS_MOBILENET_V2_PREPROCESSING } from "../../src/nn/formats/inspect.ts";
import { serializeSafetensors } from "../../src/nn/formats/safetensors.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { matOf, tarOf } from "../data/archives.ts";

const program = fileURLToPath(new URL("../../bin/tepal.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tepal-flowers-"));
const flowers = join(folder, "flowers");
const weights = join(folder, "weights.safetensors");
const count = 40;
const labels = Array.from({ length: count }, (_, index) => 1 + (index % 2));
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index + 1);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function tepal(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8" });
  return { code: status, stdout, stderr, last: stderr.trim().split("\n").pop() };
}

/** A noisy picture: bright red or bright blue. */
function picture(label: number, seed: number): Uint8Array {
  const data = Uint8Array.from(
    { length: 32 * 32 * 3 },
    (_, at) => (at % 3 === 2 * (label - 1) ? 150 : 20) + 100 * uniform(seed, label, at),
  );
  return encodePng({ width: 32, height: 32, data });
}

/** Flowers 102's three files: 20 to train, 10 to validate, 10 to test, of which number 40 is broken. */
beforeAll(() => {
  mkdirSync(flowers);
  const entries = labels.map((label, index) => ({
    name: `jpg/image_${String(index + 1).padStart(5, "0")}.jpg`,
    body: index === count - 1 ? Buffer.from("broken") : picture(label, index),
  }));
  writeFileSync(join(flowers, "102flowers.tgz"), gzipSync(tarOf(entries)));
  writeFileSync(
    join(flowers, "imagelabels.mat"),
    matOf([{ name: "labels", type: "uint8", values: labels }], { compressed: true }),
  );
  const parts = [
    ["trnid", numbers(0, 20)],
    ["valid", numbers(20, 30)],
    ["tstid", numbers(10 + 20, count)],
  ] as const;
  writeFileSync(
    join(flowers, "setid.mat"),
    matOf(parts.map(([name, values]) => ({ name, type: "uint16" as const, values }))),
  );
  const architecture = {
    name: "mobilenetV2",
    width: 0.35,
    inputSize: [32, 32],
    classes: null,
    head: "gap-dense",
  } as const;
  const shapes = weightShapesOf(architecture);
  const tensors = Object.fromEntries(
    [...initialise(shapes, 3)].map(([name, data]) => [
      name,
      { dtype: "F32" as const, shape: [...shapes.get(name)!], data },
    ]),
  );
  writeFileSync(
    weights,
    serializeSafetensors(tensors, { preprocessing: JSON.stringify(KERAS_MOBILENET_V2_PREPROCESSING) }),
  );
});

describe("train and evaluate on the publisher's split", () => {
  const model = join(folder, "model");
  const data = ["--data", "flowers102", "--root", flowers];

  it("train on its training part, validate on its validation part, and leave the test part alone", () => {
    const cache = join(folder, "cache");
    const run = () =>
      tepal(
        "train",
        ...data,
        "--weights",
        weights,
        "--size",
        "32",
        "--epochs",
        "10",
        "--batch",
        "5",
        "--lr",
        "0.02",
        "--cache",
        cache,
        "--out",
        model,
        "--json",
      );
    const { code, stdout, stderr } = run();
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    const result = JSON.parse(stdout);
    // The broken image is in the test part, so nobody has seen it.
    expect([result.images, result.broken, result.classNames]).toEqual([
      { train: 20, validation: 10 },
      [],
      ["class 1", "class 2"],
    ]);
    expect(result.best.valAccuracy).toBeGreaterThanOrEqual(0.8);
    const { splits } = JSON.parse(readFileSync(join(model, "model.json"), "utf8"));
    expect([splits.train.length, splits.validation.length, splits.test.length]).toEqual([20, 10, 10]);
    expect(splits.test[0]).toBe("jpg/image_00031.jpg");
    expect(readdirSync(cache).length).toBe(30);
    const weightsOf = () => readFileSync(join(model, "model.safetensors"));
    const first = weightsOf();
    expect(run().code).toBe(0);
    expect(weightsOf()).toEqual(first);
  });

  it("evaluate the validation part by default, and the test part when it is asked for", () => {
    const evaluate = (...args: string[]) => tepal("evaluate", "--model", model, ...data, "--json", ...args);
    expect(JSON.parse(evaluate().stdout)).toMatchObject({ count: 10, broken: [] });
    // One of ten is more than 5 %.
    expect(evaluate("--part", "test")).toMatchObject({ code: 5, last: expect.stringMatching(/image_00040\.jpg/) });
  });

  it("train with a policy on what no memory holds: printed, kept with the model, the same bits again", () => {
    const out = join(folder, "augmented");
    const run = (...more: string[]) => {
      const settings = ["--size", "32", "--epochs", "2", "--batch", "6", "--policy", "advanced", "--out", out];
      return tepal("train", ...data, "--weights", weights, ...settings, "--json", ...more);
    };
    const streamed = run("--memory", "0");
    expect(streamed).toMatchObject({ code: 0, stderr: expect.stringMatching(/policy advanced: flip, rotation/) });
    expect(streamed.stderr).toMatch(/0 of 30 photographs stay in memory.*temporary folder/);
    const { training } = JSON.parse(readFileSync(join(out, "model.json"), "utf8"));
    expect(training.policy).toEqual(policyToJson(builtInPolicies.advanced));
    const weightsOf = () => readFileSync(join(out, "model.safetensors"));
    const first = weightsOf();
    expect(run().code).toBe(0);
    expect(weightsOf()).toEqual(first);
    expect(tepal("evaluate", "--model", out, ...data, "--json").code).toBe(0);
  });

  it("refuse a split file beside the publisher's parts, and a name without its files", () => {
    const split = join(folder, "split.json");
    writeFileSync(split, "{}");
    const common = ["train", "--weights", weights, "--out", join(folder, "x")];
    expect(tepal(...common, ...data, "--split", split)).toMatchObject({
      code: 2,
      last: expect.stringMatching(/--split/),
    });
    expect(tepal(...common, "--data", "flowers102")).toMatchObject({ code: 5, last: expect.stringMatching(/--root/) });
  });
});
