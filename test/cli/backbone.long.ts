import { describe, expect, it } from "vitest";
import { compareFeatures, heldOutTask } from "../../src/cli/backbone/evaluation.ts";
import { BACKBONE_SIZE } from "../../src/cli/backbone/recipe.ts";
import { EMBEDDED, readClassifier } from "../../src/cli/model.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import { testDevice } from "../device.ts";

/** The figures of weights/README.md, which another adapter may miss by a few of 300 images. */
const published = { backbone: 0.879, random: 0.269, "pixels in full": 0.653, "pixels at a third": 0.588 };
const tolerance = 0.05;

describe("the embedded backbone on species that it never saw", () => {
  it("beats random features by 0.15 and pixels by 0.10, as its README says", async () => {
    const device = await testDevice();
    const task = await heldOutTask(1, BACKBONE_SIZE, new Terminal(process.stderr));
    const accuracies = await compareFeatures(device, await readClassifier({ weights: EMBEDDED }), task, [1, 2, 3]);
    const mean = (name: string): number => accuracies[name].reduce((sum, value) => sum + value, 0) / 3;
    for (const [name, value] of Object.entries(published))
      expect(Math.abs(mean(name) - value), name).toBeLessThanOrEqual(tolerance);
    expect(mean("backbone") - mean("random")).toBeGreaterThanOrEqual(0.15);
    expect(mean("backbone") - Math.max(mean("pixels in full"), mean("pixels at a third"))).toBeGreaterThanOrEqual(0.1);
  });
});
