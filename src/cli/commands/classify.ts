import { writeFileSync } from "node:fs";
import { RESIZE_MODES } from "../../data/resize.ts";
import { serializeSafetensors } from "../../nn/formats/safetensors.ts";
import { defineCommand } from "../command.ts";
import { withDevice } from "../device.ts";
import { loadImages } from "../images.ts";
import { readLabels, topClasses } from "../labels.ts";
import { loadClassifier, precisionOption } from "../model.ts";

export const command = defineCommand({
  name: "classify",
  summary: "name what is on photographs",
  usage: "IMAGE... --weights FILE | --model DIR [options]",
  positionals: [
    { name: "images", type: "path", exists: "file", multiple: true, required: true, help: "JPEG, PNG or WebP files" },
  ],
  options: {
    weights: { type: "path", exists: "file", help: "a Keras .h5, .keras or .safetensors file with a head" },
    model: { type: "path", exists: "folder", help: "a folder written by train" },
    top: { type: "integer", min: 1, default: 5, help: "classes to name per image" },
    size: { type: "integer", min: 32, help: "edge of the model's input, else the model's own" },
    resize: {
      type: "choice",
      choices: RESIZE_MODES,
      help: "aspect: keep it, antialias, crop the centre; tf: tf.image.resize; else the model's own",
    },
    precision: precisionOption,
    labels: { type: "path", exists: "file", help: "class names, one a line, where the weights have none" },
    raw: { type: "path", help: "write logits and probabilities [N, classes] to this .safetensors file" },
  },
  examples: [
    ["tepal classify rose.jpg --weights mobilenet.h5 --labels labels.txt", "the five likeliest of 1000 classes"],
    ["tepal classify *.jpg --model runs/flowers --json", "with a model that train saved"],
  ],
  async run({ images, weights, model, top, size, resize, precision, labels, raw }, context) {
    return withDevice(async (device, adapter) => {
      const classifier = await loadClassifier(device, {
        weights,
        model,
        size,
        resize: resize as "tf" | "aspect" | undefined,
        precision,
      });
      const { files, pixels, broken } = await loadImages(
        images,
        classifier.inputSize,
        classifier.preprocessing.resize,
        context,
      );
      const { logits, probabilities, classes } = await classifier.predict(pixels);
      const names = labels === undefined ? classifier.classNames : readLabels(labels, classes);
      const results = files.map((file, index) => {
        const range = [index * classes, (index + 1) * classes] as const;
        return { file, top: topClasses(logits.subarray(...range), probabilities.subarray(...range), top, names) };
      });
      if (raw !== undefined) {
        const shape = [files.length, classes];
        const tensors = {
          logits: { dtype: "F32", shape, data: logits },
          probabilities: { dtype: "F32", shape, data: probabilities },
        } as const;
        writeFileSync(raw, serializeSafetensors(tensors, { files: JSON.stringify(files) }));
      }
      for (const { file, top: best } of results) {
        context.print(file);
        for (const { label, probability } of best)
          context.print(`  ${(100 * probability).toFixed(2).padStart(6)} %  ${label}`);
      }
      return {
        adapter,
        inputSize: classifier.inputSize,
        images: results,
        broken,
        ...(raw === undefined ? {} : { raw }),
      };
    });
  },
});
