import { expect, it } from "vitest";
import { drawPetals } from "../../src/cli/practical/material.ts";
import { trainSmallCnn } from "../../src/cli/practical/training.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import { petalImages } from "../../src/cli/xaiBench/material.ts";
import { playPointing, pointAtCentre } from "../../src/cli/xaiBench/pointing.ts";
import { checkRandomLabels, trainLabelPair } from "../../src/cli/xaiBench/randomLabels.ts";
import { lossAndAccuracy } from "../../src/nn/metrics.ts";
import { predictAll } from "../../src/nn/prediction.ts";
import { edgeControl } from "../../src/xai/evidence/edgeControl.ts";
import { methodNamed } from "../../src/xai/methods.ts";
import { testDevice } from "../device.ts";

const terminal = new Terminal(process.stderr);
/** How `xai-bench` trains, and longer: a minute or two of an idle processor. */
const settings = { epochs: 12, seed: 1, batch: 16, learningRate: 1e-2, policy: null, stem: "cifar" } as const;

it("Grad-CAM of a good network points at the flowers of petals", async () => {
  const material = drawPetals(settings.seed, terminal);
  const { classifier } = await trainSmallCnn(await testDevice(), material, settings, terminal);
  const { test, testMasks, classNames } = material;
  const { accuracy } = lossAndAccuracy(await predictAll(classifier, test), test.labels, classNames.length);
  const images = await petalImages(classifier, { ...test, masks: testMasks }, test.count);
  const row = await playPointing(classifier, methodNamed("gradcam"), {}, images, terminal);
  const centre = pointAtCentre(images, classifier.inputSize);
  console.info(`accuracy ${accuracy}`, JSON.stringify([row, centre]));
  expect(row.images).toBe(400);
  expect(accuracy).toBeGreaterThanOrEqual(0.95);
  expect(row.hits).toBeGreaterThanOrEqual(0.95);
  expect(row.narrow).toBeGreaterThanOrEqual(0.95);
  // Flowers stand at the centre, so pointing there hits as well: what a map knows shows in where the rest of it lies.
  expect(row.inside).toBeGreaterThanOrEqual(0.85);
  expect(row.relevanceMass).toBeGreaterThan((centre.relevanceMass as number) + 0.05);
  await classifier.dispose();
});

it("the random label test passes gradient methods and flags the picture's edges", async () => {
  const count = 10;
  const pair = await trainLabelPair(await testDevice(), { ...settings, epochs: 6 }, count, terminal);
  console.info(JSON.stringify(pair.known));
  expect(pair.known.random).toBeGreaterThanOrEqual(0.95);
  for (const name of ["gradcam", "saliency", "input-x-gradient", "ig"]) {
    const check = await checkRandomLabels(pair, methodNamed(name), {}, count);
    console.info(JSON.stringify(check));
    expect(check).toMatchObject({ method: name, passed: true });
  }
  expect(await checkRandomLabels(pair, edgeControl, {}, count)).toMatchObject({ remaining: 1, passed: false });
  await pair.trained.dispose();
  await pair.random.dispose();
});
