import { readdirSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { createDecoder } from "../../../src/data/decodePool.node.ts";
import { createClassifier } from "../../../src/nn/classifier.ts";
import { loadWeights } from "../../../src/nn/formats/files.node.ts";
import { inspectWeights } from "../../../src/nn/formats/inspect.ts";
import { applyConvention, type Convention, conventions, twice } from "../../../src/xai/conventions.ts";
import { PreprocessingCheck } from "../../../src/xai/preprocessingVerdict.ts";
import { testDevice } from "../../device.ts";
import { weightsFile } from "../../reference.ts";
import { hasShared, shared } from "../../shared.ts";

vi.setConfig({ testTimeout: 600_000 });

/** Every second photograph; the constants of the verdict were chosen on the others. The long test takes all of the folders. */
function heldOut(): string[] {
  const long = Boolean(process.env.TEPAL_LONG);
  const list = (folder: string, most: number): string[] =>
    readdirSync(shared(`data/${folder}`))
      .filter((file) => /\.jpe?g$/i.test(file))
      .sort()
      .filter((_, index) => index % 2 === 1)
      .slice(0, long ? 60 : most)
      .map((file) => shared(`data/${folder}/${file}`));
  const flowers = readdirSync(shared("data/flower_photos")).flatMap((name) => list(`flower_photos/${name}`, 2));
  const bright = shared("data/flower_photos/tulip/12557176134_ecbf15885b.jpg");
  return [...new Set([...list("imagenet_samples", 10), ...flowers, bright])];
}

const size = 96;

describe.skipIf(!hasShared)("the verdict on preprocessing", () => {
  it("knows from MobileNetV2's weights what it was trained on, and names what was done instead", async () => {
    const weights = await loadWeights(shared(weightsFile));
    const { preprocessing } = inspectWeights(weights);
    const classifier = createClassifier(await testDevice(), {
      architecture: { name: "mobilenetV2", width: 1, inputSize: [size, size], classes: 1000, head: "gap-dense" },
      preprocessing,
      classNames: null,
      tensors: weights.tensors,
    });
    using check = await PreprocessingCheck.create(classifier.explainable);
    expect(check.expected).toBe(conventions.signedUnit);
    const decoder = createDecoder({ height: size, width: size, resize: "aspect" });
    const photographs: Float32Array[] = [];
    for await (const item of decoder.decode(heldOut())) if ("pixels" in item) photographs.push(item.pixels);
    await decoder.close();
    expect(photographs.length).toBeGreaterThanOrEqual(20);
    const { signedUnit } = conventions;
    const ways: Convention[] = [...Object.values(conventions), twice(signedUnit, signedUnit)];
    const named: Record<string, number> = {};
    for (const way of ways) {
      let right = 0;
      for (const pixels of photographs) {
        const verdict = await check.inspect(applyConvention(way, pixels));
        if (verdict.found === way.name && verdict.status === (way === signedUnit ? "right" : "wrong")) right++;
      }
      named[way.name] = right / photographs.length;
    }
    // Nothing is blamed for a picture that holds too little: dark ones, and one colour.
    const blamed = [];
    const flat = [0, 40, 128, 255].map((level) => new Float32Array(size * size * 3).fill(level));
    const dark = [0.2, 0.1, 0.05].flatMap((share) => photographs.map((pixels) => pixels.map((value) => share * value)));
    for (const pixels of [...flat, ...dark]) {
      const verdict = await check.inspect(applyConvention(signedUnit, pixels));
      if (verdict.status === "wrong") blamed.push(verdict);
    }
    expect(blamed).toEqual([]);
    await classifier.dispose();
    const { [signedUnit.name]: rightWhenRight, ...wrong } = named;
    expect(rightWhenRight).toBe(1);
    for (const [way, share] of Object.entries(wrong)) expect({ way, ok: share >= 0.95 }).toEqual({ way, ok: true });
  });
});
