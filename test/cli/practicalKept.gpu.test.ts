/** What a practical keeps: taken up again bit for bit, and never by a call with other choices. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { secondsLeft } from "../../src/cli/practical/estimate.ts";
import { KeptParts } from "../../src/cli/practical/kept.ts";
import { drawPetals } from "../../src/cli/practical/material.ts";
import { type TrainedClassifier, trainSmallCnn } from "../../src/cli/practical/training.ts";
import { heldImages } from "../../src/cli/robustness/held.ts";
import { measureErrors, type RobustnessOptions } from "../../src/cli/robustness/measure.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import { DataError } from "../../src/engine/errors.ts";
import { predictAll } from "../../src/nn/prediction.ts";
import { testDevice } from "../device.ts";

const out = mkdtempSync(join(tmpdir(), "tepal-kept-"));
afterAll(() => rmSync(out, { recursive: true, force: true }));

const told: string[] = [];
const terminal = new Terminal({ write: (text: string) => told.push(text) > 0 });
const choices = { seed: 1, policy: "none" };
const never = async (): Promise<TrainedClassifier> => {
  throw new Error("made again");
};

describe("the parts of a practical", () => {
  const material = drawPetals(1, terminal, { size: 32, perClass: { train: 3, validation: 1, test: 2 } });
  const open = (resume: boolean, more: object = choices) => KeptParts.open({ out, resume, choices: more }, terminal);

  it("are taken up with the very same bits", async () => {
    const device = await testDevice();
    const subject = { device, material };
    const settings = { epochs: 1, batch: 8, learningRate: 0.01, seed: 1, policy: null };
    const kept = await open(false);
    const made = await kept.training("baseline-1", subject, () => trainSmallCnn(device, material, settings, terminal));
    const images = await heldImages(material.test, material.classNames);
    const options = { corruptions: ["fog"], severities: [1, 5], seed: 1 };
    const models = [{ name: "made", classifier: made.classifier }];
    const keepIn =
      (parts: KeptParts): RobustnessOptions["keep"] =>
      (name, measure) =>
        parts.values(name, measure);
    const errors = await measureErrors(device, models, images, { ...options, keep: keepIn(kept) });

    const resumed = await open(true);
    const again = await resumed.training("baseline-1", subject, never);
    expect(again.outcome).toEqual({ history: made.outcome.history, best: made.outcome.best });
    expect(again.recipe).toEqual(made.recipe);
    const logits = await predictAll(made.classifier, material.test);
    expect(new Uint32Array((await predictAll(again.classifier, material.test)).buffer)).toEqual(
      new Uint32Array(logits.buffer),
    );
    const progress: number[] = [];
    const onProgress = (done: number): void => void progress.push(done);
    const kept2 = await measureErrors(device, models, images, { ...options, onProgress, keep: keepIn(resumed) });
    expect(kept2).toEqual(errors);
    expect(kept2).toEqual(await measureErrors(device, models, images, options));
    expect(progress).toEqual([]);
    for (const { classifier } of [made, again]) await classifier.dispose();
  });

  it("are refused by other choices, and made again without --resume", async () => {
    await expect(open(true, { ...choices, seed: 2 })).rejects.toThrow(DataError);
    const fresh = await open(false);
    expect(await fresh.values("clean", async () => "anew")).toBe("anew");
    await fresh.remove();
    expect(existsSync(join(out, "parts"))).toBe(false);
    told.length = 0;
    await open(true);
    expect(told.join("")).toMatch(/nothing is kept in .*: the practical starts from the beginning/);
  });
});

describe("the time that a practical will still take", () => {
  const work = {
    ...{ train: 1500, validation: 250, test: 400, seeds: 3, epochs: 10 },
    ...{ cached: true, corrupted: 30_400, explained: 30, mapped: 400, curved: 50, scratch: 15_000 },
  };

  it("grows with the work and in proportion to the first training", () => {
    expect(secondsLeft(work, 20)).toBeCloseTo(2 * secondsLeft(work, 10));
    expect(secondsLeft({ ...work, seeds: 1, corrupted: 0 }, 10)).toBeLessThan(secondsLeft(work, 10) / 2);
    // From scratch the first training was as long as the others are: 5 of them.
    const alone = { ...work, cached: false, test: 0, corrupted: 0, explained: 0, mapped: 0, curved: 0, scratch: 0 };
    expect(secondsLeft(alone, 60)).toBeCloseTo(300);
  });
});
