import type { ShortcutKind } from "../../data/petals-shortcut.ts";
import type { Device } from "../../engine/device.ts";
import type { Classifier } from "../../nn/classifier.ts";
import { lossAndAccuracy } from "../../nn/metrics.ts";
import { predictAll } from "../../nn/prediction.ts";
import { massInside } from "../../xai/evidence/location.ts";
import { type ShortcutFinding, shortcutFinding } from "../../xai/evidence/shortcut.ts";
import type { Method, MethodOptions } from "../../xai/explanation.ts";
import { upsampleHeatmap } from "../../xai/overlay.ts";
import { drawPetals, type Material } from "../practical/material.ts";
import { type TrainingSettings, trainSmallCnn } from "../practical/training.ts";
import type { Terminal } from "../terminal.ts";

const titles: Readonly<Record<ShortcutKind, string>> = { corner: "corner mark", background: "tinted background" };

/**
 * The maps that judge best: layers before the last, whose cells are as fine or finer and see half as far, keep a background and
 * the flower before it apart.
 */
export const fineMaps = { method: "layercam", layers: ["stage_1_relu", "stage_2_relu"] } as const;

export interface ShortcutPair {
  readonly kind: ShortcutKind;
  readonly cheat: Classifier;
  readonly honest: Classifier;
  /** Drawn with the shortcut, and the same flowers without it. */
  readonly material: Material;
  readonly plain: Material;
}

/**
 * Two networks by the same code, seed, flowers and labels: one learns from pictures where the shortcut tells the label, the other
 * from pictures where it looks the same and tells nothing. For both a quarter of the flowers mislead, so that cheating pays.
 * @param size edge of the drawings in pixels; 64 when undefined
 */
export async function trainShortcutPair(
  device: Device,
  kind: ShortcutKind,
  settings: TrainingSettings,
  size: number | undefined,
  terminal: Terminal,
): Promise<ShortcutPair> {
  const material = drawPetals(settings.seed, terminal, { size, shortcut: { kind } });
  const chance = drawPetals(settings.seed, terminal, { size, shortcut: { kind, tells: "chance" } });
  const { classifier: cheat } = await trainSmallCnn(device, material, settings, terminal);
  const { classifier: honest } = await trainSmallCnn(device, chance, settings, terminal);
  return { kind, cheat, honest, material, plain: drawPetals(settings.seed, terminal, { size }) };
}

/** What one method's maps say of the two networks, on the first test images with the shortcut. */
export async function judgeShortcut(
  { kind, cheat, honest, material, plain }: ShortcutPair,
  method: Method,
  options: MethodOptions,
  count: number,
): Promise<ShortcutFinding & { readonly method: string }> {
  const { test, testShortcutMasks } = material;
  const area = test.height * test.width;
  const masks = Array.from({ length: count }, (_, index) =>
    (testShortcutMasks as Uint8Array).subarray(index * area, (index + 1) * area),
  );
  const masses = async (classifier: Classifier): Promise<(number | null)[]> => {
    using explainer = await method.create(classifier.explainable, options);
    const images = await Promise.all(masks.map((_, index) => test.pixels(index)));
    const pixels = new Float32Array(images.length * images[0].length);
    images.forEach((image, row) => {
      pixels.set(image, row * image.length);
    });
    const maps = await explainer.explain(pixels, Array.from(test.labels.subarray(0, count)));
    return maps.map(({ heatmap }, index) =>
      massInside(upsampleHeatmap(heatmap, test.height, test.width), masks[index]),
    );
  };
  const accuracyOn = async ({ test: images, classNames }: Material): Promise<number> =>
    lossAndAccuracy(await predictAll(cheat, images), images.labels, classNames.length).accuracy;
  const finding = shortcutFinding({
    shortcut: titles[kind],
    names: {
      suspect: `the smallCnn that learned where the ${titles[kind]} tells the species`,
      honest: `the smallCnn that learned where it tells nothing`,
    },
    suspect: await masses(cheat),
    honest: await masses(honest),
    area: masks.map((mask) => mask.reduce((sum, value) => sum + Number(value > 0), 0) / area),
    accuracy: { withShortcut: await accuracyOn(material), without: await accuracyOn(plain) },
  });
  return { method: method.name, ...finding };
}
