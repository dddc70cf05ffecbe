import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drawPetals } from "../../src/cli/practical/material.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import { DriftStudy } from "../../src/cli/xaiBench/drift.ts";
import { type BenchImage, drawTestPetals, petalImages } from "../../src/cli/xaiBench/material.ts";
import { playPointing, pointAtCentre } from "../../src/cli/xaiBench/pointing.ts";
import { checkRandomLabels, permuteLabels } from "../../src/cli/xaiBench/randomLabels.ts";
import { fineMaps, judgeShortcut } from "../../src/cli/xaiBench/shortcuts.ts";
import { corruptionNames } from "../../src/data/corruptions/corruption.ts";
import { shortcutKinds } from "../../src/data/petals-shortcut.ts";
import { type Classifier, createClassifier, weightShapesOf } from "../../src/nn/classifier.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { edgeControl } from "../../src/xai/evidence/edgeControl.ts";
import { locationEvidence } from "../../src/xai/evidence/location.ts";
import type { Explainer } from "../../src/xai/explanation.ts";
import { methodNamed } from "../../src/xai/methods.ts";
import { testDevice } from "../device.ts";

const size = 32;
const quiet = new Terminal({ write: () => true });

async function smallClassifier(seed: number, channels = [6, 8]): Promise<Classifier> {
  const architecture = { name: "smallCnn", inputSize: [size, size], classes: 10, channels } as const;
  const shapes = weightShapesOf(architecture);
  const values = initialise(shapes, seed);
  return createClassifier(await testDevice(), {
    architecture,
    preprocessing: { name: "x/127.5 - 1", scale: 1 / 127.5, offset: -1, resize: "tf" },
    classNames: null,
    tensors: new Map([...shapes].map(([name, shape]) => [name, { shape: [...shape], data: values.get(name)! }])),
  });
}

/** A method whose map is the picture itself. */
const greyValues: Explainer = {
  async explain(pixels, targets) {
    return targets.map((target, index) => {
      const at = (place: number): number => pixels[index * size * size * 3 + place];
      const values = Float32Array.from({ length: size * size }, (_, p) => at(3 * p) + at(3 * p + 1) + at(3 * p + 2));
      const heatmap = { height: size, width: size, values, signed: false };
      return { method: "grey", target, heatmap, status: "ok", cost: { forwards: 0, gradients: 0 }, details: {} };
    });
  },
  dispose() {},
  [Symbol.dispose]() {},
};

let classifier: Classifier;
let images: BenchImage[];
beforeAll(async () => {
  classifier = await smallClassifier(1);
  images = await petalImages(classifier, drawTestPetals(3, [size, size], 4), 4);
});
afterAll(() => classifier.dispose());

describe("what xai-bench measures beside the ranking", () => {
  it("follows maps through every augmentation and corruption, and brings them back", async () => {
    // A map of the grey values moves with the picture: brought back it is what it was, but for the resampling.
    const study = await DriftStudy.create(classifier, greyValues, images, 1);
    const rows = await study.run(quiet, [5]);
    const augmentations = ["flip", "rotation", "zoom", "translation", "brightness", "contrast"];
    expect(rows.map(({ name }) => name)).toEqual([...augmentations, ...corruptionNames]);
    const row = (wanted: string) => rows.find(({ name }) => name === wanted)!;
    expect(row("flip").rankCorrelation).toBeCloseTo(1, 6);
    for (const name of ["rotation", "zoom", "translation"]) {
      expect(row(name).rankCorrelation, name).toBeGreaterThan(0.85);
      expect(row(name).centreShift, name).toBeLessThan(0.02);
    }
    expect(row("gaussianNoise").rankCorrelation).toBeLessThan(0.9);
    for (const { accuracy, accuracyDrop, name } of rows) {
      expect(accuracy, name).toBeGreaterThanOrEqual(0);
      expect(accuracy + accuracyDrop, name).toBeCloseTo(rows[0].accuracy + rows[0].accuracyDrop, 12);
    }
  });

  it("plays the pointing game beside a map that always points at the centre", async () => {
    const centre = pointAtCentre(images, [size, size]);
    const middle = (size / 2) * size + size / 2;
    const inside = images.filter(({ mask }) => mask!.values[middle] > 0).length / images.length;
    expect(centre).toMatchObject({ method: "the centre", images: 4, inside });
    const row = await playPointing(classifier, methodNamed("gradcam"), {}, images, quiet);
    using explainer = await methodNamed("gradcam").create(classifier.explainable);
    const hits = [];
    for (const { pixels, predicted, mask } of images) {
      const [{ heatmap }] = await explainer.explain(pixels, [predicted]);
      hits.push(locationEvidence(heatmap, mask!).pointingHit === true);
    }
    expect(row.hits).toBe(hits.filter(Boolean).length / 4);
  });

  for (const kind of shortcutKinds)
    it(`${kind}: tells no network from itself by a shortcut`, async () => {
      const threeStages = await smallClassifier(1, [6, 8, 8]);
      const material = drawPetals(3, quiet, {
        size,
        perClass: { train: 0, validation: 0, test: 1 },
        shortcut: { kind },
      });
      const pair = { kind, cheat: threeStages, honest: threeStages, material, plain: material };
      const finding = await judgeShortcut(pair, methodNamed(fineMaps.method), { layers: fineMaps.layers }, 4);
      expect(finding).toMatchObject({ method: "layercam", auc: 0.5, massAuc: 0.5, exposed: false });
      expect(finding.suspectMass).toBeGreaterThan(0);
      expect(finding.accuracy?.withShortcut).toBe(finding.accuracy?.without);
      await threeStages.dispose();
    });

  it("shuffles labels and keeps how many there are of each", () => {
    const labels = Int32Array.from({ length: 60 }, (_, index) => index % 10);
    const shuffled = permuteLabels(labels, 1);
    expect(shuffled.slice().sort()).toEqual(labels.slice().sort());
    expect(shuffled.filter((label, index) => label === labels[index]).length).toBeLessThan(20);
    expect(permuteLabels(labels, 1)).toEqual(shuffled);
  });

  it("flags maps of the picture's edges by two networks that know different things", async () => {
    const random = await smallClassifier(2);
    const test = drawTestPetals(3, [size, size], 4);
    const pair = { trained: classifier, random, known: { trained: 1, random: 1 }, test };
    const check = (name: string) => checkRandomLabels(pair, name === "edges" ? edgeControl : methodNamed(name), {}, 4);
    expect(await check("edges")).toMatchObject({ method: "edges", remaining: 1, passed: false });
    expect(await check("input-x-gradient")).toMatchObject({ method: "input-x-gradient", passed: true });
    await random.dispose();
  });
});
