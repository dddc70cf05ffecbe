import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type PetalsPart, petalSpecies, petalsDataset, renderPetal } from "../../src/data/petals.ts";
import { DataError } from "../../src/engine/errors.ts";

const sha256 = (...parts: Uint8Array[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};
const species = petalSpecies.map((name, index) => ({ name, index }));
const share = (mask: Uint8Array) => mask.reduce((sum, value) => sum + (value === 255 ? 1 : 0), 0) / mask.length;

/** Marks every pixel within `distance` (in both axes) of a pixel of the mask. */
function grow(mask: Uint8Array, size: number, distance: number): Uint8Array {
  return mask.map((_, pixel) => {
    const [row, column] = [Math.floor(pixel / size), pixel % size];
    for (let y = Math.max(0, row - distance); y <= Math.min(size - 1, row + distance); y++) {
      for (let x = Math.max(0, column - distance); x <= Math.min(size - 1, column + distance); x++) {
        if (mask[y * size + x]) return 255;
      }
    }
    return 0;
  });
}

describe("renderPetal", () => {
  it("repeats bytes on V8 from the options alone", () => {
    const render = () =>
      species.map(({ index }) => renderPetal({ seed: 3, index: 40 + index, species: index, size: 48 }));
    const first = render();
    renderPetal({ seed: 9, index: 1, species: 2 });
    const hash = sha256(...render().flatMap(({ image, mask }) => [image.data, mask]));
    expect(hash).toBe(sha256(...first.flatMap(({ image, mask }) => [image.data, mask])));
    expect(hash).toBe("23b2a4e785bd2fa77762c2848fa2a4689de2b044f2ca307bb65e6f3ece90c8bf");
  });

  it("changes with seed, index, part and species", () => {
    const base = { seed: 3, index: 5, species: 1, part: "train" as PetalsPart };
    const bytes = (change: object) => sha256(renderPetal({ ...base, ...change }).image.data);
    const all = [{}, { seed: 4 }, { index: 6 }, { part: "test" }, { part: "validation" }, { species: 2 }].map(bytes);
    expect(new Set(all).size).toBe(all.length);
  });

  it("draws the scene without knowing the species, upright stems apart", () => {
    const scene = (index: number, kind: number) =>
      sha256(renderPetal({ seed: 1, index, species: kind, flower: false }).image.data);
    const open = species.filter(({ name }) => name !== "tulip" && name !== "lupin");
    for (let index = 0; index < 5; index++) {
      expect(new Set(open.map((kind) => scene(index, kind.index))).size).toBe(1);
    }
  });

  it.each(species)("masks $name where it is drawn", ({ index: kind }) => {
    const size = 64;
    for (let index = 0; index < 6; index++) {
      const { image, mask } = renderPetal({ seed: 2, index, species: kind, size });
      const empty = renderPetal({ seed: 2, index, species: kind, size, flower: false });
      expect(share(empty.mask)).toBe(0);
      expect(share(mask)).toBeGreaterThan(0.05);
      expect(share(mask)).toBeLessThan(0.7);
      const near = grow(mask, size, 2);
      let changed = 0;
      let brighter = 0;
      for (let pixel = 0; pixel < mask.length; pixel++) {
        const change = [0, 1, 2].map((c) => image.data[pixel * 3 + c] - empty.image.data[pixel * 3 + c]);
        if (mask[pixel] && change.some((value) => value !== 0)) changed++;
        // Away from the blossom only its shadow remains, and a shadow never brightens.
        if (!near[pixel] && change.some((value) => value > 0)) brighter++;
      }
      expect(changed / (share(mask) * mask.length)).toBeGreaterThan(0.97);
      expect(brighter).toBeLessThan(0.002 * mask.length);
    }
  });

  it("fills 35 to 90 % of the width with a face-on flower, at any size", () => {
    for (const size of [32, 96, 160]) {
      const { image, mask } = renderPetal({ seed: 1, index: 4, species: petalSpecies.indexOf("daisy"), size });
      expect([image.width, image.height, image.data.length, mask.length]).toEqual([
        size,
        size,
        3 * size ** 2,
        size ** 2,
      ]);
      const columns = [...mask.keys()].filter((pixel) => mask[pixel]).map((pixel) => pixel % size);
      const width = (columns.reduce((a, b) => Math.max(a, b)) - columns.reduce((a, b) => Math.min(a, b)) + 1) / size;
      expect(width).toBeGreaterThan(0.35);
      expect(width).toBeLessThan(0.9);
    }
  });

  it("refuses unknown species and sizes", () => {
    expect(() => renderPetal({ seed: 1, index: 0, species: petalSpecies.length })).toThrow(DataError);
    expect(() => renderPetal({ seed: 1, index: 0, species: -1 })).toThrow(DataError);
    for (const size of [0, 15, 63.5, Number.NaN, 4096]) {
      expect(() => renderPetal({ seed: 1, index: 0, species: 0, size })).toThrow(DataError);
    }
  });
});

describe("petalsDataset", () => {
  const data = petalsDataset({ seed: 5, size: 32, perClass: { train: 3, validation: 2, test: 1 } });

  it("is balanced, with arrays of the promised lengths", () => {
    expect(data.classNames).toEqual(petalSpecies);
    expect(data.classNames.length).toBeGreaterThanOrEqual(8);
    for (const [part, perClass] of [
      ["train", 3],
      ["validation", 2],
      ["test", 1],
    ] as const) {
      const { pixels, masks, labels, names } = data.parts[part];
      const count = perClass * petalSpecies.length;
      expect([pixels.length, masks.length, labels.length, names.length]).toEqual([
        count * 3072,
        count * 1024,
        count,
        count,
      ]);
      for (const { index } of species) expect(labels.filter((label) => label === index).length).toBe(perClass);
      expect(new Set(names).size).toBe(count);
    }
    const all = Object.values(data.parts).flatMap(({ labels, pixels }) =>
      [...labels].map((_, i) => sha256(pixels.subarray(i * 3072, (i + 1) * 3072))),
    );
    expect(new Set(all).size).toBe(60);
  });

  it("holds the images that renderPetal draws, whatever the counts", () => {
    const larger = petalsDataset({ seed: 5, size: 32, perClass: { train: 0, validation: 3, test: 0 } });
    const { pixels, masks } = data.parts.validation;
    expect(larger.parts.validation.pixels.subarray(0, pixels.length)).toEqual(pixels);
    const { image, mask } = renderPetal({ seed: 5, index: 13, species: 3, size: 32, part: "validation" });
    expect(pixels.subarray(13 * 3072, 14 * 3072)).toEqual(image.data);
    expect(masks.subarray(13 * 1024, 14 * 1024)).toEqual(mask);
  });

  it("refuses counts that are none", () => {
    for (const train of [-1, 0.5, Number.NaN]) {
      expect(() => petalsDataset({ seed: 1, perClass: { train, validation: 0, test: 0 } })).toThrow(DataError);
    }
  });
});
