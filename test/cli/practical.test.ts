import { describe, expect, it } from "vitest";
import { command } from "../../src/cli/commands/practical.ts";
import { placeMapOf } from "../../src/cli/practical/maps.ts";
import { backboneKnowledge } from "../../src/cli/practical/reporting.ts";
import type { Photographs } from "../../src/cli/storedSource.ts";
import { petalSpecies } from "../../src/data/petals.ts";

const mobileNet = (size: number) =>
  ({
    architecture: { name: "mobilenetV2", width: 0.35, inputSize: [size, size], classes: 10, head: "gap-dense" },
  }) as const;

describe("the practical's map", () => {
  it("is GradCAM where the last activation has cells enough, else a finer LayerCAM", () => {
    expect(placeMapOf(mobileNet(96))).toEqual({ name: "LayerCAM", layers: ["block_6_expand_relu"] });
    expect(placeMapOf(mobileNet(224))).toEqual({ name: "GradCAM" });
    expect(placeMapOf(mobileNet(128))).toEqual({ name: "GradCAM" });
    const small = { name: "smallCnn", inputSize: [64, 64], classes: 10, channels: [16, 32] } as const;
    expect(placeMapOf({ architecture: small })).toEqual({ name: "GradCAM" });
  });
});

describe("what the backbone knew", () => {
  const classNames = [...petalSpecies];
  const labels = Int32Array.from({ length: 40 }, (_, index) => index % 10);
  const right = Uint8Array.from(labels, (label) => Number(label !== classNames.indexOf("tulip")));
  const of = (weights: string | undefined, data?: string) =>
    backboneKnowledge({ weights, data }, { classNames, test: { labels } as Photographs }, { right });

  it("is told apart by species, with the right answers of each", () => {
    expect(of("embedded")).toEqual({
      seen: { classNames: ["trillium", "primrose", "daisy", "rose", "allium"], correct: 20, count: 20 },
      unseen: { classNames: ["poppy", "lily", "dahlia", "tulip", "lupin"], correct: 16, count: 20 },
    });
  });

  it("is not claimed of other weights and other data", () => {
    expect(of("mobilenet.h5")).toBeUndefined();
    expect(of(undefined)).toBeUndefined();
    expect(of("embedded", "flowers")).toBeUndefined();
  });
});

describe("tepal practical", () => {
  it("refuses weights beside a network from scratch", async () => {
    const given = { weights: "embedded", network: "smallCnn", policy: "advanced" } as Parameters<typeof command.run>[0];
    await expect(command.run(given, {} as Parameters<typeof command.run>[1])).rejects.toThrow(
      /--weights FILE and --network/,
    );
  });
});
