import type { PartName } from "../../data/loaders.ts";
import { createClassifier } from "../../nn/classifier.ts";
import { loadModel } from "../../nn/formats/files.node.ts";
import { type Evaluation, evaluateLogits } from "../../nn/metrics.ts";
import { predictAll } from "../../nn/prediction.ts";
import { type CommandContext, columns, defineCommand } from "../command.ts";
import { dataOptions, openPart } from "../dataset.ts";
import { withDevice } from "../device.ts";
import { choosePart } from "../evaluationPart.ts";

export const command = defineCommand({
  name: "evaluate",
  summary: "measure a trained model on a data set or photographs in class folders",
  usage: "--model DIR --data NAME|DIR|FILE [--root DIR] [--split FILE] [--part train|validation|test] [options]",
  positionals: [],
  options: {
    model: { type: "path", exists: "folder", required: true, placeholder: "DIR", help: "a folder written by train" },
    ...dataOptions,
    data: { ...dataOptions.data, required: true },
    split: { type: "path", exists: "file", placeholder: "FILE", help: "JSON that lists the files of each part" },
    part: {
      type: "choice",
      choices: ["train", "validation", "test"],
      help: "only this part of --split or of the data set (default validation), else of the split of the model's training",
    },
    strict: { type: "boolean", help: "fail at a broken photograph instead of skipping it" },
  },
  examples: [
    ["tepal evaluate --model model --data flowers", "accuracy, loss, confusion over all photographs"],
    ["tepal evaluate --model model --data flowers --part validation --json", "over those that chose the best epoch"],
    ["tepal evaluate --model model --data flowers102 --root flowers --part test", "the publisher's test part"],
  ],
  async run({ model, data, root, split, part, strict, cache, cacheLimit, memory }, context) {
    const { manifest, tensors } = await loadModel(model);
    const { architecture, preprocessing, classNames } = manifest;
    const chosen = await choosePart(manifest, { data, root, split, part: part as PartName | undefined });
    const { inputSize } = architecture;
    const target = { inputSize, resize: preprocessing.resize, strict, cache, cacheLimit, memory };
    const { images, broken } = await openPart(chosen, target, context.terminal, "reading photographs");
    return withDevice(async (device, adapter) => {
      const classifier = createClassifier(device, { architecture, preprocessing, classNames, tensors });
      const progress = context.terminal.progress("classifying", images.count);
      const logits = await predictAll(classifier, images, (done) => progress.update(done));
      progress.finish();
      await Promise.all([classifier.dispose(), images.close()]);
      const evaluation = evaluateLogits(logits, images.labels, classNames);
      tell(context, evaluation);
      return { ...evaluation, classNames, broken, adapter };
    });
  },
});

function tell(context: CommandContext, { accuracy, loss, perClass, count }: Evaluation): void {
  const share = (value: number | null) => (value === null ? "none" : value.toFixed(4));
  context.print(`accuracy ${accuracy.toFixed(4)}, loss ${loss.toFixed(4)}, ${count} photographs`);
  const rows = perClass.map(
    ({ name, precision, recall, support }) =>
      [name, `precision ${share(precision)}, recall ${share(recall)}, ${support} photographs`] as const,
  );
  context.print(columns(rows));
}
