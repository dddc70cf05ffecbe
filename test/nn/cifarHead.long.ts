/** A head on frozen ImageNet features of the CIFAR-10 archive, up-sampled, against Keras with the same settings. */
import { describe, expect, it } from "vitest";
import { openPart } from "../../src/cli/dataset.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import { openDataset } from "../../src/data/loaders.node.ts";
import type { PartName } from "../../src/data/loaders.ts";
import { computeFeatures, featureChannels } from "../../src/nn/features.ts";
import { trainHead } from "../../src/nn/headTraining.ts";
import { testDevice } from "../device.ts";
import { hasShared, shared } from "../shared.ts";
import { imagenetBackbone } from "./imagenetBackbone.ts";

/** Accuracy on the 2,000 test images: Adam 1e-3, batches of 32, ten epochs over all 12,000 training images. */
const keras = 0.67;
const tolerance = 0.01;
/**
 * Above Keras' figure is no failure, but what only a leak of the test images could give is one. A training of the same rule in
 * NumPy on these features, ten seeds, ends at 0.687 ± 0.005, its best epoch at 0.691 ± 0.005.
 */
const leak = 0.72;
const seeds = [1, 2, 3];
const size = 96;

const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const shown = (values: readonly number[]): string => values.map((value) => value.toFixed(4)).join(" ");

describe.skipIf(!hasShared)("a head on frozen features of CIFAR-10 at 96 pixels", () => {
  it("ends not below Keras' 0.67 by more than 0.01", async () => {
    const device = await testDevice();
    const backbone = await imagenetBackbone(size);
    const dataset = await openDataset("cifar10", { root: shared("data"), seed: 0 });
    const featuresOf = async (name: PartName) => {
      const options = { inputSize: [size, size], resize: "tf", strict: true, cacheLimit: 1, memory: 1024 } as const;
      const part = { dataset, indices: dataset.parts?.[name] ?? [] };
      const { images } = await openPart(part, options, new Terminal({ write: () => true }), name);
      const features = await computeFeatures(backbone, images);
      await images.close();
      return { features, labels: images.labels };
    };
    const [train, test] = [await featuresOf("train"), await featuresOf("test")];
    expect([train.labels.length, test.labels.length]).toEqual([12_000, 2_000]);
    const data = { channels: featureChannels(backbone), classes: 10, train, validation: test };
    const runs: number[][] = [];
    for (const seed of seeds) {
      const { history } = await trainHead(device, data, { seed });
      runs.push(history.map(({ valAccuracy }) => valAccuracy));
      console.log(`seed ${seed}, test accuracy by epoch: ${shown(runs[runs.length - 1])}`);
    }
    const last = meanOf(runs.map((run) => run[run.length - 1]));
    const best = meanOf(runs.map((run) => Math.max(...run)));
    console.log(`last epoch ${last.toFixed(4)}, best ${best.toFixed(4)}; Keras ${keras}`);
    expect(last).toBeGreaterThanOrEqual(keras - tolerance);
    expect(best).toBeLessThan(leak);
    await backbone.dispose();
  });
});
