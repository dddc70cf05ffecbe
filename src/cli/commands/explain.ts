import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { encodePng } from "../../data/png.node.ts";
import { RESIZE_MODES } from "../../data/resize.ts";
import { UsageError } from "../../engine/errors.ts";
import { serializeSafetensors } from "../../nn/formats/safetensors.ts";
import type { ColormapName } from "../../xai/colormaps.ts";
import { type Evidence, type Fill, fills } from "../../xai/evidence/evidence.ts";
import type { Explanation, MethodOptions } from "../../xai/explanation.ts";
import { methodNamed, methodNames } from "../../xai/methods.ts";
import type { Score } from "../../xai/model.ts";
import type { RgbImage } from "../../xai/overlay.ts";
import { type PathRule, quadratureRules } from "../../xai/quadrature.ts";
import { defineCommand } from "../command.ts";
import { withDevice } from "../device.ts";
import { ableMethods } from "../explain/ableMethods.ts";
import { readBaselines } from "../explain/baselines.ts";
import { evidenceWords, readMasks } from "../explain/evidence.ts";
import { explainAll } from "../explain/measure.ts";
import {
  type ColourScale,
  colourScale,
  contactSheet,
  imageAt,
  type MethodResults,
  picturesOf,
  rangesOf,
  recordOf,
  tensorsOf,
} from "../explain/outputs.ts";
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
      placeholder: "top|CLASS[+CLASS]",
      help: "the likeliest class of each image (default), a class by name or number, or several: 3+7",
    },
    class: { type: "string", placeholder: "top|CLASS[+CLASS]", help: "the same as --target" },
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
      help: "black, grey, white, zeros (after preprocessing), blur, noise, FILE, mean:FOLDER; several are averaged by ig and guided-ig; occlusion and rise take the first",
    },
    samples: { type: "integer", min: 1, help: "noise draws or masks, else the method's own number" },
    seed: { type: "integer", min: 0, default: 0, help: "seed of noise and masks" },
    size: { type: "integer", min: 32, help: "edge of the model's input, else the model's own" },
    resize: { type: "choice", choices: RESIZE_MODES, help: "aspect or tf, else the model's own" },
    precision: precisionOption,
    labels: { type: "path", exists: "file", help: "class names, one a line, where the weights have none" },
    out: { type: "path", default: "explanations", help: "folder for the pictures" },
    scale: {
      type: "string",
      default: "own",
      placeholder: "own|shared|NUMBER",
      help: "colours over each map's own range, over one for all images of a method, or up to a number",
    },
    colormap: { type: "choice", choices: ["ember", "lagoon", "grey"], default: "ember", help: "colours of magnitudes" },
    sheet: { type: "path", help: "write a contact sheet of methods × images to this .png file" },
    evidence: {
      type: "boolean",
      help: "measure each map: insertion, deletion, ROAD, sanity, sensitivity, completeness; minutes with a large network",
    },
    mask: {
      type: "path",
      exists: "file",
      multiple: true,
      help: "with --evidence: an image of the photograph's size, white on the object; one for each photograph",
    },
    fill: {
      type: "choice",
      choices: fills,
      default: "blur",
      help: "with --evidence: what stands for removed pixels in insertion and deletion",
    },
    raw: {
      type: "path",
      help: "write heatmap [N, h, w] over its peak [N], attribution [N, H, W, 3] and completeness_gap [N] to this .safetensors file",
    },
  },
  examples: [
    ["tepal explain rose.jpg --model runs/flowers", "a Grad-CAM overlay for the predicted class"],
    ["tepal explain rose.jpg --model runs/flowers --versus second --signed", "why this class and not the next"],
    [
      "tepal explain rose.jpg --model runs/flowers --method ig --evidence",
      "a map with the numbers that say whether to believe it",
    ],
    [
      "tepal explain *.jpg --model runs/flowers --method exactcam,ig,occlusion --sheet sheet.png",
      "three methods side by side",
    ],
  ],
  async run(args, context) {
    if (args.mask.length > 0 && !args.evidence)
      throw new UsageError("--mask is what maps are measured by; add --evidence or leave it out");
    if (args.target !== undefined && args.class !== undefined)
      throw new UsageError(
        `--target and --class are the same; found ${args.target} and ${args.class}, give one of them`,
      );
    const scale = colourScale(args.scale);
    const wanted = methodList(args.method);
    return withDevice(async (device, adapter) => {
      const classifier = await loadClassifier(device, { ...args, resize: args.resize as "tf" | "aspect" | undefined });
      const loaded = await loadImages(args.images, classifier.inputSize, classifier.preprocessing.resize, context);
      const targets = await chooseTargets(classifier, loaded, {
        ...(args.class === undefined
          ? { target: args.target ?? "top", option: "--target" }
          : { target: args.class, option: "--class" }),
        ...{ versus: args.versus, labels: args.labels },
      });
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
      const masks = args.mask.length > 0 ? await readMasks(args.mask, args.images, loaded, classifier, context) : [];
      const request = args.evidence ? { fill: args.fill as Fill, masks } : null;
      const methods = wanted ?? ableMethods(classifier.explainable, options, context.terminal).map(({ name }) => name);
      const results: MethodResults[] = [];
      for (const method of methods)
        results.push(await explainAll(classifier, method, loaded, targets, options, request, context));
      const written = write(results, loaded, targets, { ...args, scale, inputSize: classifier.inputSize });
      for (const image of written) context.print(describe(image));
      if (args.raw !== undefined) {
        mkdirSync(dirname(args.raw), { recursive: true });
        writeFileSync(args.raw, serializeSafetensors(tensorsOf(results), { files: JSON.stringify(loaded.files) }));
      }
      return {
        adapter,
        method: methods.length === 1 ? methods[0] : methods,
        score: args.score ?? scoreOf(methods),
        images: written.map((image) => recordOfImage(image)),
        broken: loaded.broken,
        ...(args.raw === undefined ? {} : { raw: args.raw }),
        ...(args.sheet === undefined ? {} : { sheet: args.sheet }),
      };
    });
  },
});

/** The methods of a list, or null for all. */
function methodList(list: string): string[] | null {
  if (list === "all") return null;
  const names = [...new Set(list.split(","))];
  for (const name of names)
    if (!methodNames.includes(name))
      throw new UsageError(`--method expects all or some of ${methodNames.join(", ")}, found "${name}"`);
  return names;
}

/** What methods explain unless told otherwise. */
function scoreOf(methods: readonly string[]): string {
  if (!methods.includes("rise")) return "logit";
  return methods.length === 1 ? "prob" : "logit, for rise prob";
}

interface WrittenImage {
  readonly file: string;
  readonly chosen: ChosenTarget;
  readonly maps: readonly {
    readonly explanation: Explanation;
    /** The value that the picture's colours end at. */
    readonly range: number;
    readonly picture: string;
    readonly evidence?: Evidence;
  }[];
}

interface WriteOptions {
  readonly inputSize: readonly [number, number];
  readonly out: string;
  readonly scale: ColourScale;
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
  const colormap = options.colormap as ColormapName;
  const ranges = results.map((result) => rangesOf(result, options.scale));
  const drawn = results.map((result, at) => picturesOf(result, photographs, { ranges: ranges[at], colormap }));
  if (sheet !== undefined) {
    mkdirSync(dirname(sheet), { recursive: true });
    const titles = files.map((file, index) => `${stem(file)}: ${describeTarget(withFirstNames(targets[index]))}`);
    writeFileSync(sheet, encodePng(sheetOf(results, drawn, photographs, titles)));
  }
  return files.map((file, index) => ({
    file,
    chosen: targets[index],
    maps: results.map(({ method, explanations, evidence }, at) => {
      const picture = join(out, `${pictureName(files, index)}-${method}.png`);
      writeFileSync(picture, encodePng(drawn[at][index]));
      return { explanation: explanations[index], range: ranges[at][index], picture, evidence: evidence?.[index] };
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

/** ImageNet's classes have several names each; a title has room for the first. */
const firstNames = (label: string): string =>
  label
    .split(" + ")
    .map((name) => name.split(",")[0])
    .join(" + ");

const withFirstNames = ({ versus, ...target }: ChosenTarget): ChosenTarget => ({
  ...target,
  label: firstNames(target.label),
  ...(versus ? { versus: { ...versus, label: firstNames(versus.label) } } : {}),
});

/** What a reader must know before believing a map: that it says nothing, or what its sum missed. */
function remarksOn({ status, details: { relativeGap } }: Explanation): string[] {
  const gap = typeof relativeGap === "number" ? [`completeness gap ${percent(relativeGap)}`] : [];
  return [...(status === "ok" ? [] : [status]), ...gap];
}

function describe({ file, chosen, maps }: WrittenImage): string {
  const pictures = maps.map(({ explanation, picture }) => {
    const remarks = remarksOn(explanation);
    return remarks.length > 0 ? `${picture} (${remarks.join(", ")})` : picture;
  });
  const lines = maps.flatMap(({ explanation, evidence }) =>
    evidence ? [`  ${explanation.method}`, ...evidenceWords(evidence).map((line) => `    ${line}`)] : [],
  );
  return [`${file}: ${describeTarget(chosen)} → ${pictures.join(", ")}`, ...lines].join("\n");
}

/** With one method its record is the image's; with several the image has a list. */
function recordOfImage({ file, chosen, maps }: WrittenImage): object {
  const { target: _, ...described } = chosen;
  const records = maps.map(({ explanation, range, picture, evidence }) => ({
    ...recordOf(explanation),
    range,
    picture,
    ...(evidence ? { evidence } : {}),
  }));
  return { file, ...described, ...(records.length === 1 ? records[0] : { explanations: records }) };
}

/** Images of different folders may share a name: the number keeps their pictures apart. */
function pictureName(files: readonly string[], index: number): string {
  const name = stem(files[index]);
  return files.some((other, at) => at !== index && stem(other) === name) ? `${name}-${index + 1}` : name;
}
