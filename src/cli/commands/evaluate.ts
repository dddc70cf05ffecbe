import { listedFiles, readSplitFile, scanClassFolders } from "../../data/folders.node.ts";
import { DataError, UsageError } from "../../engine/errors.ts";
import { createClassifier } from "../../nn/classifier.ts";
import { loadModel } from "../../nn/formats/files.node.ts";
import type { ModelManifest } from "../../nn/formats/manifest.ts";
import { type Evaluation, evaluateLogits } from "../../nn/metrics.ts";
import { predictAll } from "../../nn/networkTraining.ts";
import { type CommandContext, columns, defineCommand } from "../command.ts";
import { alignClasses, loadPart, type Part, pixelSource } from "../dataset.ts";
import { withDevice } from "../device.ts";

type PartName = "train" | "validation" | "test";

export const command = defineCommand({
  name: "evaluate",
  summary: "measure a trained model on photographs in class folders",
  usage: "--model DIR --data DIR [--split FILE] [--part train|validation|test] [options]",
  positionals: [],
  options: {
    model: { type: "path", exists: "folder", required: true, placeholder: "DIR", help: "a folder written by train" },
    data: { type: "path", exists: "folder", required: true, placeholder: "DIR", help: "photographs in DIR/<class>/" },
    split: { type: "path", exists: "file", placeholder: "FILE", help: "JSON that lists the files of each part" },
    part: {
      type: "choice",
      choices: ["train", "validation", "test"],
      help: "only this part of --split (default validation), or without it of the split that the model was trained with",
    },
    strict: { type: "boolean", help: "fail at a broken photograph instead of skipping it" },
  },
  examples: [
    ["tepal evaluate --model model --data flowers", "accuracy, loss, confusion over all photographs"],
    ["tepal evaluate --model model --data flowers --part validation --json", "over those that chose the best epoch"],
  ],
  async run({ model, data, split, part, strict }, context) {
    const { manifest, tensors } = await loadModel(model);
    const { architecture, preprocessing, classNames } = manifest;
    const chosen = await choosePart(manifest, { data, split, part: part as PartName | undefined });
    const { inputSize } = architecture;
    const target = { inputSize, resize: preprocessing.resize, strict };
    const { images, broken } = await loadPart(chosen, target, context.terminal, "reading photographs");
    return withDevice(async (device, adapter) => {
      const classifier = createClassifier(device, { architecture, preprocessing, classNames, tensors });
      const progress = context.terminal.progress("classifying", images.labels.length);
      const logits = await predictAll(classifier, pixelSource(images), (done) => progress.update(done));
      progress.finish();
      await classifier.dispose();
      const evaluation = evaluateLogits(logits, images.labels, classNames);
      tell(context, evaluation);
      return { ...evaluation, classNames, broken, adapter };
    });
  },
});

/** The files to measure on, labelled in the model's order of classes. */
async function choosePart(
  { classNames, splits }: ModelManifest,
  { data, split, part }: { readonly data: string; readonly split?: string; readonly part?: PartName },
): Promise<Part> {
  if (split === undefined && part === undefined)
    return { folder: data, folders: alignClasses(await scanClassFolders(data), classNames, data) };
  const name = part ?? "validation";
  const source = split === undefined ? { classes: [...classNames], ...splits } : await readSplitFile(split, data);
  const files = source[name];
  if (files === undefined)
    throw new UsageError(
      "--part needs the split that the model was trained with, but it names none; give --split FILE",
    );
  if (files.length === 0)
    throw new DataError(`expected photographs in the part "${name}", found none; choose another --part`);
  return { folder: data, folders: alignClasses(listedFiles(source.classes, files), classNames, split ?? data) };
}

function tell(context: CommandContext, { accuracy, loss, perClass, count }: Evaluation): void {
  const share = (value: number | null) => (value === null ? "none" : value.toFixed(4));
  context.print(`accuracy ${accuracy.toFixed(4)}, loss ${loss.toFixed(4)}, ${count} photographs`);
  const rows = perClass.map(
    ({ name, precision, recall, support }) =>
      [name, `precision ${share(precision)}, recall ${share(recall)}, ${support} photographs`] as const,
  );
  context.print(columns(rows));
}
