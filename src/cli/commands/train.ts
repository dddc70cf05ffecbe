import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Device } from "../../engine/device.ts";
import { FileError, UsageError } from "../../engine/errors.ts";
import type { ClassifierDescription } from "../../nn/classifier.ts";
import { saveModel } from "../../nn/formats/files.node.ts";
import type { HeadTraining } from "../../nn/headTraining.ts";
import { historyCsv } from "../../nn/history.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { dataOptions, loadTrainingParts, type TrainingParts, trainingParts, VALIDATION_SHARE } from "../dataset.ts";
import { withDevice } from "../device.ts";
import { type HeadSettings, type Photographs, trainHeadOnBackbone, withTrainedHead } from "../headOnBackbone.ts";
import { backboneOption, readClassifier } from "../model.ts";

interface Settings extends HeadSettings {
  readonly out: string;
}

export const command = defineCommand({
  name: "train",
  summary: "train a classification head on a data set or photographs in class folders",
  usage: "--data NAME|DIR|FILE [--root DIR] [--val DIR | --split FILE] [--weights FILE] --out DIR [options]",
  positionals: [],
  options: {
    ...dataOptions,
    data: { ...dataOptions.data, required: true },
    val: { type: "path", exists: "folder", placeholder: "DIR", help: "validation photographs, the same classes" },
    split: { type: "path", exists: "file", placeholder: "FILE", help: "JSON that lists the files of each part" },
    weights: backboneOption,
    size: { type: "integer", min: 32, max: 1024, help: "edge of the input in pixels, else what the weights are for" },
    epochs: { type: "integer", min: 1, default: 10, help: "passes over the training photographs" },
    batch: { type: "integer", min: 1, default: 32, help: "photographs a step" },
    lr: { type: "number", min: 0, default: 1e-3, help: "learning rate of Adam" },
    seed: { type: "integer", min: 0, default: 0, help: "decides split, first weights and order" },
    resize: { type: "choice", choices: ["tf", "aspect"], default: "aspect", help: "how photographs are resized" },
    strict: { type: "boolean", help: "fail at a broken photograph instead of skipping it" },
    out: { type: "path", required: true, placeholder: "DIR", help: "where model and history are written" },
  },
  examples: [
    [
      "tepal train --data flowers --weights mobilenet_v2.h5 --out model",
      `keeps ${VALIDATION_SHARE * 100} % to validate`,
    ],
    [
      "tepal train --data flowers --split split.json --weights mobilenet_v2.h5 --size 96 --out model --json",
      "as listed",
    ],
    [
      "tepal train --data flowers102 --root flowers --weights mobilenet_v2.h5 --out model",
      "the publisher's parts; --root has 102flowers.tgz and its two .mat files",
    ],
  ],
  async run({ lr, out, strict, resize, size, weights, cache, cacheLimit, ...args }, context) {
    if (lr === 0) throw new UsageError("--lr expects a number above 0, found 0; the default is 0.001");
    const settings = { ...args, learningRate: lr, out };
    const description = await readClassifier({ weights, size, resize: resize as "tf" | "aspect" });
    const parts = await trainingParts(args);
    await makeFolder(out);
    const { inputSize } = description.architecture;
    const target = { inputSize, resize: resize as "tf" | "aspect", strict, cache, cacheLimit };
    const { broken, ...photographs } = await loadTrainingParts(parts, target, context.terminal);
    return withDevice(async (device, adapter) => {
      const head = await trainHeadOnBackbone(device, description, photographs, settings, context.terminal);
      await save(device, { description, parts, photographs, head, settings });
      tell(context, head, settings);
      return {
        history: head.history,
        best: head.best,
        model: out,
        classNames: parts.classNames,
        images: { train: photographs.train.labels.length, validation: photographs.validation.labels.length },
        broken,
        adapter,
      };
    });
  },
});

/** Made before the work, so that a path that cannot be written is said at once. */
async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new FileError(`${path}: expected a folder that can be written, found ${cause.code}; choose another --out`, {
      cause,
    });
  });
}

interface Trained {
  readonly description: ClassifierDescription;
  readonly parts: TrainingParts;
  readonly photographs: Photographs;
  readonly head: HeadTraining;
  readonly settings: Settings;
}

/** Writes the whole network, backbone and head, with what repeats the run, and the history beside it. */
async function save(device: Device, { description, parts, photographs, head, settings }: Trained): Promise<void> {
  const { classNames } = parts;
  const classifier = withTrainedHead(device, description, head, classNames);
  const { out, seed, epochs, batch, learningRate } = settings;
  const manifest = classifier.manifest({
    seed,
    splits: { train: photographs.train.names, validation: photographs.validation.names, test: parts.test },
    training: { optimiser: "adam", epochs, batch, learningRate, best: head.best },
  });
  await saveModel(out, { manifest, tensors: await classifier.tensors() });
  await classifier.dispose();
  const { history, best } = head;
  await writeFile(join(out, "history.json"), `${JSON.stringify({ history, best }, null, 2)}\n`);
  await writeFile(join(out, "history.csv"), historyCsv(history));
}

function tell(context: CommandContext, { history, best }: HeadTraining, { out }: Settings): void {
  const row = (...cells: string[]) => cells.map((cell, index) => cell.padStart(index === 0 ? 5 : 13)).join("");
  const lines = history.map(({ epoch, loss, accuracy, valLoss, valAccuracy }) =>
    row(String(epoch), ...[loss, accuracy, valLoss, valAccuracy].map((value) => value.toFixed(4))),
  );
  context.print([row("epoch", "loss", "accuracy", "val loss", "val accuracy"), ...lines].join("\n"));
  context.print(`best: epoch ${best.epoch}, validation accuracy ${best.valAccuracy.toFixed(4)}; saved in ${out}`);
}
