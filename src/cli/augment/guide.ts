import { Augmentation } from "../../data/augment/augmentation.ts";
import { Augmenter } from "../../data/augment/augmenter.ts";
import { describeField } from "../../data/augment/fields.ts";
import type { LayerType, Parameters } from "../../data/augment/layer.ts";
import { isMixing, layerTypes } from "../../data/augment/layers.ts";
import { builtInPolicies, type Policy, PolicyBuilder, policyToJson } from "../../data/augment/policy.ts";
import { type Image, toImage } from "../../data/images.ts";
import { renderPetal } from "../../data/petals.ts";
import type { Device } from "../../engine/device.ts";
import { type FillMode, fillModes } from "../../engine/ops/affine.ts";
import { type Cell, drawSheet } from "../drawing/sheet.ts";
import { augmentAt } from "./grid.ts";
import { drawTimelines, timelineLayers } from "./timeline.ts";

const edge = 80;
const columns = 6;

const flower = (species: number): Image => renderPetal({ seed: 7, index: species, species, size: edge }).image as Image;
const [example, partner] = [flower(3), flower(4)];

const borders: Readonly<Record<FillMode, string>> = {
  reflect: "`d c b a | a b c d | d c b a`",
  nearest: "`a a a a | a b c d | d d d d`",
  constant: "`k k k k | a b c d | k k k k`; a pixel on the edge is interpolated with k",
  wrap: "`a b c d | a b c d | a b c d`",
};

const introduction = `# Augmentation

*This page and its pictures are written by \`node script/augmentation-figures.mjs\` from the table of layers in
\`src/data/augment\`; a test compares the text.*

A policy is a list of layers. It becomes a part of the graph, so that a batch stays on the GPU between decoding and the loss:

\`\`\`ts
const augmentation = new Augmentation(builtInPolicies.advanced, { height: 224, width: 224 });
const { images, masks, labels } = augmentation.build({ images: x, masks: m, labels: oneHot }); // nodes of the graph
await plan.run({ x: pixels, ...augmentation.feeds([{ seed: 1, epoch: 0, id: 17 }]) }); // what this batch draws
\`\`\`

## Addresses

What an image gets depends on its address \`seed:epoch:id\`, the policy and the mode, and on nothing else: not on the batch, its order
or how often it was asked for. \`tepal augment IMAGE --policy advanced --replay 1:0:4\` makes the image of that address again. Each
layer draws from a counter generator (Philox) of its own, so adding a layer changes no other one. What training saw has the address of
its seed, its epoch from 1 on, and the image's place in the data set from 0 on; \`--size\` is then the network's.

Who is mixed with whom follows from the epoch's order: it is taken in pairs (\`epochOrder\`, \`batchPartners\`), which stay together in batches
of any even size.

## Modes

| layer | \`documented\` (default) | \`keras3\` | \`keras2\` |
|---|---|---|---|
| flip, both axes | two coins | one coin: nothing or both | two coins |
| contrast | U(1 − f, 1 + f) | U(1, 1 + f) | U(1 − f, 1 + f) |
| saturation | about the grey, clipped | of HSV | about the grey, clipped |
| erasing | area and aspect | each side √U(scale); its probability is drawn too, and random is noise | area and aspect |
| cutMix label | pixels of the box | area before rounding | pixels of the box |

Neighbouring geometric layers of one border rule are composed into one matrix and resampled once (\`--resample fused\`); one with another
\`fill\` begins a resampling of its own. \`--resample sequential\` resamples for each layer, as Keras does, and loses detail each time.

## Masks and heatmaps

\`build\` takes masks along: the same positions, the nearest pixel, the same border rule. \`invertHeatmap\` brings a heatmap of an
augmented image back to the original by the inverse matrix; what the augmented image does not show is 0.

## Borders

![the four border rules](augmentation/borders.png)

${fillModes.map((fill) => `- \`${fill}\`: ${borders[fill]}`).join("\n")}

The continuous position is folded before it is interpolated, as TensorFlow's kernel does.
`;

function layerText(name: string, { summary, formula, fields }: LayerType): string {
  const rows = Object.entries(fields).map(
    ([field, spec]) => `| \`${field}\` | ${describeField(spec)} | \`${JSON.stringify(spec.default)}\` | ${spec.help} |`,
  );
  return `### ${name}

${summary[0].toUpperCase()}${summary.slice(1)}.

> ${formula}

![${name}](augmentation/${name}.png)

| setting | takes | default | meaning |
|---|---|---|---|
${rows.join("\n")}
`;
}

function policyText(policy: Policy): string {
  const { layers, ...rest } = policyToJson(policy) as { layers: object[] };
  const head = Object.entries(rest).map(([key, value]) => `  "${key}": ${JSON.stringify(value)},`);
  const lines = layers.map((layer) => `    ${JSON.stringify(layer)}`);
  return ["```json", "{", ...head, '  "layers": [', lines.join(",\n"), "  ]", "}", "```"].join("\n");
}

/** The text of `docs/augmentation.md`. */
export const guideText = (): string =>
  [
    introduction,
    "## Layers\n\nRows that begin with an unchanged image show rising strength; the others an image and some that were drawn.\n",
    ...Object.entries(layerTypes).map(([name, layer]) => layerText(name, layer)),
    "## Policies\n\nA policy is a JSON file; what is left out has its default. The two that are built in:\n",
    ...Object.values(builtInPolicies).map(
      (policy) => `![${policy.name}](augmentation/${policy.name}.png)\n\n${policyText(policy)}\n`,
    ),
  ].join("\n");

/** Single layers always act in their pictures, and leave the size alone. */
function pictureSettings({ fields }: LayerType): Record<string, unknown> {
  return {
    ...(fields.probability ? { probability: 1 } : {}),
    ...(fields.height?.kind === "integer" ? { height: (edge * 3) / 4, width: (edge * 3) / 4 } : {}),
    ...(fields.alpha ? { alpha: 1 } : {}),
  };
}

async function drawnRow(device: Device, name: string, layer: LayerType): Promise<Cell[]> {
  const policy = new PolicyBuilder(name).add(name, pictureSettings(layer)).build();
  const augmentation = new Augmentation(policy, { height: edge, width: edge });
  const other = isMixing(layer) ? partner : undefined;
  const addresses = Array.from({ length: columns - (other ? 2 : 1) }, (_, id) => ({ seed: 1, epoch: 0, id }));
  const made = await augmentAt(device, augmentation, { image: example, other }, addresses);
  const { height, width } = augmentation.outputSize;
  const originals = (other ? [example, other] : [example]).map((image) =>
    height === edge ? image : cornerOf(image, height, width),
  );
  return [...originals, ...made.map(({ image }) => image)].map((image) => ({ image, label: "" }));
}

/** A sheet has cells of one size: beside crops stands the middle of the original. */
function cornerOf(image: Image, height: number, width: number): Image {
  const [top, left] = [(image.height - height) / 2, (image.width - width) / 2];
  const data = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * image.width + left) * 3;
    data.set(image.data.subarray(from, from + width * 3), y * width * 3);
  }
  return { height, width, data };
}

/** The same turned and shrunken image under each border rule. */
async function borderCells(device: Device): Promise<Cell[]> {
  const drawn: Parameters[] = [{ angle: Math.PI / 9 }, { height: 1.8, width: 1.8 }];
  const cells: Cell[] = [{ image: example, label: "original" }];
  for (const fill of fillModes) {
    const policy = new PolicyBuilder(fill, { fill }).add("rotation").add("zoom").build();
    const size = { height: edge, width: edge };
    using augmenter = await Augmenter.create(device, new Augmentation(policy, size), { maxBatch: 1 });
    const { images } = await augmenter.run(new Float32Array(example.data), [{ seed: 0, epoch: 0, id: 0, drawn }]);
    cells.push({ image: toImage(images, size), label: fill });
  }
  return cells;
}

/** The pictures of the page, by file name without the ending. */
export async function guideFigures(device: Device): Promise<Map<string, Image>> {
  const figures = new Map<string, Image>([["borders", drawSheet([{ cells: await borderCells(device) }])]]);
  for (const [name, layer] of Object.entries(layerTypes)) {
    const [row] = timelineLayers.includes(name)
      ? await drawTimelines(device, example, { columns, layers: [name] })
      : [];
    figures.set(name, drawSheet([{ cells: row ? row.cells : await drawnRow(device, name, layer) }]));
  }
  for (const [name, policy] of Object.entries(builtInPolicies)) {
    const augmentation = new Augmentation(policy, { height: edge, width: edge });
    const addresses = Array.from({ length: columns - 1 }, (_, id) => ({ seed: 1, epoch: 0, id }));
    const made = await augmentAt(device, augmentation, { image: example }, addresses);
    figures.set(
      name,
      drawSheet([{ cells: [example, ...made.map(({ image }) => image)].map((image) => ({ image, label: "" })) }]),
    );
  }
  return figures;
}
