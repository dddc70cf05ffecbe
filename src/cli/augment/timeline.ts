import { Augmentation } from "../../data/augment/augmentation.ts";
import { Augmenter } from "../../data/augment/augmenter.ts";
import type { Parameters } from "../../data/augment/layer.ts";
import { PolicyBuilder } from "../../data/augment/policy.ts";
import { type Image, type ImageSize, toImage } from "../../data/images.ts";
import type { Device } from "../../engine/device.ts";
import type { SheetRow } from "../drawing/sheet.ts";

/** One operation at a strength of 0 (nothing) to 1. */
interface Timeline {
  readonly layer: string;
  readonly settings?: (size: ImageSize) => Record<string, unknown>;
  parameters(strength: number): Parameters;
  label(strength: number): string;
}

const times = (value: number): string => `×${value.toFixed(2)}`;
const percent = (value: number): string => `${Math.round(100 * value)}%`;
const between = (from: number, to: number, strength: number): number => from + (to - from) * strength;
const bitsAt = (strength: number): number => Math.round(between(8, 1, strength));

const timelines: readonly Timeline[] = [
  { layer: "rotation", parameters: (s) => ({ angle: (s * Math.PI) / 4 }), label: (s) => `${(45 * s).toFixed(1)}°` },
  {
    layer: "zoom",
    parameters: (s) => ({ height: between(1, 1.6, s), width: between(1, 1.6, s) }),
    label: (s) => times(between(1, 1.6, s)),
  },
  { layer: "translation", parameters: (s) => ({ down: 0.3 * s, right: 0.3 * s }), label: (s) => percent(0.3 * s) },
  { layer: "shear", parameters: (s) => ({ x: 0.5 * s, y: 0 }), label: (s) => (0.5 * s).toFixed(2) },
  {
    layer: "randomResizedCrop",
    settings: ({ height, width }) => ({ height, width }),
    parameters: (s) => ({ area: between(1, 0.15, s), ratio: 1, top: 0.5, left: 0.5 }),
    label: (s) => percent(between(1, 0.15, s)),
  },
  { layer: "brightness", parameters: (s) => ({ delta: 120 * s }), label: (s) => `+${Math.round(120 * s)}` },
  {
    layer: "contrast",
    parameters: (s) => ({ factor: between(1, 2.5, s) }),
    label: (s) => times(between(1, 2.5, s)),
  },
  { layer: "saturation", parameters: (s) => ({ factor: between(1, 3, s) }), label: (s) => times(between(1, 3, s)) },
  { layer: "hue", parameters: (s) => ({ turns: 0.5 * s }), label: (s) => `${Math.round(180 * s)}°` },
  { layer: "greyscale", parameters: (s) => ({ amount: s }), label: percent },
  {
    layer: "posterise",
    parameters: (s) => ({ active: 1, bits: bitsAt(s) }),
    label: (s) => `${bitsAt(s)} bits`,
  },
  {
    layer: "solarise",
    parameters: (s) => ({ active: 1, threshold: between(256, 0, s) }),
    label: (s) => `from ${Math.round(between(256, 0, s))}`,
  },
  { layer: "sharpen", parameters: (s) => ({ amount: 6 * s }), label: (s) => (6 * s).toFixed(1) },
  {
    layer: "blur",
    settings: () => ({ sigma: [0, 5] }),
    parameters: (s) => ({ sigma: 5 * s }),
    label: (s) => `σ ${(5 * s).toFixed(1)}`,
  },
  { layer: "noise", parameters: (s) => ({ sigma: 80 * s }), label: (s) => `σ ${Math.round(80 * s)}` },
  {
    layer: "erasing",
    parameters: (s) => ({ area: 0.4 * s, ratio: 1, top: 0.5, left: 0.5, colour: [127.5, 127.5, 127.5] }),
    label: (s) => percent(0.4 * s),
  },
];

/** The layers that have a strength to show. */
export const timelineLayers: readonly string[] = timelines.map(({ layer }) => layer);

/** A row of one image under one operation, from nothing to its greatest strength. */
async function drawTimeline(device: Device, timeline: Timeline, image: Image, columns: number): Promise<SheetRow> {
  const size = { height: image.height, width: image.width };
  const policy = new PolicyBuilder(timeline.layer).add(timeline.layer, timeline.settings?.(size)).build();
  const strengths = Array.from({ length: columns }, (_, column) => column / Math.max(columns - 1, 1));
  using augmenter = await Augmenter.create(device, new Augmentation(policy, size), { maxBatch: columns });
  const pixels = new Float32Array(columns * image.data.length);
  for (let column = 0; column < columns; column++) pixels.set(image.data, column * image.data.length);
  const samples = strengths.map((strength) => ({ seed: 0, epoch: 0, id: 0, drawn: [timeline.parameters(strength)] }));
  const { images } = await augmenter.run(pixels, samples);
  const cells = strengths.map((strength, column) => ({
    image: toImage(images.subarray(column * image.data.length, (column + 1) * image.data.length), size),
    label: timeline.label(strength),
  }));
  return { title: timeline.layer, cells };
}

/** One row for each of the layers, or for all that have a strength. */
export async function drawTimelines(
  device: Device,
  image: Image,
  { columns = 7, layers = timelineLayers }: { readonly columns?: number; readonly layers?: readonly string[] } = {},
): Promise<SheetRow[]> {
  const rows: SheetRow[] = [];
  for (const timeline of timelines)
    if (layers.includes(timeline.layer)) rows.push(await drawTimeline(device, timeline, image, columns));
  return rows;
}
