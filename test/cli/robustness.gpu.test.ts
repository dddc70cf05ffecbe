import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { integersFrom, namesFrom } from "../../src/cli/lists.ts";
import { corruptionSheet, writeRobustness } from "../../src/cli/robustness/files.ts";
import { measureRobustness } from "../../src/cli/robustness/measure.ts";
import { Corrupter } from "../../src/data/corruptions/corrupter.ts";
import { Corruption } from "../../src/data/corruptions/corruption.ts";
import type { LabelledImages } from "../../src/data/datasets.ts";
import type { Device } from "../../src/engine/device.ts";
import { DataError, UsageError } from "../../src/engine/errors.ts";
import { uniform } from "../../src/engine/random.ts";
import { type Classifier, createClassifier, weightShapesOf } from "../../src/nn/classifier.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { argmaxOfRow } from "../../src/nn/metrics.ts";
import type { RobustnessResult } from "../../src/report/robustness.ts";
import { testDevice } from "../device.ts";

const size = 32;
const perImage = size * size * 3;
const count = 35;
const classNames = ["a", "b", "c"];

let device: Device;
let models: { name: string; classifier: Classifier }[];
let images: LabelledImages;
let result: RobustnessResult;
const options = { corruptions: ["gaussianNoise", "contrast", "jpeg"], severities: [1, 5], seed: 4 };

function classifier(seed: number, edge = size): Classifier {
  const architecture = { name: "smallCnn", inputSize: [edge, edge], classes: 3, channels: [8, 16] } as const;
  const values = initialise(weightShapesOf(architecture), seed);
  const tensors = new Map(
    [...weightShapesOf(architecture)].map(([name, shape]) => [name, { shape: [...shape], data: values.get(name)! }]),
  );
  const preprocessing = { name: "x/127.5 - 1", scale: 1 / 127.5, offset: -1, resize: "tf" } as const;
  return createClassifier(device, { architecture, preprocessing, classNames, tensors });
}

beforeAll(async () => {
  device = await testDevice();
  models = [1, 2].map((seed) => ({ name: `seed ${seed}`, classifier: classifier(seed) }));
  const pixels = Uint8Array.from({ length: count * perImage }, (_, at) => 255 * uniform(3, 0, Math.floor(at / 9)));
  // What the first model answers is taken for the truth, so that it is right on clean images.
  const { logits } = await models[0].classifier.predict(pixels);
  images = {
    classNames,
    names: Array.from({ length: count }, (_, index) => `${index}`),
    labels: Int32Array.from({ length: count }, (_, row) => argmaxOfRow(logits, row, 3)),
    ids: Array.from({ length: count }, (_, index) => 50 + index),
    height: size,
    width: size,
    pixels,
  };
  result = await measureRobustness(device, models, images, options);
});

describe("measuring", () => {
  it("counts what the model answers on the corrupted bytes, in batches or one by one", async () => {
    const [model] = result.models;
    expect(model.cleanAccuracy).toBe(1);
    const corruption = new Corruption({ name: "gaussianNoise", severity: 5, height: size, width: size });
    using corrupter = await Corrupter.create(device, corruption);
    let right = 0;
    for (let index = 0; index < count; index++) {
      const pixels = images.pixels.slice(index * perImage, (index + 1) * perImage);
      const bytes = await corrupter.run(pixels, [{ seed: 4, id: 50 + index }]);
      const { logits } = await models[0].classifier.predict(bytes);
      if (argmaxOfRow(logits, 0, 3) === images.labels[index]) right++;
    }
    expect(model.families[0]).toMatchObject({ name: "gaussianNoise", group: "noise" });
    expect(model.families[0].accuracies[1]).toBeCloseTo(right / count, 12);
    expect(model.meanAccuracy).toBeLessThan(1);
  });

  it("makes the first model the baseline of the others' errors", () => {
    const [first, second] = result.models;
    expect(first.mce).toBe(1);
    expect(first.mceInterval).toBeNull();
    expect(second.mce).not.toBe(1);
    expect(second.mceInterval?.low).toBeLessThanOrEqual(second.mce as number);
    expect(second.mceInterval?.high).toBeGreaterThanOrEqual(second.mce as number);
  });

  it("gives the same figures again, and others for another seed", async () => {
    expect(await measureRobustness(device, models, images, options)).toEqual(result);
    const noise = { corruptions: ["gaussianNoise"], severities: [1, 2, 3, 4, 5] };
    const [one, other] = await Promise.all(
      [1, 2].map((seed) => measureRobustness(device, models, images, { ...noise, seed })),
    );
    expect(one.models.map(({ families }) => families)).not.toEqual(other.models.map(({ families }) => families));
  });

  it("refuses models of other sizes, unknown corruptions and empty sets", async () => {
    const larger = [{ name: "larger", classifier: classifier(1, 40) }];
    await expect(measureRobustness(device, larger, images, options)).rejects.toThrow(UsageError);
    await expect(measureRobustness(device, models, images, { ...options, corruptions: ["rain"] })).rejects.toThrow(
      DataError,
    );
    const none = { ...images, labels: new Int32Array(0) };
    await expect(measureRobustness(device, models, none, options)).rejects.toThrow(DataError);
  });
});

describe("files", () => {
  it("writes the figures, the page with its charts, and pictures", async () => {
    const folder = mkdtempSync(join(tmpdir(), "robustness-"));
    const example = { height: size, width: size, data: images.pixels.slice(0, perImage) as Uint8Array };
    const sheet = await corruptionSheet(device, example, options.corruptions, options.severities);
    const files = writeRobustness(folder, result, sheet);
    for (const path of Object.values(files)) expect(existsSync(path), path).toBe(true);
    expect(JSON.parse(readFileSync(files["robustness.json"], "utf8"))).toEqual(result);
    const lines = readFileSync(files["robustness.csv"], "utf8").trim().split("\n");
    expect(lines).toHaveLength(1 + 2 * (1 + 3 * 2));
    expect(lines[1]).toBe("seed 1,clean,0,1");
    const page = readFileSync(files["robustness.html"], "utf8");
    for (const word of ["gaussianNoise", "mCE", "seed 2", "<svg", "data:image/png;base64"])
      expect(page).toContain(word);
    const svg = readFileSync(files["family-curves.svg"], "utf8");
    expect(svg).toContain("<svg ");
    expect(svg).not.toContain("var(--");
  });
});

describe("lists of options", () => {
  it("are read in order, numbers ascending", () => {
    expect(namesFrom("--x", "fog, jpeg", ["jpeg", "fog"])).toEqual(["fog", "jpeg"]);
    expect(integersFrom("--x", "5,1", { min: 1, max: 5 })).toEqual([1, 5]);
  });

  it("tell what they do not know", () => {
    expect(() => namesFrom("--corruptions", "fogg", ["jpeg", "fog"])).toThrow(/did you mean fog/);
    expect(() => namesFrom("--corruptions", "fog,fog", ["fog"])).toThrow(UsageError);
    expect(() => integersFrom("--severities", "0,1", { min: 1, max: 5 })).toThrow(/from 1 to 5/);
  });
});
