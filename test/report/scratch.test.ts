import { describe, expect, it } from "vitest";
import { encodePng } from "../../src/data/png.node.ts";
import { DataError } from "../../src/engine/errors.ts";
import type { ScratchComparison } from "../../src/report/answers.ts";
import { rankImprovements } from "../../src/report/improvements.ts";
import { renderReport } from "../../src/report/report.ts";
import { reportData } from "./fixture.ts";

/** The fixture has 60 test images. */
const comparison = (mean: number, low: number, high: number): ScratchComparison => ({
  testCount: 60,
  trainCount: 400,
  transfer: { correct: 54, curve: [0.7, 0.8, 0.85], parameters: 416_650, trainedParameters: 6405, inputSize: [96, 96] },
  scratch: { correct: 42, curve: [0.2, 0.5, 0.6], parameters: 97_000, trainedParameters: 97_000, inputSize: [64, 64] },
  difference: { mean, low, high },
  p: 0.002,
});

const section = (scratch: ScratchComparison | undefined, language: "en" | "es" = "en"): string => {
  const page = renderReport(reportData({ scratch, language }), encodePng);
  return /<section id="scratch"[\s\S]*?<\/section>/.exec(page)?.[0].replace(/<[^>]+>/g, " ") ?? "";
};

describe("transfer or from scratch", () => {
  it("is decided by the interval of the difference, in words", () => {
    expect(section(comparison(0.2, 0.08, 0.32))).toContain("Transfer is better by +20.0 points");
    expect(section(comparison(0.2, 0.08, 0.32), "es")).toContain("Transferir es mejor por +20.0 puntos");
    expect(section(comparison(-0.2, -0.3, -0.1))).toContain(
      "From scratch is better here, by +20.0 points (95&nbsp;% interval +10.0 to +30.0",
    );
    expect(section(comparison(0.02, -0.05, 0.09))).toContain("do not decide");
  });

  it("shows both accuracies, and what was trained", () => {
    const text = section(comparison(0.2, 0.08, 0.32));
    expect(text).toContain("90.0");
    expect(text).toContain("70.0");
    expect(text).toMatch(/6.405/);
    expect(text).toContain("64 × 64");
    expect(text).toContain("Validation accuracy by epoch");
  });

  it("proposes to unfreeze the backbone where a network from scratch is better, and only there", () => {
    const kinds = (difference: readonly [number, number, number]) =>
      rankImprovements(reportData({ scratch: comparison(...difference) })).map(({ kind }) => kind);
    expect(kinds([-0.2, -0.3, -0.1])).toContain("scratch");
    expect(kinds([-0.02, -0.3, 0.1])).not.toContain("scratch");
    expect(kinds([0.2, 0.1, 0.3])).not.toContain("scratch");
  });

  it("is left out where it was not asked for, and refused with other test images", () => {
    expect(section(undefined)).toBe("");
    expect(() => section({ ...comparison(0.2, 0.1, 0.3), testCount: 59 })).toThrow(DataError);
  });
});
