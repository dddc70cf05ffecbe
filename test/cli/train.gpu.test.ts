import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodePng } from "../../src/data/png.node.ts";
import { uniform } from "../../src/engine/random.ts";
import { weightShapesOf } from "../../src/nn/classifier.ts";
import { KERAS_MOBILENET_V2_PREPROCESSING } from "../../src/nn/formats/inspect.ts";
import { serializeSafetensors, type TensorToStore } from "../../src/nn/formats/safetensors.ts";
import { initialise } from "../../src/nn/initialise.ts";

const program = fileURLToPath(new URL("../../bin/tepal.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tepal-train-"));
const data = join(folder, "data");
const weights = join(folder, "weights.safetensors");
const classNames = ["blue", "green", "red"];
const perClass = 8;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function tepal(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8" });
  return { code: status, stdout, stderr };
}

/** A noisy picture in which one channel is bright. */
function picture(channel: number, seed: number): Uint8Array {
  const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, (_, at) => {
    const bright = at % 3 === channel ? 150 : 20;
    return bright + 100 * uniform(seed, channel, at);
  });
  return encodePng({ width: 32, height: 32, data: pixels });
}

function writePictures(to: string, names: readonly string[]): void {
  for (const [label, name] of names.entries()) {
    mkdirSync(join(to, name), { recursive: true });
    for (let index = 0; index < perClass; index++)
      writeFileSync(join(to, name, `${index}.png`), picture((label + 2) % 3, index));
  }
}

/** Weights of the narrowest MobileNetV2 from a seed, with one value replaced where `plant` says. */
function writeWeights(path: string, plant?: { readonly name: string; readonly value: number }): void {
  const architecture = {
    name: "mobilenetV2",
    width: 0.35,
    inputSize: [32, 32],
    classes: null,
    head: "gap-dense",
  } as const;
  const shapes = weightShapesOf(architecture);
  const tensors: Record<string, TensorToStore> = {};
  for (const [name, values] of initialise(shapes, 3)) {
    if (name === plant?.name) values[0] = plant.value;
    tensors[name] = { dtype: "F32", shape: [...shapes.get(name)!], data: values };
  }
  writeFileSync(
    path,
    serializeSafetensors(tensors, { preprocessing: JSON.stringify(KERAS_MOBILENET_V2_PREPROCESSING) }),
  );
}

const train = (out: string, ...more: string[]) =>
  tepal(
    "train",
    "--data",
    data,
    "--weights",
    weights,
    "--size",
    "32",
    "--epochs",
    "8",
    "--batch",
    "5",
    "--lr",
    "0.02",
    "--seed",
    "4",
    "--out",
    join(folder, out),
    "--json",
    ...more,
  );

beforeAll(() => {
  writePictures(data, classNames);
  writeWeights(weights);
});

describe("train and evaluate", () => {
  it("train a head, save the model, and measure what was reported", () => {
    const { code, stdout, stderr } = train("model");
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    const result = JSON.parse(stdout);
    expect(Object.keys(result)).toEqual(
      expect.arrayContaining(["history", "best", "model", "images", "broken", "adapter"]),
    );
    expect(result.images).toEqual({ train: 18, validation: 6 });
    expect(result.broken).toEqual([]);
    expect(result.history.map(({ epoch }: { epoch: number }) => epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(Object.keys(result.history[0])).toEqual([
      "epoch",
      "loss",
      "accuracy",
      "valLoss",
      "valAccuracy",
      "learningRate",
    ]);
    expect(result.best.valAccuracy).toBeGreaterThanOrEqual(5 / 6);
    expect(stderr).toContain("images/s");

    const model = join(folder, "model");
    expect(JSON.parse(readFileSync(join(model, "history.json"), "utf8"))).toEqual({
      history: result.history,
      best: result.best,
    });
    expect(readFileSync(join(model, "history.csv"), "utf8").split("\n").length).toBe(8 + 2);

    const evaluated = tepal("evaluate", "--model", model, "--data", data, "--part", "validation", "--json");
    expect([evaluated.code, evaluated.code === 0 ? "" : evaluated.stderr]).toEqual([0, ""]);
    const {
      accuracy,
      loss,
      confusion,
      classNames: names,
      count,
      perClass: scores,
      broken,
    } = JSON.parse(evaluated.stdout);
    expect([names, count, broken]).toEqual([classNames, 6, []]);
    expect(accuracy).toBe(result.best.valAccuracy);
    expect(Math.abs(loss - result.best.valLoss)).toBeLessThan(1e-5);
    expect(confusion.flat().reduce((sum: number, value: number) => sum + value, 0)).toBe(6);
    expect(scores.map(({ name, support }: { name: string; support: number }) => [name, support])).toEqual(
      classNames.map((name) => [name, 2]),
    );
  });

  it("give the same bits when they are repeated, and name broken photographs", () => {
    const broken = join(data, "red", "zzz.png");
    // One of 25 is within the 5 % of the data set that are skipped.
    writeFileSync(broken, "this is not a picture");
    try {
      const runs = ["first", "second"].map((out) => {
        const { code, stdout, stderr } = train(out);
        expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
        const { history, ...rest } = JSON.parse(stdout);
        expect(rest.broken.map(({ path }: { path: string }) => path)).toEqual(["red/zzz.png"]);
        expect(stderr).toContain("red/zzz.png");
        return { history, weights: readFileSync(join(folder, out, "model.safetensors")) };
      });
      expect(runs[1]).toEqual(runs[0]);
    } finally {
      rmSync(broken);
    }
  });

  it("stop at a NaN with its own exit code, naming where it came from", () => {
    const path = join(folder, "poisoned.safetensors");
    writeWeights(path, { name: "block_3_project/kernel", value: Number.NaN });
    const out = join(folder, "poisoned");
    const { code, stdout, stderr } = tepal(
      "train",
      "--data",
      data,
      "--weights",
      path,
      "--size",
      "32",
      "--out",
      out,
      "--json",
    );
    expect(code).toBe(11);
    expect(JSON.parse(stdout).error).toMatchObject({ name: "NonFiniteError", exitCode: 11 });
    expect(stderr.trim().split("\n").pop()).toMatch(/parameter block_3_project\/kernel/);
  });
});

describe("what train and evaluate refuse", () => {
  const refused = (code: number, pattern: RegExp, run: { code: number | null; stderr: string }) => {
    expect([run.code, run.stderr.trim().split("\n").pop()]).toEqual([code, expect.stringMatching(pattern)]);
  };

  it("both ways to choose the validation photographs", () => {
    const split = join(folder, "split.json");
    writeFileSync(split, JSON.stringify({ classes: classNames, train: ["red/0.png"], validation: [] }));
    refused(2, /--val and --split/, train("x", "--val", data, "--split", split));
    refused(5, /validation/, train("x", "--split", split));
  });

  it("classes that are not the model's", () => {
    const other = join(folder, "other");
    writePictures(other, ["blue", "red", "yellow"]);
    refused(5, /no green, and also yellow/, train("x", "--val", other));
  });

  it("a place that cannot be written, before any work", () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    refused(3, /--out/, train("file"));
  });

  it("a learning rate that would teach nothing", () => {
    const lines = tepal("train", "--data", data, "--weights", weights, "--lr", "0", "--out", join(folder, "x"));
    refused(2, /--lr/, lines);
  });

  it("weights of another network", () => {
    const path = join(folder, "other.safetensors");
    writeFileSync(path, serializeSafetensors({ a: { dtype: "F32", shape: [1], data: new Float32Array(1) } }));
    refused(4, /MobileNetV2/, tepal("train", "--data", data, "--weights", path, "--out", join(folder, "x")));
  });
});
