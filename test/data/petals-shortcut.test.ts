import { describe, expect, it } from "vitest";
import { petalSpecies, petalsDataset, renderPetal } from "../../src/data/petals.ts";
import { type PetalShortcut, shortcutKinds } from "../../src/data/petals-shortcut.ts";

const codes = petalSpecies.length;
const draw = (species: number, shortcut?: PetalShortcut, index = 5) =>
  renderPetal({ seed: 3, index, species, size: 48, shortcut });

/** Mean colour over the shortcut, less its grey: a direction that tells the hue. */
function hueOf({ image, shortcutMask }: ReturnType<typeof renderPetal>): number {
  const mean = [0, 0, 0];
  shortcutMask?.forEach((inside, pixel) => {
    if (inside) for (let c = 0; c < 3; c++) mean[c] += image.data[3 * pixel + c];
  });
  const [r, g, b] = mean;
  return Math.atan2(Math.sqrt(3) * (g - b), 2 * r - g - b);
}

/** Whether a pixel and all around it show the blossom: its border mixes with what is behind. */
const isInside = (mask: Uint8Array, pixel: number): boolean =>
  [-49, -48, -47, -1, 0, 1, 47, 48, 49].every((step) => mask[pixel + step]);

const turn = (a: number, b: number): number => Math.abs(Math.atan2(Math.sin(a - b), Math.cos(a - b)));

describe("shortcuts of petals", () => {
  for (const kind of shortcutKinds) {
    it(`${kind}: changes pictures where its mask is, and nowhere else on the flower`, () => {
      for (let species = 0; species < codes; species++) {
        const [plain, marked] = [draw(species), draw(species, { kind })];
        const mask = marked.shortcutMask as Uint8Array;
        let [inside, changedInside, blossom, changedBlossom] = [0, 0, 0, 0];
        mask.forEach((value, pixel) => {
          const changed = [0, 1, 2].some((c) => plain.image.data[3 * pixel + c] !== marked.image.data[3 * pixel + c]);
          if (value) inside++;
          if (value && changed) changedInside++;
          if (isInside(marked.mask, pixel)) blossom++;
          if (isInside(marked.mask, pixel) && changed) changedBlossom++;
          expect(value && marked.mask[pixel]).toBeFalsy();
        });
        expect(changedInside / inside).toBeGreaterThan(0.95);
        // Between two petals a pixel shows some background although the blossom covers most of it and of its neighbours.
        expect(changedBlossom / blossom).toBeLessThanOrEqual(kind === "corner" ? 0 : 0.05);
        if (kind === "corner") expect(inside / mask.length).toBeLessThan(0.05);
      }
    });

    it(`${kind}: its hue tells the species, and by chance tells nothing`, () => {
      const hues = Array.from({ length: codes }, (_, species) => hueOf(draw(species, { kind })));
      const again = Array.from({ length: codes }, (_, species) => hueOf(draw(species, { kind }, 17)));
      hues.forEach((hue, species) => {
        const nearest = again.map((other) => turn(hue, other));
        expect(nearest.indexOf(Math.min(...nearest))).toBe(species);
      });
      const chance = Array.from({ length: 40 }, (_, index) => {
        const [one, other] = [0, 7].map((species) => hueOf(draw(species, { kind, tells: "chance" }, index)));
        return turn(one, other) < 0.4 ? 1 : 0;
      });
      // The address alone decides: two species at one address get one colour.
      expect(chance.reduce<number>((sum, same) => sum + same, 0)).toBe(40);
    });
  }

  it("comes with its masks in a data set, whose flowers are those of the plain one", () => {
    const settings = { seed: 5, size: 32, perClass: { train: 0, validation: 0, test: 1 } };
    const [plain, marked] = [petalsDataset(settings), petalsDataset({ ...settings, shortcut: { kind: "corner" } })];
    expect(plain.parts.test.shortcutMasks).toBeUndefined();
    expect(marked.parts.test.shortcutMasks).toHaveLength(10 * 32 * 32);
    expect(marked.parts.test.names).toEqual(plain.parts.test.names);
  });
});
