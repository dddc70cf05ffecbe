import { describe, expect, it } from "vitest";
import { pixelSource } from "../../src/cli/dataset.ts";
import { listedFiles, loadFiles, readSplitFile } from "../../src/data/folders.node.ts";
import { computeFeatures, featureChannels } from "../../src/nn/features.ts";
import { trainHead } from "../../src/nn/headTraining.ts";
import type { LabelledPixelSource } from "../../src/nn/pixelSource.ts";
import { testDevice } from "../device.ts";
import { hasShared, shared } from "../shared.ts";
import { imagenetBackbone } from "./imagenetBackbone.ts";

/** Means over three seeds of Keras' best validation accuracy, on the same files with the same settings. */
const keras: readonly (readonly [size: number, accuracy: number])[] = [
  [96, 0.824],
  [224, 0.875],
];
const tolerance = 0.015;
const seeds = [1, 2, 3];

async function photographs(part: "train" | "validation", size: number): Promise<LabelledPixelSource> {
  const folder = shared("data/flower_photos");
  const split = await readSplitFile(shared("data/flower_photos_split.json"), folder);
  const files = listedFiles(split.classes, split[part]);
  const { images } = await loadFiles(folder, files, { height: size, width: size, resize: "tf", strict: true });
  return pixelSource(images);
}

describe.skipIf(!hasShared)("a head on the flower photographs", () => {
  it.each(keras)("reaches at %i pixels the accuracy of Keras, %f", async (size, accuracy) => {
    const device = await testDevice();
    const backbone = await imagenetBackbone(size);
    const featuresOf = async (part: "train" | "validation") => {
      const source = await photographs(part, size);
      return { features: await computeFeatures(backbone, source), labels: source.labels };
    };
    const [train, validation] = [await featuresOf("train"), await featuresOf("validation")];
    const data = { channels: featureChannels(backbone), classes: 5, train, validation };
    const best: number[] = [];
    for (const seed of seeds) best.push((await trainHead(device, data, { seed })).best.valAccuracy);
    const mean = best.reduce((sum, value) => sum + value, 0) / best.length;
    expect(Math.abs(mean - accuracy), `seeds ${seeds}: ${best}`).toBeLessThanOrEqual(tolerance);
    console.log(`${size} px: ${best.map((value) => value.toFixed(4)).join(", ")}; mean ${mean.toFixed(4)}`);
    await backbone.dispose();
  });
});
