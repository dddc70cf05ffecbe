import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { CommandContext } from "../../src/cli/command.ts";
import { command } from "../../src/cli/commands/compare.ts";
import { comparedPolicy, ownCorruptions } from "../../src/cli/compare/policies.ts";
import type { Run } from "../../src/cli/compare/runs.ts";
import { chooseByValidation, TestSet } from "../../src/cli/compare/testing.ts";
import { parseArguments } from "../../src/cli/options.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import { PolicyBuilder } from "../../src/data/augment/policy.ts";
import { encodePng } from "../../src/data/png.node.ts";
import { DataError, GraphError, UsageError } from "../../src/engine/errors.ts";
import { uniform } from "../../src/engine/random.ts";
import { weightShapesOf } from "../../src/nn/classifier.ts";
import { loadModel } from "../../src/nn/formats/files.node.ts";
import { KERAS_MOBILENET_V2_PREPROCESSING } from "../../src/nn/formats/inspect.ts";
import { serializeSafetensors } from "../../src/nn/formats/safetensors.ts";
import { initialise } from "../../src/nn/initialise.ts";
import type { ComparisonResult } from "../../src/report/comparison.ts";

const folder = mkdtempSync(join(tmpdir(), "compare-"));
const size = 32;
const perClass = 12;

/** Images that a mean colour tells apart, with noise; some are drawn as the other class, so that accuracy is not 1. */
function writeImages(): string {
  const data = join(folder, "data");
  const lines: string[] = [];
  for (const [label, name] of ["warm", "cold"].entries())
    for (let index = 0; index < perClass; index++) {
      const shown = index % 5 === 4 ? 1 - label : label;
      const pixels = Uint8Array.from({ length: size * size * 3 }, (_, at) => {
        const channel = at % 3;
        return (channel === 2 * shown ? 170 : 60) + 80 * uniform(label, index, at);
      });
      const path = `${name}-${index}.png`;
      writeFileSync(join(folder, path), encodePng({ width: size, height: size, data: pixels }));
      lines.push(`${path},${name},${["train", "train", "validation", "test"][index % 4]}`);
    }
  writeFileSync(`${data}.csv`, `path,label,split\n${lines.join("\n")}\n`);
  return `${data}.csv`;
}

const said: string[] = [];
const context: CommandContext = {
  json: true,
  version: "0",
  terminal: new Terminal({
    write: (text: string) => {
      said.push(text);
      return true;
    },
  } as never),
  print: () => {},
  setExitCode: () => {},
};

const compare = (...words: string[]) =>
  command.run(parseArguments(words, command.options, command.positionals) as never, context) as Promise<
    ComparisonResult & { files: Record<string, string> }
  >;

let data: string;
let words: string[];
let result: Awaited<ReturnType<typeof compare>>;
const out = join(folder, "out");

beforeAll(async () => {
  data = writeImages();
  words = [
    "--data",
    data,
    "--network",
    "smallCnn",
    "--policies",
    "none,mixup",
    "--epochs",
    "2",
    "--batch",
    "4",
    "--out",
    out,
  ];
  words.push("--corruptions", "gaussianNoise,pixelate", "--severities", "5", "--size", "32");
  result = await compare(...words);
}, 240_000);

describe("tepal compare", () => {
  it("trains each policy with three seeds and tests each model once", () => {
    expect(result.seeds).toEqual([1, 2, 3]);
    expect(result.test).toEqual({ count: 6, uses: 1 });
    const [baseline, mixup] = result.policies;
    expect([baseline.name, mixup.name]).toEqual(["none", "mixup"]);
    for (const { runs, curves, accuracy, valAccuracy } of result.policies) {
      expect(curves.map((curve) => curve.length)).toEqual([2, 2, 2]);
      expect(accuracy.mean).toBeCloseTo(runs.reduce((sum, run) => sum + run.testAccuracy, 0) / 3, 12);
      expect(valAccuracy).toBeCloseTo(runs.reduce((sum, run) => sum + run.valAccuracy, 0) / 3, 12);
    }
    expect(baseline.difference).toBeNull();
    expect(mixup.difference?.mean).toBeCloseTo(mixup.accuracy.mean - baseline.accuracy.mean, 12);
    expect(mixup.runs.every((run) => run.mcNemar !== null && run.mcNemar.p <= 1)).toBe(true);
    expect(new Set(baseline.runs.map((run) => run.testLoss)).size).toBe(3);
  });

  it("measures robustness relative to the baseline", () => {
    expect(result.robustness?.models[0]).toMatchObject({ name: "none", mce: 1 });
    expect(result.robustness?.models[1].families.map(({ name }) => name)).toEqual(["gaussianNoise", "pixelate"]);
    const [, mixup] = result.policies;
    expect(mixup.foreignMce).toBe(result.robustness?.models[1].mce);
    expect(mixup.foreignInterval).toEqual(result.robustness?.models[1].mceInterval);
    // Six images: the mean over them lies inside, whatever the three seeds say one by one.
    expect(mixup.foreignInterval?.low).toBeLessThanOrEqual(mixup.foreignMce as number);
    expect(mixup.runs.every((run) => run.foreignMce !== null)).toBe(true);
    const page = readFileSync(result.files["compare.html"], "utf8");
    for (const word of ["mixup", "McNemar", "foreign mCE", "<svg"]) expect(page).toContain(word);
  });

  it("keeps finished runs and their bytes, repeats none, and comes to the same figures", async () => {
    const runFile = join(out, "runs/mixup-2/run.json");
    const modelTime = () => statSync(join(out, "runs/none-1/model/model.safetensors")).mtimeMs;
    const before = modelTime();
    // As if the program had been stopped before the last run and the test.
    rmSync(join(out, "compare.json"));
    const kept = readFileSync(runFile, "utf8");
    rmSync(join(out, "runs/mixup-2"), { recursive: true });
    said.length = 0;
    const again = await compare(...words);
    expect({ ...again, adapter: "" }).toEqual({ ...result, adapter: "" });
    expect(modelTime()).toBe(before);
    expect(said.join("")).toContain("policy none, seed 1: finished before");
    const timeless = (text: string) => text.replace(/"seconds": [\d.e-]+/g, "");
    expect(timeless(readFileSync(runFile, "utf8"))).toBe(timeless(kept));
  }, 240_000);

  it("does not look at the test images again, and refuses other settings in the same folder", async () => {
    said.length = 0;
    const again = await compare(...words);
    expect(said.join("")).toContain("its test is not repeated");
    expect(said.join("")).not.toContain("reading");
    expect(again.policies).toEqual(result.policies);
    await expect(compare(...words, "--lr", "0.5")).rejects.toThrow(DataError);
  });

  it("fine-tunes a backbone from a layer on and leaves what lies before as it was", async () => {
    const weights = join(folder, "weights.safetensors");
    const architecture = {
      name: "mobilenetV2",
      width: 0.35,
      inputSize: [32, 32],
      classes: null,
      head: "gap-dense",
    } as const;
    const shapes = weightShapesOf(architecture);
    const first = initialise(shapes, 3);
    const entries = [...first].map(([name, values]) => {
      return [
        name,
        { dtype: "F32" as const, shape: [...(shapes.get(name) as readonly number[])], data: values },
      ] as const;
    });
    const preprocessing = JSON.stringify(KERAS_MOBILENET_V2_PREPROCESSING);
    writeFileSync(weights, serializeSafetensors(Object.fromEntries(entries), { preprocessing }));
    const place = join(folder, "tuned");
    const common = [
      "--data",
      data,
      "--weights",
      weights,
      "--size",
      "32",
      "--epochs",
      "1",
      "--batch",
      "4",
      "--out",
      place,
    ];
    const tuned = await compare(...common, "--policies", "none,mixup", "--trainable", "block_16", "--lr", "0.01");
    expect(tuned.settings).toMatchObject({ trainedFrom: "block_16", normalisation: "frozen", learningRate: 0.01 });
    const { tensors } = await loadModel(join(place, "runs/mixup-2/model"));
    const changed = [...first.keys()].filter((name) => {
      const values = first.get(name) as Float32Array;
      return !tensors.get(name)?.data.every((value, at) => value === values[at]);
    });
    expect(changed).toContain("block_16_expand/kernel");
    expect(changed.filter((name) => !/^(block_16_|Conv_1)/.test(name))).toEqual([]);
  }, 240_000);

  it("refuses too few seeds, odd batches, unknown and repeated policies", async () => {
    const base = ["--data", data, "--network", "smallCnn", "--out", join(folder, "other")];
    expect(() => parseArguments([...base, "--seeds", "2"], command.options, [])).toThrow(UsageError);
    await expect(compare(...base, "--batch", "3")).rejects.toThrow(UsageError);
    await expect(compare(...base, "--policies", "none,nothing")).rejects.toThrow(UsageError);
    await expect(compare(...base, "--policies", "none,none")).rejects.toThrow(UsageError);
  });
});

describe("parts", () => {
  it("the test set opens once", async () => {
    const images = { labels: new Int32Array(1) };
    const set = new TestSet(async () => images as never);
    expect(await set.open()).toBe(images);
    expect(() => set.open()).toThrow(GraphError);
  });

  it("the choice follows the mean validation accuracy, the earlier of equals", () => {
    const run = (policy: string, seed: number, valAccuracy: number) =>
      ({ policy, seed, best: { epoch: 1, valAccuracy, valLoss: 1 } }) as Run;
    const compared = ["none", "basic", "mixup"].map((name) => ({ name, policy: null }));
    const runs = [run("none", 1, 0.5), run("none", 2, 0.9), run("basic", 1, 0.75), run("basic", 2, 0.75)];
    expect(chooseByValidation(compared, [...runs, run("mixup", 1, 1), run("mixup", 2, 0.25)])).toBe("basic");
    expect(chooseByValidation(compared, [...runs, run("mixup", 1, 1), run("mixup", 2, 0.5)])).toBe("basic");
  });

  it("a policy's own operations are those corruptions that it trains on", () => {
    expect(ownCorruptions(comparedPolicy("advanced"))).toEqual(["brightness", "contrast", "saturate"]);
    expect(ownCorruptions(comparedPolicy("mixup"))).toEqual([]);
    expect(ownCorruptions(comparedPolicy("cutmix"))).toEqual(["spatter"]);
    expect(ownCorruptions(comparedPolicy("none"))).toEqual([]);
  });

  it("relatives of an operation are the policy's own too, and sharpening only where it smooths", () => {
    const own = (type: string, settings = {}) => ownCorruptions(new PolicyBuilder("one").add(type, settings).build());
    expect(own("noise")).toEqual(["gaussianNoise", "shotNoise", "impulseNoise"]);
    expect(own("blur")).toEqual(["defocusBlur", "motionBlur", "zoomBlur"]);
    expect(own("sharpen", { amount: [0, 2] })).toEqual([]);
    expect(own("sharpen", { amount: [-0.5, 2] })).toEqual(own("blur"));
    expect(own("equalise")).toEqual(["contrast"]);
    expect(own("augMix")).toEqual(["brightness", "contrast", "saturate"]);
  });

  it("--trainable and --batch-norm need a backbone, and a backbone is no other network", async () => {
    const base = ["--data", data, "--network", "smallCnn", "--out", join(folder, "other")];
    await expect(compare(...base, "--weights", "embedded")).rejects.toThrow(UsageError);
    await expect(compare(...base, "--trainable", "all")).rejects.toThrow(UsageError);
    await expect(compare(...base, "--batch-norm", "batch")).rejects.toThrow(UsageError);
  });
});
