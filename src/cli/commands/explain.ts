import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodePng } from "../../data/png.node.ts";
import { RESIZE_MODES } from "../../data/resize.ts";
import { UsageError } from "../../engine/errors.ts";
import type { Classifier } from "../../nn/classifier.ts";
import { serializeSafetensors } from "../../nn/formats/safetensors.ts";
import type { ColormapName } from "../../xai/colormaps.ts";
import type { Explanation, MethodOptions } from "../../xai/explanation.ts";
import { methodNamed, methodNames } from "../../xai/methods.ts";
import type { Score } from "../../xai/model.ts";
import type { RgbImage } from "../../xai/overlay.ts";
import { type PathRule, quadratureRules } from "../../xai/quadrature.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { withDevice } from "../device.ts";
import { readBaselines } from "../explain/baselines.ts";
import { contactSheet, imageAt, type MethodResults, picturesOf, recordOf, tensorsOf } from "../explain/outputs.ts";
import { type ChosenTarget, chooseTargets } from "../explain/targets.ts";
import { type LoadedImages, loadImages, stem } from "../images.ts";
import { loadClassifier, precisionOption } from "../model.ts";

export const command = defineCommand({
  name: "explain",
  summary: "show where a model looks, and what each pixel contributed",
  usage: "IMAGE... --weights FILE | --model DIR [--method LIST] [options]",
  positionals: [
    { name: "images", type: "path", exists: "file", multiple: true, required: true, help: "JPEG, PNG or WebP files" },
  ],
  options: {
    weights: { type: "path", exists: "file", help: "a Keras .h5, .keras or .safetensors file with a head" },
    model: { type: "path", exists: "folder", help: "a folder written by train" },
    method: {
      type: "string",
      default: "gradcam",
      placeholder: "LIST",
      help: `all, or some of ${methodNames.join(", ")}; commas between them`,
    },
    score: { type: "choice", choices: ["logit", "prob"], help: "what is explained: logit, for rise prob" },
    target: {
      type: "string",
      placeholder: "top|CLASS",
      help: "the likeliest class of each image (default), or a class by name or number",
    },
    class: { type: "string", placeholder: "top|K", help: "the same as --target" },
    versus: {
      type: "string",
      placeholder: "second|CLASS",
      help: "explain the difference to another class: why a rose and not a tulip",
    },
    layer: {
      type: "string",
      placeholder: "NAMES",
      help: "layers of the CAM family, fused; else the last spatial activation; by-name: the last with conv in its name",
    },
    signed: { type: "boolean", help: "CAM family: show evidence against the class too" },
    rule: {
      type: "choice",
      choices: ["adaptive", ...quadratureRules],
      help: "quadrature of path methods; adaptive, with --steps gauss-legendre",
    },
    tolerance: { type: "number", min: 0, default: 1e-2, help: "relative completeness gap at which adaptive ends" },
    steps: { type: "integer", min: 1, max: 4096, help: "evaluations of a path, windows along a side for occlusion" },
    baseline: {
      type: "string",
      placeholder: "LIST",
      help: "black, grey, white, zeros (after preprocessing), blur, noise, FILE, mean:FOLDER; several are averaged",
    },
    samples: { type: "integer", min: 1, help: "noise draws or masks, else the method's own number" },
    seed: { type: "integer", min: 0, default: 0, help: "seed of noise and masks" },
    size: { type: "integer", min: 32, help: "edge of the model's input, else the model's own" },
    resize: { type: "choice", choices: RESIZE_MODES, help: "aspect or tf, else the model's own" },
    precision: precisionOption,
    labels: { type: "path", exists: "file", help: "class names, one a line, where the weights have none" },
    out: { type: "path", default: "explanations", help: "folder for the pictures" },
    scale: {
      type: "choice",
      choices: ["own", "shared"],
      default: "own",
      help: "colours over each map's own range, or one range for all images of a method",
    },
    colormap: { type: "choice", choices: ["ember", "lagoon", "grey"], default: "ember", help: "colours of magnitudes" },
    sheet: { type: "path", help: "write a contact sheet of methods × images to this .png file" },
    raw: {
      type: "path",
      help: "write heatmap [N, h, w] over its peak [N], attribution [N, H, W, 3] and completeness_gap [N] to this .safetensors file",
    },
  },
  examples: [
    ["tepal explain rose.jpg --model runs/flowers", "a Grad-CAM overlay for the predicted class"],
    ["tepal explain rose.jpg --model runs/flowers --versus second --signed", "why this class and not the next"],
    [
      "tepal explain *.jpg --model runs/flowers --method exactcam,ig,occlusion --sheet sheet.png",
      "three methods side by side",
    ],
  ],
  async run(args, context) {
    return withDevice(async (device, adapter) => {
      const methods = methodList(args.method);
      const classifier = await loadClassifier(device, { ...args, resize: args.resize as "tf" | "aspect" | undefined });
      const loaded = await loadImages(args.images, classifier.inputSize, classifier.preprocessing.resize, context);
      const target = args.target ?? args.class ?? "top";
      const targets = await chooseTargets(classifier, loaded, { target, versus: args.versus, labels: args.labels });
      const options: MethodOptions = {
        score: args.score as Score | undefined,
        layers: args.layer?.split(","),
        signed: args.signed,
        rule: args.rule as PathRule | undefined,
        tolerance: args.tolerance,
        steps: args.steps,
        baselines: args.baseline === undefined ? undefined : await readBaselines(args.baseline, classifier, context),
        samples: args.samples,
        seed: args.seed,
        maxBatch: device.traits.software ? undefined : 32,
      };
      const results: MethodResults[] = [];
      for (const method of methods)
        results.push(await explainAll(classifier, method, loaded, targets, options, context));
      const written = write(results, loaded, targets, { ...args, inputSize: classifier.inputSize });
      for (const image of written) context.print(describe(image));
      if (args.raw !== undefined)
        writeFileSync(args.raw, serializeSafetensors(tensorsOf(results), { files: JSON.stringify(loaded.files) }));
      return {
        adapter,
        method: methods.length === 1 ? methods[0] : methods,
        score: args.score ?? (methods.length === 1 && methods[0] === "rise" ? "prob" : "logit"),
        images: written.map((image) => recordOfImage(image)),
        broken: loaded.broken,
        ...(args.raw === undefined ? {} : { raw: args.raw }),
        ...(args.sheet === undefined ? {} : { sheet: args.sheet }),
      };
    });
  },
});

function methodList(list: string): string[] {
  if (list === "all") return [...methodNames];
  const names = [...new Set(list.split(","))];
  for (const name of names)
    if (!methodNames.includes(name))
      throw new UsageError(`--method expects all or some of ${methodNames.join(", ")}, found "${name}"`);
  return names;
}

async function explainAll(
  classifier: Classifier,
  method: string,
  { files, pixels }: LoadedImages,
  targets: readonly ChosenTarget[],
  options: MethodOptions,
  { terminal }: CommandContext,
): Promise<MethodResults> {
  const { title, create } = methodNamed(method);
  using explainer = await create(classifier.explainable, options);
  const size = pixels.length / files.length;
  const explanations: Explanation[] = [];
  const progress = terminal.progress(title, files.length);
  for (const [index, { target }] of targets.entries()) {
    explanations.push(...(await explainer.explain(pixels.subarray(index * size, (index + 1) * size), [target])));
    progress.update(index + 1);
  }
  progress.finish();
  return { method, explanations };
}

interface WrittenImage {
  readonly file: string;
  readonly chosen: ChosenTarget;
  readonly maps: readonly { readonly explanation: Explanation; readonly picture: string }[];
}

interface WriteOptions {
  readonly inputSize: readonly [number, number];
  readonly out: string;
  readonly scale: string;
  readonly colormap: string;
  readonly sheet?: string;
}

/** Writes the pictures and the contact sheet. */
function write(
  results: readonly MethodResults[],
  { files, pixels }: LoadedImages,
  targets: readonly ChosenTarget[],
  { inputSize, out, sheet, ...options }: WriteOptions,
): WrittenImage[] {
  mkdirSync(out, { recursive: true });
  const photographs = files.map((_, index) => imageAt(pixels, inputSize, index));
  const drawn = results.map((result) => {
    const scale = options.scale as "own" | "shared";
    return picturesOf(result, photographs, { scale, colormap: options.colormap as ColormapName });
  });
  if (sheet !== undefined) {
    const titles = files.map((file, index) => `${stem(file)}: ${describeTarget(targets[index])}`);
    writeFileSync(sheet, encodePng(sheetOf(results, drawn, photographs, titles)));
  }
  return files.map((file, index) => ({
    file,
    chosen: targets[index],
    maps: results.map(({ method, explanations }, at) => {
      const picture = join(out, `${pictureName(files, index)}-${method}.png`);
      writeFileSync(picture, encodePng(drawn[at][index]));
      return { explanation: explanations[index], picture };
    }),
  }));
}

/** The contact sheet; a map that says nothing, or that did not converge, says so below it. */
function sheetOf(
  results: readonly MethodResults[],
  drawn: readonly (readonly RgbImage[])[],
  photographs: readonly RgbImage[],
  titles: readonly string[],
): RgbImage {
  const columns = results.map(({ method, explanations }, at) => ({
    title: methodNamed(method).title,
    pictures: drawn[at],
    remarks: explanations.map(({ status }) => (status === "ok" ? "" : `: ${status}`)),
  }));
  return contactSheet(photographs, titles, columns);
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const describeTarget = ({ label, probability, versus }: ChosenTarget): string =>
  `${label} (${percent(probability)})${versus ? ` and not ${versus.label} (${percent(versus.probability)})` : ""}`;

function describe({ file, chosen, maps }: WrittenImage): string {
  const pictures = maps.map(({ explanation: { status }, picture }) =>
    status === "ok" ? picture : `${picture} (${status})`,
  );
  return `${file}: ${describeTarget(chosen)} → ${pictures.join(", ")}`;
}

/** With one method its record is the image's; with several the image has a list. */
function recordOfImage({ file, chosen, maps }: WrittenImage): object {
  const { target: _, ...described } = chosen;
  const records = maps.map(({ explanation, picture }) => ({ ...recordOf(explanation), picture }));
  return { file, ...described, ...(records.length === 1 ? records[0] : { explanations: records }) };
}

/** Images of different folders may share a name: the number keeps their pictures apart. */
function pictureName(files: readonly string[], index: number): string {
  const name = stem(files[index]);
  return files.some((other, at) => at !== index && stem(other) === name) ? `${name}-${index + 1}` : name;
}
