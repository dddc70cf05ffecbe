import { RESIZE_MODES } from "../../data/resize.ts";
import { argmaxOfRow } from "../../nn/metrics.ts";
import { applyConvention, type ConventionName, conventionNames, conventions } from "../../xai/conventions.ts";
import { type Introspection, Introspector, type LayerReport } from "../../xai/introspection.ts";
import { defineCommand } from "../command.ts";
import { withDevice } from "../device.ts";
import { loadImages } from "../images.ts";
import { loadClassifier } from "../model.ts";

export const command = defineCommand({
  name: "introspect",
  summary: "look into each layer at one image, and say whether it was preprocessed as the network expects",
  usage: "IMAGE... --weights FILE | --model DIR [--feed CONVENTION] [options]",
  positionals: [
    { name: "images", type: "path", exists: "file", multiple: true, required: true, help: "JPEG, PNG or WebP files" },
  ],
  options: {
    weights: { type: "path", exists: "file", help: "a Keras .h5, .keras or .safetensors file with a head" },
    model: { type: "path", exists: "folder", help: "a folder written by train" },
    feed: {
      type: "choice",
      choices: conventionNames,
      help: "hand the image over in this way instead of the model's own, to see what a mistake looks like",
    },
    class: { type: "integer", min: 0, help: "class whose gradient is taken, else the likeliest" },
    size: { type: "integer", min: 32, help: "edge of the model's input, else the model's own" },
    resize: { type: "choice", choices: RESIZE_MODES, help: "aspect or tf, else the model's own" },
  },
  examples: [
    ["tepal introspect rose.jpg --model runs/flowers", "every layer beside what it saw in training"],
    ["tepal introspect rose.jpg --weights mobilenet_v2.h5 --feed identity", "what forgotten preprocessing looks like"],
  ],
  async run(args, context) {
    return withDevice(async (device, adapter) => {
      const classifier = await loadClassifier(device, { ...args, resize: args.resize as "tf" | "aspect" | undefined });
      const loaded = await loadImages(args.images, classifier.inputSize, classifier.preprocessing.resize, context);
      using introspector = await Introspector.create(classifier.explainable);
      const { logits, classes } = await classifier.predict(loaded.pixels);
      const size = loaded.pixels.length / loaded.files.length;
      const feed = args.feed as ConventionName | undefined;
      const images: object[] = [];
      for (const [index, file] of loaded.files.entries()) {
        const pixels = loaded.pixels.slice(index * size, (index + 1) * size);
        const target = args.class ?? argmaxOfRow(logits, index, classes);
        const seen = feed
          ? await introspector.inspectValues(applyConvention(conventions[feed], pixels), target)
          : await introspector.inspect(pixels, target);
        context.print(`${file}: ${seen.verdict.words}`);
        if (loaded.files.length === 1) context.print(layerTable(seen));
        images.push({ file, class: target, ...seen });
      }
      return { adapter, feed: feed ?? "the model's own", images, broken: loaded.broken };
    });
  },
});

const columnsOfTable: readonly (readonly [title: string, of: (layer: LayerReport) => string])[] = [
  ["layer", ({ label }) => label],
  ["range", ({ minimum, maximum }) => `${minimum.toFixed(2)} to ${maximum.toFixed(2)}`],
  ["before BN, seen", ({ observed }) => `${observed.mean.toFixed(2)} ± ${observed.deviation.toFixed(2)}`],
  ["expected", ({ expected }) => `${expected.mean.toFixed(2)} ± ${expected.deviation.toFixed(2)}`],
  ["mismatch", ({ mismatch }) => mismatch.toFixed(2)],
  ["dead", ({ clipping }) => (clipping ? share(clipping.dead) : "")],
  ["expected", ({ expectedClipping }) => (expectedClipping ? share(expectedClipping.dead) : "")],
  ["at 6", ({ clipping }) => (clipping ? share(clipping.saturated) : "")],
  ["expected", ({ expectedClipping }) => (expectedClipping ? share(expectedClipping.saturated) : "")],
  ["gradient", ({ gradientNorm }) => gradientNorm.toExponential(1)],
];

const share = (value: number): string => `${(100 * Math.max(0, value)).toFixed(1)} %`;

function layerTable({ layers }: Introspection): string {
  const rows = [
    columnsOfTable.map(([title]) => title),
    ...layers.map((layer) => columnsOfTable.map(([, of]) => of(layer))),
  ];
  const widths = columnsOfTable.map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join("  "),
    )
    .join("\n");
}
