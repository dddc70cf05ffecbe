import type { ShortcutKind } from "../../data/petals-shortcut.ts";
import type { Device } from "../../engine/device.ts";
import type { Classifier } from "../../nn/classifier.ts";
import { lossAndAccuracy } from "../../nn/metrics.ts";
import { predictAll } from "../../nn/prediction.ts";
import { massInside } from "../../xai/evidence/location.ts";
import { type ShortcutFinding, type ShortcutMeasure, shortcutFinding } from "../../xai/evidence/shortcut.ts";
import type { Method, MethodOptions } from "../../xai/explanation.ts";
import { methodNamed } from "../../xai/methods.ts";
import { type Heatmap, upsampleHeatmap } from "../../xai/overlay.ts";
import { drawPetals, type Material } from "../practical/material.ts";
import { type TrainingSettings, trainSmallCnn } from "../practical/training.ts";
import type { Terminal } from "../terminal.ts";

const titles: Readonly<Record<ShortcutKind, string>> = { corner: "corner mark", background: "background" };

/**
 * A mark has a small place that is the same in each picture: its bare mass says enough. A background covers most of the picture,
 * and how much of it changes with the flower: its bare mass follows the area, which is taken out.
 */
const measures: Readonly<Record<ShortcutKind, ShortcutMeasure>> = { corner: "mass", background: "per area" };

/** For marks: layers before the last, whose cells are as fine or finer and see half as far. */
const fineMaps = { method: "layercam", layers: ["stage_1_relu", "stage_2_relu"] } as const;

/** For backgrounds: points of the path of Integrated Gradients, and the edge in pixels of the blocks that its map is averaged over. */
const pathPoints = 16;
const blockEdge = 4;

export interface ShortcutPair {
  readonly kind: ShortcutKind;
  readonly cheat: Classifier;
  readonly honest: Classifier;
  /** Drawn with the shortcut, and the same flowers without it. */
  readonly material: Material;
  readonly plain: Material;
}

/**
 * Two networks by the same code, seed and flowers: one learns from pictures where the shortcut tells the species, the other
 * from pictures where it looks the same and tells nothing.
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

/** What the maps that judge this kind of shortcut best say of the two networks. */
export function judgeByBestMaps(pair: ShortcutPair, count: number): Promise<ShortcutFinding & { method: string }> {
  return pair.kind === "corner" ? judgeByLayers(pair, count) : judgeByPath(pair, count);
}

async function judgeByLayers(pair: ShortcutPair, count: number): Promise<ShortcutFinding & { method: string }> {
  const finding = await judgeShortcut(pair, methodNamed(fineMaps.method), { layers: fineMaps.layers }, count);
  return { ...finding, method: `${fineMaps.method} at ${fineMaps.layers.join(" and ")}` };
}

/**
 * What Integrated Gradients from the test images' mean colour say, averaged over blocks: a texture that speaks for the class
 * here and against it beside cancels out, a hue that speaks everywhere stays.
 */
async function judgeByPath(pair: ShortcutPair, count: number): Promise<ShortcutFinding & { method: string }> {
  const { test } = pair.material;
  const color = [0, 0, 0];
  for (let index = 0; index < count; index++)
    for (const [at, value] of (await test.pixels(index)).entries())
      color[at % 3] += value / (count * test.height * test.width);
  const baseline = Float32Array.from({ length: test.height * test.width * 3 }, (_, at) => color[at % 3]);
  const options = { baselines: [baseline], rule: "gauss-legendre", steps: pathPoints } as const;
  const finding = await judgeShortcut(pair, methodNamed("ig"), options, count, (map) => blockMeans(map, blockEdge));
  return { ...finding, method: `ig from the mean colour in blocks of ${blockEdge} × ${blockEdge}` };
}

/** A map whose places have the mean of their block of `edge` × `edge`; blocks at the far borders are cut off. */
export function blockMeans({ values, height, width }: Heatmap, edge: number): Heatmap {
  const columns = Math.ceil(width / edge);
  const blockOf = (at: number): number =>
    Math.floor(Math.floor(at / width) / edge) * columns + Math.floor((at % width) / edge);
  const sums = new Float64Array(Math.ceil(height / edge) * columns);
  const counts = new Uint32Array(sums.length);
  values.forEach((value, at) => {
    sums[blockOf(at)] += value;
    counts[blockOf(at)]++;
  });
  return { values: values.map((_, at) => sums[blockOf(at)] / counts[blockOf(at)]), height, width };
}

/** What one method's maps say of the two networks, on the first test images with the shortcut. */
export async function judgeShortcut(
  { kind, cheat, honest, material, plain }: ShortcutPair,
  method: Method,
  options: MethodOptions,
  count: number,
  coarsen: (map: Heatmap) => Heatmap = (map) => map,
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
      massInside(upsampleHeatmap(coarsen(heatmap), test.height, test.width), masks[index]),
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
    measure: measures[kind],
    accuracy: { withShortcut: await accuracyOn(material), without: await accuracyOn(plain) },
  });
  return { method: method.name, ...finding };
}
