import { mkdir } from "node:fs/promises";
import type { Device } from "../../engine/device.ts";
import { FileError } from "../../engine/errors.ts";
import { type Classifier, type ClassifierDescription, createClassifier } from "../../nn/classifier.ts";
import { saveModel } from "../../nn/formats/files.node.ts";
import type { BatchNormMode } from "../../nn/layers.ts";
import { trainableFrom } from "../../nn/trainableLayers.ts";
import type { TrainingOutcome } from "../../nn/trainingLoop.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { dataOptions, openTrainingParts, type TrainingParts, trainingParts, VALIDATION_SHARE } from "../dataset.ts";
import { withDevice } from "../device.ts";
import { policySource } from "../headOnBackbone.ts";
import { savedPolicy, summarisePolicy } from "../policy.ts";
import type { Photographs } from "../storedSource.ts";
import { type FolderOptions, imagesHash, tensorsHash, trainInFolder } from "../train/folder.ts";
import { type TrainingArguments, type TrainingChoice, trainingChoice, trainingOptions } from "../train/options.ts";
import { isPretrained, type StartArguments, startingClassifier, startOptions } from "../train/start.ts";

export const command = defineCommand({
  name: "train",
  summary: "train a network's head, its last blocks or all of it, on a data set or photographs in class folders",
  usage: "--data NAME|DIR|FILE (--weights FILE | --model DIR | --network NAME) --out DIR [options]",
  positionals: [],
  options: {
    ...dataOptions,
    data: { ...dataOptions.data, required: true },
    val: { type: "path", exists: "folder", placeholder: "DIR", help: "validation photographs, the same classes" },
    split: { type: "path", exists: "file", placeholder: "FILE", help: "JSON that lists the files of each part" },
    ...startOptions,
    ...trainingOptions,
    strict: { type: "boolean", help: "fail at a broken photograph instead of skipping it" },
    out: { type: "path", required: true, placeholder: "DIR", help: "where model, history and checkpoint are written" },
    checkpointEvery: {
      type: "integer",
      min: 1,
      placeholder: "STEPS",
      help: "also write a checkpoint after so many steps; one is written after every epoch",
    },
    resume: { type: "boolean", help: "go on from the checkpoint in --out, to the very same history" },
  },
  examples: [
    [
      "tepal train --data flowers --weights mobilenet_v2.h5 --out model",
      `trains a head; keeps ${VALIDATION_SHARE * 100} % to validate`,
    ],
    [
      "tepal train --data flowers --split split.json --weights mobilenet_v2.h5 --size 96 --out model --json",
      "as listed",
    ],
    [
      "tepal train --data flowers --model model --trainable block_14 --lr 1e-4 --epochs 8 --out tuned",
      "fine-tunes the last blocks of a model whose head is trained",
    ],
    [
      "tepal train --data flowers --weights mobilenet_v2.h5 --policy advanced --out model",
      "other flips, turns and colours of each photograph in every epoch",
    ],
    [
      "tepal train --data cifar10 --root archive --network smallCnn --stem cifar --lr 0.01 --schedule cosine --out small",
      "a small network from scratch",
    ],
    [
      "tepal train --data flowers --weights mobilenet_v2.h5 --out model --checkpoint-every 50 --resume",
      "goes on after an interruption",
    ],
  ],
  async run(args, context) {
    const { out, strict, cache, cacheLimit, memory } = args;
    const choice = trainingChoice(args);
    const parts = await trainingParts(args);
    const edge = parts.train.dataset.imageSize?.height;
    const description = await startingClassifier(args, { classNames: parts.classNames, edge }, args.seed);
    await makeFolder(out);
    context.terminal.line(`policy ${summarisePolicy(choice.policy)}`);
    const { inputSize } = description.architecture;
    const resize = description.preprocessing?.resize ?? "aspect";
    const target = { inputSize, resize, strict, cache, cacheLimit, memory, batch: args.batch };
    const { broken, ...images } = await openTrainingParts(parts, target, context.terminal);
    return withDevice(async (device, adapter) => {
      const settings = settingsOf(args, choice);
      const classifier = createClassifier(device, description);
      const outcome = await train(classifier, description, images, { ...settings, adapter }, context);
      await Promise.all([images.train.close(), images.validation.close()]);
      await save(classifier, { parts, images, outcome, out, recipe: settings.recipe, seed: args.seed });
      await finishDevice(classifier, device);
      tell(context, outcome, out);
      return {
        history: outcome.history,
        best: outcome.best,
        model: out,
        classNames: parts.classNames,
        images: { train: images.train.count, validation: images.validation.count },
        policy: savedPolicy(choice.policy),
        broken,
        adapter,
      };
    });
  },
});

interface Images {
  readonly train: Photographs;
  readonly validation: Photographs;
}

interface Settings {
  readonly choice: TrainingChoice;
  readonly part: string;
  readonly batchNorm: BatchNormMode;
  /** Every choice as plain JSON. */
  readonly recipe: Readonly<Record<string, unknown>>;
  readonly folder: Omit<FolderOptions, "config" | "adapter" | "terminal">;
}

/** With a trained network its head trains and normalisation is frozen, from scratch all of it and in batch mode, unless told otherwise. */
function settingsOf(args: StartArguments & TrainingArguments & Settings["folder"], choice: TrainingChoice): Settings {
  const { trainable, batchNorm: asked, out, resume, checkpointEvery } = args;
  const pretrained = isPretrained(args);
  const part = trainable ?? (pretrained ? "head" : "all");
  const batchNorm = (asked ?? (pretrained ? "frozen" : "batch")) === "batch" ? "training" : "frozen";
  const recipe = { ...choice.recipe, trainable: part, batchNorm, policy: savedPolicy(choice.policy) };
  return { choice, part, batchNorm, recipe, folder: { out, resume, checkpointEvery } };
}

async function train(
  classifier: Classifier,
  description: ClassifierDescription,
  { train: images, validation }: Images,
  { choice, part, batchNorm, recipe, folder, adapter }: Settings & { readonly adapter: string },
  { terminal }: CommandContext,
): Promise<TrainingOutcome> {
  const { architecture, preprocessing, classNames, tensors } = description;
  const { policy, options } = choice;
  const config = {
    ...recipe,
    architecture,
    preprocessing,
    classNames,
    images: await imagesHash([images, validation]),
    weights: tensorsHash(tensors),
  };
  const data = { train: policySource(images, { policy, seed: options.seed }, classifier.inputSize), validation };
  const trained = trainableFrom(classifier.weightShapes.keys(), part, batchNorm);
  return trainInFolder(classifier, data, { ...options, ...trained }, { ...folder, config, adapter, terminal });
}

/** Made before the work, so that a path that cannot be written is said at once. */
async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new FileError(`${path}: expected a folder that can be written, found ${cause.code}; choose another --out`, {
      cause,
    });
  });
}

interface Trained {
  readonly parts: TrainingParts;
  readonly images: Images;
  readonly outcome: TrainingOutcome;
  readonly out: string;
  readonly recipe: TrainingChoice["recipe"];
  readonly seed: number;
}

/** Writes the whole network with what repeats the run. */
async function save(classifier: Classifier, { parts, images, outcome, out, recipe, seed }: Trained): Promise<void> {
  const manifest = classifier.manifest({
    seed,
    splits: { train: images.train.names, validation: images.validation.names, test: parts.test },
    training: { ...recipe, best: outcome.best },
  });
  await saveModel(out, { manifest, tensors: await classifier.tensors() });
}

/** The device on which training ended is another one when the first was lost. */
async function finishDevice(classifier: Classifier, first: Device): Promise<void> {
  await classifier.dispose();
  if (classifier.device !== first) classifier.device.destroy();
}

function tell(context: CommandContext, { history, best }: TrainingOutcome, out: string): void {
  const row = (...cells: string[]) => cells.map((cell, index) => cell.padStart(index === 0 ? 5 : 13)).join("");
  const lines = history.map(({ epoch, loss, accuracy, valLoss, valAccuracy }) =>
    row(String(epoch), ...[loss, accuracy, valLoss, valAccuracy].map((value) => value.toFixed(4))),
  );
  context.print([row("epoch", "loss", "accuracy", "val loss", "val accuracy"), ...lines].join("\n"));
  context.print(`best: epoch ${best.epoch}, validation accuracy ${best.valAccuracy.toFixed(4)}; saved in ${out}`);
}
