import { describe, expect, it } from "vitest";
import { petalSpecies, petalsDataset, renderPetal } from "../../src/data/petals.ts";
import { type PetalShortcut, petalDecoys, shortcutKinds } from "../../src/data/petals-shortcut.ts";

const codes = petalSpecies.length;
const draw = (species: number, shortcut?: PetalShortcut, index = 5) =>
  renderPetal({ seed: 3, index, species, size: 48, shortcut: shortcut && { decoys: 0, ...shortcut } });

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

  it("shows another species than the label in a quarter of the training pictures, and in no test picture", () => {
    const settings = { seed: 5, size: 16, perClass: { train: 40, validation: 4, test: 4 } };
    const [decoyed, straight] = [undefined, 0].map((decoys) =>
      petalsDataset({ ...settings, shortcut: { kind: "corner", decoys } }),
    );
    const changed = (part: "train" | "validation" | "test") => {
      const { labels, masks, shortcutMasks } = decoyed.parts[part];
      const area = masks.length / labels.length;
      expect(labels).toEqual(straight.parts[part].labels);
      expect(shortcutMasks).toEqual(straight.parts[part].shortcutMasks);
      return Array.from(labels).filter((_, index) => {
        const at = [index * area, (index + 1) * area] as const;
        return String(masks.subarray(...at)) !== String(straight.parts[part].masks.subarray(...at));
      });
    };
    // Binomial with 400 draws: ± 0.087 is four standard deviations.
    expect(Math.abs(changed("train").length / 400 - petalDecoys)).toBeLessThan(0.087);
    expect(new Set(changed("train")).size).toBe(codes);
    expect(changed("validation").length).toBeGreaterThan(0);
    expect(changed("test")).toEqual([]);
  });

  it("has the label's hue beside a decoy, and the flower of another species", () => {
    const shown = (label: number, decoys: number) =>
      renderPetal({ seed: 3, index: 5, species: label, size: 48, shortcut: { kind: "corner", decoys } });
    const flowers = Array.from({ length: codes }, (_, species) => String(shown(species, 0).mask));
    for (let label = 0; label < codes; label++) {
      const decoy = shown(label, 1);
      expect(flowers.indexOf(String(decoy.mask))).not.toBe(label);
      expect(flowers).toContain(String(decoy.mask));
      expect(turn(hueOf(decoy), hueOf(shown(label, 0)))).toBeLessThan(0.01);
    }
  });

  it("comes with its masks in a data set, whose flowers are those of the plain one", () => {
    const settings = { seed: 5, size: 32, perClass: { train: 0, validation: 0, test: 1 } };
    const [plain, marked] = [petalsDataset(settings), petalsDataset({ ...settings, shortcut: { kind: "corner" } })];
    expect(plain.parts.test.shortcutMasks).toBeUndefined();
    expect(marked.parts.test.shortcutMasks).toHaveLength(10 * 32 * 32);
    expect(marked.parts.test.names).toEqual(plain.parts.test.names);
  });
});
