import { mkdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { corruptionNames } from "../../data/corruptions/corruption.ts";
import { severities as allSeverities } from "../../data/corruptions/severities.ts";
import type { LabelledImages } from "../../data/datasets.ts";
import type { Image } from "../../data/images.ts";
import type { PartName } from "../../data/loaders.ts";
import type { Device } from "../../engine/device.ts";
import { DataError } from "../../engine/errors.ts";
import { createClassifier } from "../../nn/classifier.ts";
import { loadModel } from "../../nn/formats/files.node.ts";
import type { RobustnessResult } from "../../report/robustness.ts";
import { type CommandContext, columns, defineCommand } from "../command.ts";
import { dataOptions, openPart } from "../dataset.ts";
import { withDevice } from "../device.ts";
import { choosePart } from "../evaluationPart.ts";
import { integersFrom, namesFrom } from "../lists.ts";
import { chooseImages } from "../practical/explaining.ts";
import { corruptionSheet, writeRobustness } from "../robustness/files.ts";
import { heldImages } from "../robustness/held.ts";
import { measureRobustness, type NamedClassifier } from "../robustness/measure.ts";

export const command = defineCommand({
  name: "robustness",
  summary: "measure models on corrupted images: noise, blur, weather, compression",
  usage: "--model DIR [--model DIR ...] --data NAME|DIR|FILE [--corruptions LIST] [--severities 1,3,5] [--out DIR]",
  positionals: [],
  options: {
    model: {
      type: "path",
      exists: "folder",
      required: true,
      multiple: true,
      placeholder: "DIR",
      help: "a folder written by train; errors are relative to the first",
    },
    ...dataOptions,
    data: { ...dataOptions.data, required: true },
    split: { type: "path", exists: "file", placeholder: "FILE", help: "JSON that lists the files of each part" },
    part: {
      type: "choice",
      choices: ["train", "validation", "test"],
      help: "only this part of --split or of the data set (default validation), else of the split of the first model's training",
    },
    limit: { type: "integer", min: 1, placeholder: "COUNT", help: "at most so many images, evenly of each class" },
    corruptions: {
      type: "string",
      default: "all",
      placeholder: "LIST",
      help: `all, or of ${corruptionNames.join(",")}`,
    },
    severities: { type: "string", default: "1,2,3,4,5", placeholder: "LIST", help: "of 1 to 5, separated by commas" },
    seed: { type: "integer", min: 0, max: 2 ** 32 - 1, default: 1, help: "decides what is drawn for each image" },
    strict: { type: "boolean", help: "fail at a broken photograph instead of skipping it" },
    out: { type: "path", default: "robustness", placeholder: "DIR", help: "where table, charts and page are written" },
  },
  examples: [
    [
      "tepal robustness --model baseline --model augmented --data petals --part test",
      "every corruption at five severities; the page is robustness/robustness.html",
    ],
    [
      "tepal robustness --model model --data flowers --corruptions gaussianNoise,fog,jpeg --severities 1,3,5 --json",
      "three corruptions at three severities of the validation photographs",
    ],
  ],
  async run({ model: folders, part, limit, corruptions, severities, seed, out, strict, ...choice }, context) {
    const chosen = {
      corruptions: corruptions === "all" ? corruptionNames : namesFrom("--corruptions", corruptions, corruptionNames),
      severities: integersFrom("--severities", severities, { min: 1, max: allSeverities.length }),
      seed,
    };
    const models = await readModels(folders);
    const [{ manifest }] = models;
    const { architecture, preprocessing } = manifest;
    const target = { inputSize: architecture.inputSize, resize: preprocessing.resize, strict, ...choice };
    const chosenPart = await choosePart(manifest, { ...choice, part: part as PartName | undefined });
    const { images, broken } = await openPart(chosenPart, target, context.terminal, "reading photographs");
    const { classNames } = manifest;
    const indices = limit === undefined ? undefined : chooseImages(images.labels, classNames.length, limit);
    const measured = await heldImages(images, classNames, indices);
    await images.close();
    mkdirSync(out, { recursive: true });
    return withDevice(async (device, adapter) => {
      const result = await measureAll(device, models, measured, chosen, context);
      const sheet = await corruptionSheet(device, firstOf(measured), chosen.corruptions, chosen.severities);
      const files = writeRobustness(out, result, sheet);
      tell(context, result);
      context.print(resolve(files["robustness.html"]));
      return { ...result, files, broken, adapter };
    });
  },
});

type ReadModel = Awaited<ReturnType<typeof loadModel>> & { readonly name: string };

/** Throws a DataError unless all know the same classes in one order. */
async function readModels(folders: readonly string[]): Promise<ReadModel[]> {
  const names = modelNames(folders);
  const models: ReadModel[] = [];
  for (const [index, folder] of folders.entries()) models.push({ ...(await loadModel(folder)), name: names[index] });
  const classesOf = ({ manifest }: ReadModel): string => manifest.classNames.join("\n");
  const other = models.find((model) => classesOf(model) !== classesOf(models[0]));
  if (other)
    throw new DataError(
      `${other.name}: expected the classes of ${models[0].name} in their order, found others; compare models of one data set`,
    );
  return models;
}

/** The folders' names, with their parents' where they are the same. */
function modelNames(folders: readonly string[]): string[] {
  const short = folders.map((folder) => basename(resolve(folder)));
  if (new Set(short).size === short.length) return short;
  return folders.map((folder, index) => join(basename(dirname(resolve(folder))), short[index]));
}

const firstOf = ({ height, width, pixels }: LabelledImages): Image => ({
  height,
  width,
  data: Uint8Array.from(pixels.subarray(0, height * width * 3)),
});

async function measureAll(
  device: Device,
  models: readonly ReadModel[],
  images: LabelledImages,
  options: Pick<Parameters<typeof measureRobustness>[3], "corruptions" | "severities" | "seed">,
  { terminal }: CommandContext,
): Promise<RobustnessResult> {
  const classifiers: NamedClassifier[] = models.map(({ name, manifest, tensors }) => {
    const { architecture, preprocessing, classNames } = manifest;
    return { name, classifier: createClassifier(device, { architecture, preprocessing, classNames, tensors }) };
  });
  const { corruptions, severities } = options;
  const progress = terminal.progress("measuring", images.labels.length * (1 + corruptions.length * severities.length));
  const onProgress = (done: number, _: number, name: string) => progress.update(done, name);
  const result = await measureRobustness(device, classifiers, images, { ...options, onProgress });
  progress.finish();
  for (const { classifier } of classifiers) await classifier.dispose();
  return result;
}

function tell(context: CommandContext, { models, severities, count }: RobustnessResult): void {
  const share = (value: number) => value.toFixed(3);
  context.print(`${count} images, severities ${severities.join(", ")}; accuracies by severity`);
  for (const { name, cleanAccuracy, meanAccuracy, mce, mceInterval, families } of models) {
    const interval = mceInterval ? ` (${share(mceInterval.low)} to ${share(mceInterval.high)})` : "";
    const error = mce === null ? "none" : `${share(mce)}${interval}`;
    context.print(`${name}: clean ${share(cleanAccuracy)}, corrupted ${share(meanAccuracy)}, mCE ${error}`);
    context.print(
      columns(families.map(({ name: family, accuracies }) => [family, accuracies.map(share).join("  ")] as const)),
    );
  }
}
