import type { ShortcutKind } from "../../data/petals-shortcut.ts";
import type { Device } from "../../engine/device.ts";
import type { Classifier } from "../../nn/classifier.ts";
import { lossAndAccuracy } from "../../nn/metrics.ts";
import { predictAll } from "../../nn/prediction.ts";
import type { MapSheet } from "../../report/evidenceTypes.ts";
import { renderExplanation } from "../../xai/display.ts";
import { massInside } from "../../xai/evidence/location.ts";
import { type ShortcutFinding, shortcutFinding } from "../../xai/evidence/shortcut.ts";
import type { Explanation, Method, MethodOptions } from "../../xai/explanation.ts";
import { upsampleHeatmap } from "../../xai/overlay.ts";
import { drawPetals, imageOf, type Material } from "../practical/material.ts";
import { type TrainingSettings, trainSmallCnn } from "../practical/training.ts";
import type { Photographs } from "../storedSource.ts";
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
  const masses = async (classifier: Classifier): Promise<(number | null)[]> =>
    (await explainFirst(classifier, test, method, options, count)).map(({ heatmap }, index) =>
      massInside(upsampleHeatmap(heatmap, test.height, test.width), masks[index]),
    );
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

/** The first test images with the shortcut, and a method's maps of both networks over them. */
export async function shortcutSheet(
  { kind, cheat, honest, material: { test, classNames } }: ShortcutPair,
  method: Method,
  options: MethodOptions,
  count: number,
): Promise<MapSheet> {
  const maps = [
    await explainFirst(cheat, test, method, options, count),
    await explainFirst(honest, test, method, options, count),
  ];
  const images = await Promise.all(Array.from({ length: count }, (_, index) => imageOf(test, index)));
  return {
    caption: `${method.title}, for the label, by the network that learned where the ${titles[kind]} told it and by the one that learned where it told nothing.`,
    heads: ["the picture", "told the label", "told nothing"],
    rows: images.map((image, index) => ({
      title: classNames[test.labels[index]],
      pictures: [image, ...maps.map((of) => renderExplanation(image, of[index]))],
    })),
  };
}

/** Explains the labels of the first images. */
async function explainFirst(
  classifier: Classifier,
  images: Photographs,
  method: Method,
  options: MethodOptions,
  count: number,
): Promise<Explanation[]> {
  using explainer = await method.create(classifier.explainable, options);
  const { height, width, labels } = images;
  const batch = new Float32Array(count * height * width * 3);
  for (let row = 0; row < count; row++) batch.set(await images.pixels(row), row * height * width * 3);
  return await explainer.explain(batch, Array.from(labels.subarray(0, count)));
}
