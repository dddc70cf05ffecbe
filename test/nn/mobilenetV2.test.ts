import { describe, expect, it } from "vitest";
import { labelsOf } from "../../src/engine/graph.ts";
import { input } from "../../src/engine/ops/sources.ts";
import { runPasses } from "../../src/engine/passes/index.ts";
import { schedule } from "../../src/engine/plan/schedule.ts";
import { BATCH, sizeOf } from "../../src/engine/types.ts";
import { expectedMobileNetV2 } from "../../src/nn/formats/inspect.ts";
import { mobileNetV2 } from "../../src/nn/mobilenetV2.ts";
import { mobileNetV2Widths } from "../../src/nn/mobilenetV2Table.ts";

const build = (width: number, size: readonly [number, number], classes: number | null = 1000) =>
  mobileNetV2(input("x", [BATCH, ...size, 3]), { width, classes });

describe("MobileNetV2", () => {
  it.each(mobileNetV2Widths)("has the weights of Keras' file at width %d", (width) => {
    const parameters = [...build(width, [96, 96]).parameters].map(([name, shape]) => [name, [...shape]]);
    expect(parameters).toEqual([...expectedMobileNetV2(width, 1000)]);
  });

  it("has 3,538,984 numbers at width 1, as Keras counts them", () => {
    const shapes = [...build(1, [224, 224]).parameters.values()];
    expect(shapes.reduce((sum, shape) => sum + sizeOf(shape), 0)).toBe(3538984);
  });

  it.each([
    [
      [32, 32],
      [1, 1],
    ],
    [
      [33, 47],
      [2, 2],
    ],
    [
      [96, 96],
      [3, 3],
    ],
    [
      [97, 160],
      [4, 5],
    ],
    [
      [224, 224],
      [7, 7],
    ],
  ] as const)("maps images of %j to maps of %j", (size, map) => {
    expect(build(0.35, size).features.shape.slice(1, 3)).toEqual(map);
  });

  it("refuses smaller images and unknown widths with a remedy", () => {
    expect(() => build(1, [31, 96])).toThrow(/at least 32 × 32.*resize/);
    expect(() => build(0.6, [96, 96])).toThrow(/0\.35, 0\.5.*found 0\.6; choose/);
  });

  it("carries Keras' layer names", () => {
    const logits = build(1, [224, 224]).logits;
    if (!logits) throw new Error("expected a head");
    const labels = [...labelsOf({ outputs: { logits } }).keys()];
    for (const name of [
      "Conv1",
      "bn_Conv1",
      "expanded_conv_project_BN",
      "block_5_add",
      "block_16_depthwise_relu",
      "out_relu",
    ])
      expect(labels).toContain(name);
  });

  it("folds every normalisation and fuses every epilogue: one dispatch per convolution, plus pooling", () => {
    const logits = build(1, [224, 224]).logits;
    if (!logits) throw new Error("expected a head");
    const plan = schedule(runPasses({ outputs: { logits } }, { optimise: true }));
    expect(plan.main.map((node) => node.op.name).filter((name) => name !== "partialSum")).toHaveLength(53);
    expect(plan.main.every(({ op }) => !op.traits.channelAffine && op.traits.epilogue === undefined)).toBe(true);
  });
});
