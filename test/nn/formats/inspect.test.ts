import { describe, expect, it } from "vitest";
import { FileError, WeightsError } from "../../../src/engine/errors.ts";
import { loadWeights } from "../../../src/nn/formats/files.node.ts";
import {
  checkPreprocessing,
  checkWeights,
  expectedMobileNetV2,
  inspectWeights,
  KERAS_MOBILENET_V2_PREPROCESSING,
} from "../../../src/nn/formats/inspect.ts";
import { makeDivisible, mobileNetV2Widths } from "../../../src/nn/mobilenetV2Table.ts";
import { hasShared, shared } from "../../shared.ts";
import { syntheticMobileNetV2 } from "./models.ts";

/** Millions of weights, BatchNorm not counted, as the authors publish them (TF-Slim's table of MobileNetV2 checkpoints). */
const PUBLISHED_MILLIONS: Record<number, number> = { 0.35: 1.66, 0.5: 1.95, 0.75: 2.61, 1: 3.47, 1.3: 5.34, 1.4: 6.06 };

describe("expectedMobileNetV2", () => {
  it.each(mobileNetV2Widths)("has as many weights as published at width %d", (width) => {
    let weights = 0;
    for (const [name, shape] of expectedMobileNetV2(width, 1001)) {
      if (!/BN|bn/.test(name)) weights += shape.reduce((a, b) => a * b, 1);
    }
    expect(Math.round(weights / 1e4) / 100).toBe(PUBLISHED_MILLIONS[width]);
  });

  it("has 260 tensors without a head and names them as Keras does", () => {
    const shapes = expectedMobileNetV2(1.4, null);
    expect(shapes.size).toBe(260);
    expect(shapes.get("Conv1/kernel")).toEqual([3, 3, 3, 48]);
    expect(shapes.get("expanded_conv_depthwise/kernel")).toEqual([3, 3, 48]);
    expect(shapes.get("block_16_project_BN/moving_variance")).toEqual([448]);
    expect(shapes.get("Conv_1/kernel")).toEqual([1, 1, 448, 1792]);
  });

  it("rounds channels by Keras' rule", () => {
    expect([3, 11, 11.2, 12, 20, 41.6, 124.8].map(makeDivisible)).toEqual([8, 16, 16, 16, 24, 40, 128]);
  });

  it("refuses other widths", () => {
    expect(() => expectedMobileNetV2(0.9, null)).toThrow(WeightsError);
  });
});

describe("inspectWeights", () => {
  it.each(mobileNetV2Widths)("finds width %d, with and without a head", (width) => {
    expect(inspectWeights(syntheticMobileNetV2(width, 3))).toMatchObject({
      architecture: "mobilenetV2",
      width,
      classes: 3,
      top: true,
      preprocessing: KERAS_MOBILENET_V2_PREPROCESSING,
    });
    expect(inspectWeights(syntheticMobileNetV2(width, null))).toMatchObject({ width, classes: null, top: false });
  });

  it("does not guess for other networks, nor the preprocessing of safetensors that do not state it", () => {
    const set = syntheticMobileNetV2(0.35, null);
    expect(inspectWeights({ ...set, source: "safetensors" }).preprocessing).toBeNull();
    set.tensors.delete("block_7_add/gamma");
    set.tensors.delete("block_7_project/kernel");
    expect(inspectWeights(set)).toMatchObject({ architecture: "unknown", width: null, preprocessing: null });
  });

  it("takes the preprocessing that the file states, and refuses a damaged statement", () => {
    const set = syntheticMobileNetV2(0.35, null);
    const stated = { name: "torch", scale: 1 / 58.4, offset: -2.1, resize: "tf" };
    expect(inspectWeights({ ...set, metadata: { preprocessing: JSON.stringify(stated) } }).preprocessing).toEqual(
      stated,
    );
    expect(() => inspectWeights({ ...set, metadata: { preprocessing: "{" } })).toThrow(FileError);
  });
});

describe("checkWeights", () => {
  it("accepts what fits", () => {
    expect(() => checkWeights(syntheticMobileNetV2(0.5, 4), expectedMobileNetV2(0.5, 4))).not.toThrow();
  });

  it("says in one line how many and which tensors differ", () => {
    const set = syntheticMobileNetV2(0.35, 4);
    set.tensors.delete("Conv1/kernel");
    set.tensors.set("extra/kernel", { shape: [1], data: new Float32Array(1) });
    const check = () => checkWeights(set, expectedMobileNetV2(0.35, 5));
    expect(check).toThrow(WeightsError);
    expect(check).toThrow(
      "expected the network's 262 tensors; found 1 missing (first Conv1/kernel), 1 unexpected (first extra/kernel), " +
        "2 of another shape (first predictions/kernel: expected [1280,5], found [1280,4]); see `tepal weights info` " +
        "and choose the file of this network, width and head",
    );
  });

  it("compares preprocessing", () => {
    const expected = KERAS_MOBILENET_V2_PREPROCESSING;
    expect(() => checkPreprocessing({ ...expected, scale: 0.00784313725 }, expected)).not.toThrow();
    expect(() => checkPreprocessing({ ...expected, name: "x/255", offset: 0 }, expected)).toThrow(/\(x\/255\)/);
    expect(() => checkPreprocessing(null, expected)).toThrow(WeightsError);
  });
});

describe.skipIf(!hasShared)("real weights", () => {
  it("are recognised and complete", async () => {
    const set = await loadWeights(shared("weights/mobilenet_v2_1.0_224.keras"));
    expect(inspectWeights(set)).toMatchObject({
      architecture: "mobilenetV2",
      width: 1,
      classes: 1000,
      parameters: 3_538_984,
    });
    checkWeights(set, expectedMobileNetV2(1, 1000));
  });
});
