import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toBytes } from "../../data/images.ts";
import { encodePng } from "../../data/png.node.ts";
import { RESIZE_MODES } from "../../data/resize.ts";
import type { Device } from "../../engine/device.ts";
import { UsageError } from "../../engine/errors.ts";
import type { Classifier } from "../../nn/classifier.ts";
import { serializeSafetensors, type TensorToStore } from "../../nn/formats/safetensors.ts";
import { type BaselineName, baselineNames, baselinePixels } from "../../xai/baselines.ts";
import { GradCam } from "../../xai/gradCam.ts";
import { IntegratedGradients } from "../../xai/integratedGradients.ts";
import type { Score } from "../../xai/model.ts";
import { type RgbImage, renderAttribution, renderOverlay } from "../../xai/overlay.ts";
import { type QuadratureRule, quadratureRules } from "../../xai/quadrature.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { withDevice } from "../device.ts";
import { type LoadedImages, loadImages, stem } from "../images.ts";
import { readLabels, topClasses } from "../labels.ts";
import { loadClassifier } from "../model.ts";

interface Target {
  readonly class: number;
  readonly label: string;
  readonly probability: number;
}

interface Settings {
  readonly score: Score;
  readonly layer?: string;
  readonly steps: number;
  readonly rule: QuadratureRule;
  readonly baseline: BaselineName;
}

/** What one method says of all images: tensors for `--raw`, a picture and a record for each. */
interface Explanations {
  readonly tensors: Record<string, TensorToStore>;
  readonly pictures: readonly RgbImage[];
  readonly records: readonly object[];
}

export const command = defineCommand({
  name: "explain",
  summary: "show where a model looks, and what each pixel contributed",
  usage: "IMAGE... --weights FILE | --model DIR --method gradcam|ig [options]",
  positionals: [
    { name: "images", type: "path", exists: "file", multiple: true, required: true, help: "JPEG, PNG or WebP files" },
  ],
  options: {
    weights: { type: "path", exists: "file", help: "a Keras .h5, .keras or .safetensors file with a head" },
    model: { type: "path", exists: "folder", help: "a folder written by train" },
    method: {
      type: "choice",
      choices: ["gradcam", "ig"],
      default: "gradcam",
      help: "Grad-CAM or Integrated Gradients",
    },
    score: { type: "choice", choices: ["logit", "prob"], default: "logit", help: "what is explained" },
    class: {
      type: "string",
      default: "top",
      placeholder: "top|K",
      help: "the likeliest class of each image, or class number K",
    },
    layer: {
      type: "string",
      placeholder: "NAME",
      help: "layer of Grad-CAM, else the last spatial activation; by-name: the last with conv in its name",
    },
    steps: { type: "integer", min: 1, max: 4096, default: 50, help: "evaluations of Integrated Gradients" },
    rule: {
      type: "choice",
      choices: quadratureRules,
      default: "gauss-legendre",
      help: "quadrature of Integrated Gradients",
    },
    baseline: {
      type: "choice",
      choices: baselineNames,
      default: "black",
      help: "where its path starts, as pixels; zeros: zero after preprocessing",
    },
    size: { type: "integer", min: 32, help: "edge of the model's input, else the model's own" },
    resize: { type: "choice", choices: RESIZE_MODES, help: "aspect or tf, else the model's own" },
    labels: { type: "path", exists: "file", help: "class names, one a line, where the weights have none" },
    out: { type: "path", default: "explanations", help: "folder for the pictures" },
    raw: {
      type: "path",
      help: "write heatmap [N, h, w], or attribution [N, H, W, 3] and completeness_gap [N], to this .safetensors file",
    },
  },
  examples: [
    ["tepal explain rose.jpg --model runs/flowers", "a Grad-CAM overlay for the predicted class"],
    [
      "tepal explain rose.jpg --model runs/flowers --method ig --baseline grey --raw ig.safetensors",
      "attributions as numbers too",
    ],
  ],
  async run(args, context) {
    return withDevice(async (device, adapter) => {
      const classifier = await loadClassifier(device, { ...args, resize: args.resize as "tf" | "aspect" | undefined });
      const loaded = await loadImages(args.images, classifier.inputSize, classifier.preprocessing.resize, context);
      const targets = await findTargets(classifier, loaded, args.class, args.labels);
      const settings: Settings = {
        ...args,
        score: args.score as Score,
        rule: args.rule as QuadratureRule,
        baseline: args.baseline as BaselineName,
      };
      const explained =
        args.method === "gradcam"
          ? await explainByGradCam(classifier, loaded, targets, settings)
          : await explainByIntegratedGradients(device, classifier, loaded, targets, settings, context);
      mkdirSync(args.out, { recursive: true });
      const images = loaded.files.map((file, index) => {
        const picture = join(args.out, `${pictureName(loaded.files, index)}-${args.method}.png`);
        writeFileSync(picture, encodePng(explained.pictures[index]));
        context.print(
          `${file}: ${targets[index].label} (${(100 * targets[index].probability).toFixed(1)} %) → ${picture}`,
        );
        return { file, ...targets[index], ...explained.records[index], picture };
      });
      if (args.raw !== undefined)
        writeFileSync(args.raw, serializeSafetensors(explained.tensors, { files: JSON.stringify(loaded.files) }));
      const { method, score } = args;
      return {
        adapter,
        method,
        score,
        images,
        broken: loaded.broken,
        ...(args.raw === undefined ? {} : { raw: args.raw }),
      };
    });
  },
});

/** Images of different folders may share a name: the number keeps their pictures apart. */
function pictureName(files: readonly string[], index: number): string {
  const name = stem(files[index]);
  return files.some((other, at) => at !== index && stem(other) === name) ? `${name}-${index + 1}` : name;
}

async function findTargets(
  classifier: Classifier,
  { files, pixels }: LoadedImages,
  wanted: string,
  labels?: string,
): Promise<Target[]> {
  const { logits, probabilities, classes } = await classifier.predict(pixels);
  const names = labels === undefined ? classifier.classNames : readLabels(labels, classes);
  const fixed = wanted === "top" ? null : Number(wanted);
  if (fixed !== null && !(Number.isInteger(fixed) && fixed >= 0 && fixed < classes))
    throw new UsageError(`--class expects top or a number from 0 to ${classes - 1}, found "${wanted}"`);
  return files.map((_, index) => {
    const range = [index * classes, (index + 1) * classes] as const;
    const ranked = topClasses(logits.subarray(...range), probabilities.subarray(...range), classes, names);
    const {
      class: chosen,
      label,
      probability,
    } = fixed === null ? ranked[0] : (ranked.find((entry) => entry.class === fixed) as (typeof ranked)[0]);
    return { class: chosen, label, probability };
  });
}

const imageAt = (pixels: Float32Array, [height, width]: readonly [number, number], index: number): RgbImage => {
  const size = height * width * 3;
  return { height, width, data: new Uint8Array(toBytes(pixels.subarray(index * size, (index + 1) * size))) };
};

async function explainByGradCam(
  classifier: Classifier,
  { files, pixels }: LoadedImages,
  targets: readonly Target[],
  { layer, score }: Settings,
): Promise<Explanations> {
  using gradCam = await GradCam.create(classifier.explainable, { layer, score });
  const classes = Int32Array.from(targets, (target) => target.class);
  const { heatmaps, peaks, status, height, width } = await gradCam.explain(pixels, classes);
  const pictures = files.map((_, index) => {
    const values = heatmaps.subarray(index * height * width, (index + 1) * height * width);
    return renderOverlay(imageAt(pixels, classifier.inputSize, index), { values, height, width });
  });
  const shape = [files.length, height, width];
  return {
    tensors: { heatmap: { dtype: "F32", shape, data: heatmaps } },
    pictures,
    records: files.map((_, index) => ({
      layer: gradCam.layer,
      status: status[index],
      peak: peaks[index],
      height,
      width,
    })),
  };
}

async function explainByIntegratedGradients(
  device: Device,
  classifier: Classifier,
  { files, pixels }: LoadedImages,
  targets: readonly Target[],
  { steps, rule, score, baseline }: Settings,
  { terminal }: CommandContext,
): Promise<Explanations> {
  const [height, width] = classifier.inputSize;
  using method = await IntegratedGradients.create(classifier.explainable, {
    steps,
    rule,
    score,
    maxBatch: device.traits.software ? 8 : 32,
  });
  const origin = baselinePixels(baseline, classifier.inputSize, classifier.preprocessing);
  const size = height * width * 3;
  const attribution = new Float32Array(files.length * size);
  const gaps = new Float32Array(files.length);
  const pictures: RgbImage[] = [];
  const records: object[] = [];
  const progress = terminal.progress("Integrated Gradients", files.length);
  for (let index = 0; index < files.length; index++) {
    const result = await method.explain(
      pixels.subarray(index * size, (index + 1) * size),
      origin,
      targets[index].class,
    );
    attribution.set(result.attribution, index * size);
    gaps[index] = result.completenessGap;
    pictures.push(renderAttribution(result.attribution, height, width));
    const { completenessGap, relativeGap, scores } = result;
    records.push({ steps, rule, baseline, completenessGap, relativeGap, scores });
    progress.update(index + 1);
  }
  progress.finish();
  return {
    tensors: {
      attribution: { dtype: "F32", shape: [files.length, height, width, 3], data: attribution },
      completeness_gap: { dtype: "F32", shape: [files.length], data: gaps },
    },
    pictures,
    records,
  };
}
