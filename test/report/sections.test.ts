import { describe, expect, it } from "vitest";
import { calibrationOf, confusedPairs } from "../../src/nn/errorAnalysis.ts";
import { evaluateLogits } from "../../src/nn/metrics.ts";
import type { ComparisonResult, PolicyResult } from "../../src/report/comparison.ts";
import { type RobustnessResult, robustnessCsv } from "../../src/report/robustness.ts";
import { familyCurves } from "../../src/report/robustnessCharts.ts";
import { calibrationSection } from "../../src/report/sections/calibration.ts";
import { comparisonSection } from "../../src/report/sections/comparison.ts";
import { confusionsSection } from "../../src/report/sections/confusions.ts";
import { robustnessSection } from "../../src/report/sections/robustness.ts";
import { standaloneSvg } from "../../src/report/series.ts";

/** Words of a section without its markup. */
const wordsOf = (section: { text: string }): string =>
  section.text
    .replace(/<svg[\s\S]*?<\/svg>/g, " ")
    .replace(/<[^>]+>/g, " ")
    .replace(/&nbsp;|\u00a0/g, " ")
    .replace(/\s+/g, " ");

const names = ["none", "<b>advanced</b>"];
const family = (name: string, accuracies: number[], corruptionError: number | null) => ({
  name,
  group: "noise",
  accuracies,
  corruptionError,
});
const robustness = (mce: number, high: number): RobustnessResult => ({
  count: 40,
  severities: [1, 5],
  seed: 1,
  models: [
    {
      name: names[0],
      cleanAccuracy: 0.9,
      meanAccuracy: 0.5,
      mce: 1,
      mceInterval: null,
      relativeMce: 1,
      families: [family("fog", [0.6, 0.4], 1), family("jpeg", [1, 1], null)],
    },
    {
      name: names[1],
      cleanAccuracy: 0.85,
      meanAccuracy: 0.6,
      mce,
      mceInterval: { low: mce - 0.1, high },
      relativeMce: null,
      families: [family("fog", [0.7, 0.5], mce), family("jpeg", [1, 0.9], null)],
    },
  ],
});

describe("robustness", () => {
  it("says what was lost, who is better, and how sure that is", () => {
    const sure = wordsOf(robustnessSection(robustness(0.8, 0.9)));
    expect(sure).toContain("none falls from 90.0 % on clean images to 50.0 % on average");
    expect(sure).toContain("makes 20.0 % fewer errors than that (the 95 % interval leaves out 0)");
    const unsure = wordsOf(robustnessSection(robustness(1.05, 1.2)));
    expect(unsure).toContain("5.0 % more errors than that (which these images cannot tell from none)");
  });

  it("shows every number, and escapes the names of models", () => {
    const { text } = robustnessSection(robustness(0.8, 0.9));
    expect(text).not.toContain("<b>advanced");
    expect(text).toContain("&lt;b&gt;advanced");
    expect(wordsOf({ text })).toMatch(/fog noise none 60\.0 40\.0 1\.000 .*advanced.* 70\.0 50\.0 0\.800/);
    const one = { ...robustness(1, 1), models: robustness(1, 1).models.slice(0, 1) };
    expect(robustnessSection(one).text).not.toContain("the baseline’s are 1");
  });

  it("writes charts that need no page, and figures as text", () => {
    const file = standaloneSvg(familyCurves(robustness(0.8, 0.9)));
    expect(file).toMatch(/^<svg style="background:#ffffff/);
    expect(file).not.toContain("var(");
    expect(file).toContain("#c2491d");
    expect(robustnessCsv(robustness(0.8, 0.9)).split("\n")[2]).toBe("none,fog,1,0.6");
  });
});

const bounds = (mean: number, low: number, high: number) => ({ mean, low, high });
const policy = (name: string, difference: PolicyResult["difference"]): PolicyResult => ({
  name,
  summary: name,
  runs: [
    {
      seed: 1,
      bestEpoch: 2,
      valAccuracy: 0.8,
      testAccuracy: 0.75,
      testLoss: 0.5,
      mcNemar: difference && { onlyFirst: 3, onlySecond: 9, p: 0.146 },
      foreignMce: null,
    },
  ],
  valAccuracy: 0.8,
  accuracy: bounds(0.75, 0.7, 0.8),
  deviation: 0.01,
  difference,
  curves: [[0.5, 0.8]],
  foreignMce: null,
  foreignInterval: null,
  ownCorruptions: [],
});
const comparison = (difference: PolicyResult["difference"], chosen = "mixup"): ComparisonResult => ({
  settings: { epochs: 2, data: "petals" },
  seeds: [1],
  policies: [policy("none", null), policy("mixup", difference)],
  chosen,
  test: { count: 400, uses: 1 },
  robustness: null,
});

describe("comparison", () => {
  it.each([
    [bounds(0.05, 0.01, 0.09), "It gains +5.0 points against none", "more than chance"],
    [bounds(0.01, -0.02, 0.04), "It differs by +1.0 points", "cannot tell it from no difference"],
    [bounds(-0.05, -0.09, -0.01), "It loses −5.0 points", "did not hold"],
  ])("says what the interval of the difference allows", (difference, ...phrases) => {
    const words = wordsOf(comparisonSection(comparison(difference)));
    for (const phrase of phrases) expect(words).toContain(phrase);
    expect(words).toContain("400 test images were read once");
    expect(words).toContain("3 : 9");
  });

  it("says it when nothing beats the baseline", () => {
    const words = wordsOf(comparisonSection(comparison(bounds(-0.05, -0.09, -0.01), "none")));
    expect(words).toContain("No augmentation did better than none on the validation images");
    expect(words).not.toContain("foreign");
  });

  it.each([
    [0.7, 0.6, 0.8, "makes 30.0 % fewer errors than none", "more than chance"],
    [1.2, 0.9, 1.4, "makes 20.0 % more errors than none", "cannot tell it from no difference"],
    [0.9, 0.7, 1.1, "makes 10.0 % fewer errors than none", "cannot tell it from no difference"],
  ])("says what a foreign mCE of %f allows", (foreignMce, low, high, ...phrases) => {
    const [none, mixup] = comparison(bounds(0.01, -0.02, 0.04)).policies;
    const robust = { ...mixup, foreignMce, foreignInterval: { low, high }, ownCorruptions: ["fog"] };
    const measured = {
      ...comparison(null),
      policies: [{ ...none, foreignMce: 1 }, robust],
      robustness: robustness(1, 1),
    };
    const words = wordsOf(comparisonSection(measured));
    for (const phrase of phrases) expect(words).toContain(phrase);
    expect(words).toContain(`${foreignMce.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`);
    expect(words).toContain("trains on them or their relatives: fog");
  });
});

describe("errors", () => {
  const logits = [3, 0, 0, 3, 0, 0, 0, 1, 0, 2, 0, 0];
  const labels = [0, 1, 1, 0];
  const classNames = ["rose", "tulip", "daisy"];

  it("the confidence is judged by the answers that are right", () => {
    const words = wordsOf(calibrationSection(calibrationOf(logits, labels, 3)));
    // Confidences 0.909, 0.909, 0.576, 0.787; three of four are right.
    expect(words).toContain("79.5 % confidence on average and 75.0 % of them are right");
    expect(words).toContain("too sure of itself by 4.5 %");
    expect(calibrationSection(calibrationOf(logits, labels, 3)).text.match(/<svg/g)).toHaveLength(2);
  });

  it("the most confused pair is named, with what the other way round is", () => {
    const { confusion, perClass } = evaluateLogits(logits, labels, classNames);
    const words = wordsOf(confusionsSection({ classNames, perClass, pairs: confusedPairs(confusion) }));
    expect(words).toContain("Most often tulip is taken for rose : 50.0 % of its images");
    expect(words).toContain("rose draws its answers");
    expect(words).toMatch(/daisy – – – 0/);
    expect(wordsOf(confusionsSection({ classNames, perClass, pairs: [] }))).toContain("No class was taken for another");
  });
});
