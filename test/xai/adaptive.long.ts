import { readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { readFitted } from "../../src/data/decode.node.ts";
import { relativeL2 } from "../../src/engine/checkOp.ts";
import { createClassifier } from "../../src/nn/classifier.ts";
import { loadWeights } from "../../src/nn/formats/files.node.ts";
import { inspectWeights } from "../../src/nn/formats/inspect.ts";
import { baselinePixels } from "../../src/xai/baselines.ts";
import { IntegratedGradients } from "../../src/xai/integratedGradients.ts";
import { testDevice } from "../device.ts";
import { expectDistance, weightsFile } from "../reference.ts";
import { hasShared, shared } from "../shared.ts";

const folder = shared("data/imagenet_samples");
/** PHOTOGRAPHS=19-24 takes the last six, REFERENCES=20,23 compares two of them with 1,024 steps; all by default. */
const chosen = (name: string, position: number): boolean =>
  (process.env[name] ?? "1-24").split(",").some((range) => {
    const [first, last = first] = range.split("-").map(Number);
    return position >= first && position <= last;
  });

// 24 photographs with their references are some 28,000 gradients of MobileNetV2: hours on a software adapter.
it.skipIf(!hasShared)("adaptive Integrated Gradients on photographs", { timeout: 36_000_000 }, async () => {
  const weights = await loadWeights(shared(weightsFile));
  const classifier = createClassifier(await testDevice(), {
    architecture: { name: "mobilenetV2", width: 1, inputSize: [224, 224], classes: 1000, head: "gap-dense" },
    preprocessing: inspectWeights(weights).preprocessing,
    classNames: null,
    tensors: weights.tensors,
  });
  const files = readdirSync(folder).filter((name) => name.endsWith(".JPEG"));
  const baseline = baselinePixels("black", [224, 224], classifier.preprocessing);
  using adaptive = await IntegratedGradients.create(classifier.explainable, { rule: "adaptive" });
  using reference = await IntegratedGradients.create(classifier.explainable, { rule: "gauss-legendre", steps: 1024 });
  const evaluations: number[] = [];
  for (const [index, file] of files.entries()) {
    if (!chosen("PHOTOGRAPHS", index + 1)) continue;
    const pixels = await readFitted(`${folder}/${file}`, { height: 224, width: 224, resize: "aspect" });
    const { logits } = await classifier.predict(pixels);
    const target = logits.indexOf(Math.max(...logits));
    const found = await adaptive.explain(pixels, baseline, target);
    const { converged, mapChange = 1, relativeGap } = found;
    console.info(
      `${file}: ${found.evaluations} evaluations, gap ${relativeGap.toExponential(2)}, change ${mapChange.toExponential(2)}, ${converged ? "converged" : "not converged"}`,
    );
    if (converged) {
      expect(relativeGap).toBeLessThanOrEqual(1.001e-2);
      expect(mapChange).toBeLessThanOrEqual(3e-2);
    }
    evaluations.push(found.evaluations);
    if (!chosen("REFERENCES", index + 1)) continue;
    const want = await reference.explain(pixels, baseline, target);
    expectDistance(`${file}, 1,024 steps`, relativeL2(found.attribution, want.attribution), 5e-2);
  }
  evaluations.sort((a, b) => a - b);
  expectDistance("evaluations in the median", evaluations[Math.floor(evaluations.length / 2)], 192);
});
