/** The text and the pictures of `docs/robustness.md`. */
import { Corrupter } from "../../data/corruptions/corrupter.ts";
import { Corruption, corruptionFamilies } from "../../data/corruptions/corruption.ts";
import type { CorruptionFamily } from "../../data/corruptions/family.ts";
import { jpegRoundTrip } from "../../data/corruptions/jpeg.node.ts";
import { severities } from "../../data/corruptions/severities.ts";
import type { Image } from "../../data/images.ts";
import { renderPetal } from "../../data/petals.ts";
import type { Device } from "../../engine/device.ts";
import { type Cell, drawSheet } from "../drawing/sheet.ts";

const edge = 112;

const introduction = `# Robustness

*This page and its pictures are written by \`node script/robustness-figures.mjs\` from the table of families in
\`src/data/corruptions\`; a test compares the text.*

A photograph in use is darker, noisier, blurred or dirtier than those of the data set. \`tepal robustness\` measures what that costs: every
test image is corrupted in each way at each severity, and the accuracy of each model is compared with its accuracy on clean images.

\`\`\`sh
npx tepal robustness --model baseline --model augmented --data petals --out robustness   # table, curves, mCE
\`\`\`

The families and the settings of their five severities are those of ImageNet-C and CIFAR-10-C (Hendrycks and Dietterich, "Benchmarking
neural network robustness to common corruptions and perturbations", ICLR 2019): the former at 224 pixels, the latter at 32, and in
between interpolated along the logarithm of the edge. Frost, fog and spatter are drawn by the program, where ImageNet-C pastes
photographs or uses other noise, so figures compare models here and not with published tables.

## Mean corruption error

The error of a model is 1 − accuracy, summed over the severities of a family. Its corruption error is that sum over the same sum of the
**baseline model**, the first that is given; the mean over families is the mCE (1 for the baseline itself, below 1 is more robust).
Beside it stands the relative mCE, in which each error has the model's clean error taken away first: how much worse corruption makes it,
whatever it started from. It is not shown where the baseline loses nothing, because the division then means nothing.

## Does augmentation make a network more robust?

\`\`\`sh
npx tepal compare --data petals --policies none,advanced --corruptions all   # lavapipe on two busy cores: 35 minutes
\`\`\`

Three seeds of each policy, one budget: all of the embedded backbone trains for five epochs at 64 pixels, and the test images are read
once. A policy gains most on what it practises, so the page states the **foreign** mCE too: over the families that are neither an operation
of the policy nor a relative of one. Training on one noise owns all noises, on one blur all blurs, and tones own brightness, contrast and
saturation. Its interval is a bootstrap over the test images, each with all its corruptions and seeds, both policies alike. On Mesa's
lavapipe the foreign mCE of \`advanced\` is **0.785 (0.754 to 0.818)**, by seed 0.777, 0.808 and 0.768, over twelve families. It has
its price: with these five epochs the accuracy on clean test images is 0.904 instead of 0.933.

## In code

Everything but JPEG is a part of the graph. What an image gets depends on its address (seed, id), the family and the severity, and on
nothing else: not on the batch or its order.

\`\`\`ts
const fog = new Corruption({ name: "fog", severity: 3, height: 224, width: 224 });
const foggy = fog.build(x);                                          // nodes of the graph: [N, 224, 224, 3] of 0 to 255
await plan.run({ x: pixels, ...fog.feeds([{ seed: 1, id: 17 }]) });  // what this batch draws

using corrupter = await Corrupter.create(device, fog);               // or pixels in, bytes out
const bytes = await corrupter.run(pixels, [{ seed: 1, id: 17 }]);
\`\`\`

## Families

Each row begins with the image itself; then severities 1 to 5, with the settings at ${edge} pixels below the picture's.
`;

const number = (value: number): string => String(Number(value.toPrecision(3)));

function familyText(name: string, { summary, formula, scales, group }: CorruptionFamily): string {
  const settings = severities.map((severity) => new Corruption({ name, severity, height: edge, width: edge }).settings);
  const rows = Object.entries(scales).flatMap(([setting, { help, small, large }]) => [
    `| \`${setting}\`: ${help} | 32 px | ${small.map(number).join(" | ")} |`,
    `| | 224 px | ${large.map(number).join(" | ")} |`,
    `| | ${edge} px | ${settings.map((values) => number(values[setting])).join(" | ")} |`,
  ]);
  return `### ${name}

${summary[0].toUpperCase()}${summary.slice(1)} (${group}).

> ${formula}

![${name}](robustness/${name}.png)

| setting | at | 1 | 2 | 3 | 4 | 5 |
|---|---|---|---|---|---|---|
${rows.join("\n")}
`;
}

/** The text of `docs/robustness.md`. */
export const robustnessGuide = (): string =>
  [introduction, ...Object.entries(corruptionFamilies).map(([name, family]) => familyText(name, family))].join("\n");

/** One image corrupted. */
export async function corruptImage(device: Device, name: string, severity: number, image: Image): Promise<Image> {
  const { height, width } = image;
  const corruption = new Corruption({ name, severity, height, width });
  using corrupter = await Corrupter.create(device, corruption, { maxBatch: 1, jpeg: jpegRoundTrip });
  return { height, width, data: await corrupter.run(image.data, [{ seed: 1, id: 0 }]) };
}

/** An image and its five severities. */
async function severityCells(device: Device, name: string, image: Image): Promise<Cell[]> {
  const cells: Cell[] = [{ image, label: "" }];
  for (const severity of severities)
    cells.push({ image: await corruptImage(device, name, severity, image), label: "" });
  return cells;
}

/** The pictures of the page, by file name without the ending. */
export async function robustnessFigures(device: Device): Promise<Map<string, Image>> {
  const example = renderPetal({ seed: 7, index: 3, species: 3, size: edge }).image as Image;
  const figures = new Map<string, Image>();
  for (const name of Object.keys(corruptionFamilies))
    figures.set(name, drawSheet([{ cells: await severityCells(device, name, example) }]));
  return figures;
}
