import { statSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { centreCrops, randomCrops } from "../../src/cli/backbone/crops.ts";
import { seenSpecies } from "../../src/cli/backbone/material.ts";
import { HELD_OUT_SPECIES } from "../../src/cli/backbone/recipe.ts";
import { EMBEDDED, readClassifier } from "../../src/cli/model.ts";
import type { LabelledImages } from "../../src/data/datasets.ts";
import { petalSpecies } from "../../src/data/petals.ts";
import { embeddedWeights } from "../../src/nn/formats/embedded.node.ts";
import { weightsInfo } from "../../src/nn/formats/files.node.ts";
import type { LabelledPixelSource } from "../../src/nn/pixelSource.ts";

describe("the embedded backbone", () => {
  it("is MobileNetV2 0.35 in half precision, about a megabyte, without a head", async () => {
    const info = await weightsInfo(embeddedWeights());
    expect(info).toMatchObject({ architecture: "mobilenetV2", width: 0.35, classes: null });
    expect(new Set(info.tensors.map(({ dtype }) => dtype))).toEqual(new Set(["F16"]));
    expect(statSync(info.file).size).toBeLessThan(1_100_000);
  });

  it("is found without a path, and states its preprocessing and the size of its input", async () => {
    const { architecture, preprocessing } = await readClassifier({ weights: EMBEDDED });
    expect(architecture).toMatchObject({ width: 0.35, inputSize: [96, 96], classes: null });
    expect(preprocessing).toMatchObject({ scale: 1 / 127.5, offset: -1, resize: "aspect" });
    const { architecture: small } = await readClassifier({ weights: EMBEDDED, size: 64 });
    expect(small.inputSize).toEqual([64, 64]);
  });

  it("never sees the species that it is measured on", () => {
    const seen = seenSpecies().map((index) => petalSpecies[index]);
    expect(HELD_OUT_SPECIES.every((name) => petalSpecies.includes(name))).toBe(true);
    expect(new Set([...seen, ...HELD_OUT_SPECIES]).size).toBe(petalSpecies.length);
    expect(seen.length + HELD_OUT_SPECIES.length).toBe(petalSpecies.length);
  });
});

describe("crops", () => {
  const [side, size] = [9, 6];
  /** Each value says where it came from: image, row, column, channel. */
  const images: LabelledImages = {
    classNames: ["a"],
    names: ["0", "1"],
    labels: Int32Array.of(0, 0),
    ids: [0, 1],
    height: side,
    width: side,
    pixels: Uint8Array.from({ length: 2 * side * side * 3 }, (_, place) => {
      const pixel = Math.floor(place / 3);
      return Math.floor(pixel / (side * side)) * 100 + (Math.floor(pixel / side) % side) * 10 + (pixel % side);
    }),
  };

  /** The bytes of a batch in an epoch. */
  const bytesOf = async (source: LabelledPixelSource, indices: readonly number[], epoch: number): Promise<Uint8Array> =>
    (await source.inputs(indices, { epoch, first: 0 })).pixels as Uint8Array;

  it("are windows of their image, mirrored or not, at changing places", async () => {
    const source = randomCrops(images, size, 3);
    const seen = new Set<string>();
    for (let epoch = 1; epoch <= 60; epoch++) {
      const pixels = await bytesOf(source, [1], epoch);
      const at = (row: number, column: number): number => pixels[(row * size + column) * 3 + 1] - 100;
      const step = at(0, 1) - at(0, 0);
      const left = step > 0 ? at(0, 0) % 10 : at(0, size - 1) % 10;
      const top = Math.floor(at(0, 0) / 10);
      seen.add(`${top} ${left} ${step}`);
      for (let row = 0; row < size; row++)
        for (let column = 0; column < size; column++)
          expect(at(row, column)).toBe((top + row) * 10 + left + (step > 0 ? column : size - 1 - column));
    }
    expect(seen.size).toBeGreaterThan(20);
  });

  it("are the same for the same seed, and others for another", async () => {
    const draw = async (seed: number, order: readonly number[]) => {
      const source = randomCrops(images, size, seed);
      return Promise.all([1, 2].map((epoch) => bytesOf(source, order, epoch)));
    };
    expect(await draw(3, [0, 1])).toEqual(await draw(3, [0, 1]));
    expect(await draw(3, [0, 1])).not.toEqual(await draw(4, [0, 1]));
  });

  it("of an image are the same in whatever batch it comes", async () => {
    const source = randomCrops(images, size, 3);
    const length = size * size * 3;
    const together = await bytesOf(source, [0, 1], 7);
    expect(await bytesOf(source, [1], 7)).toEqual(together.slice(length));
    expect(await bytesOf(source, [1, 0], 7)).toEqual(
      Uint8Array.from([...together.slice(length), ...together.slice(0, length)]),
    );
  });

  it("may stand in the middle", async () => {
    const pixels = await bytesOf(centreCrops(images, 5), [0], 0);
    expect(pixels[0]).toBe(22);
    expect(pixels.length).toBe(75);
  });
});
