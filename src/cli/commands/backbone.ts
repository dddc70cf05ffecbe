import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { UsageError } from "../../engine/errors.ts";
import { type Accuracies, compareFeatures, heldOutTask, photographsTask, type Task } from "../backbone/evaluation.ts";
import { BACKBONE_SIZE, HELD_OUT_SPECIES } from "../backbone/recipe.ts";
import { trainBackbone } from "../backbone/training.ts";
import { type CommandContext, columns, defineCommand } from "../command.ts";
import { withDevice } from "../device.ts";
import { backboneOption, readClassifier } from "../model.ts";

interface Settings {
  readonly photographs?: string;
  readonly split?: string;
  readonly teacher?: string;
  readonly weights: string;
  readonly out?: string;
  readonly cache: string;
  readonly seed: number;
  readonly size: number;
  readonly seeds: number;
}

export const command = defineCommand({
  name: "backbone",
  summary: "make the embedded backbone again, or measure what its features are worth",
  usage:
    "train --photographs DIR --split FILE --teacher FILE --out FILE | evaluate [--weights FILE] [--photographs DIR --split FILE]",
  positionals: [
    { name: "action", type: "choice", choices: ["train", "evaluate"], required: true, help: "train or evaluate" },
  ],
  options: {
    photographs: { type: "path", exists: "folder", placeholder: "DIR", help: "photographs in class folders" },
    split: { type: "path", exists: "file", placeholder: "FILE", help: "JSON that lists the photographs of each part" },
    teacher: { type: "path", exists: "file", placeholder: "FILE", help: "train: weights of MobileNetV2 1.0, ImageNet" },
    out: { type: "path", placeholder: "FILE", help: "train: where the weights go, *.safetensors" },
    cache: {
      type: "path",
      default: ".cache/backbone",
      placeholder: "DIR",
      help: "train: where the teacher's features are kept",
    },
    seed: { type: "integer", min: 0, default: 1, help: "train: decides first weights, order and crops" },
    weights: { ...backboneOption, help: "evaluate: the backbone, else the one of the package" },
    size: {
      type: "integer",
      min: 32,
      max: 1024,
      default: BACKBONE_SIZE,
      help: "evaluate: edge of the input in pixels",
    },
    seeds: { type: "integer", min: 1, max: 20, default: 3, help: "evaluate: heads that are trained, seeds 1 to N" },
  },
  examples: [
    ["tepal backbone evaluate", `heads on petals of ${HELD_OUT_SPECIES.join(", ")}, which the backbone never saw`],
    [
      "tepal backbone train --photographs flower_photos --split split.json --teacher mobilenet_v2.h5 --out b.safetensors",
      "the recipe of weights/README.md",
    ],
  ],
  async run({ action, ...settings }, context) {
    return action === "train" ? train(settings, context) : evaluate(settings, context);
  },
});

async function train(settings: Settings, { terminal, print }: CommandContext): Promise<object> {
  const { photographs, split, teacher, out, cache, seed } = settings;
  if (photographs === undefined || split === undefined || teacher === undefined || out === undefined)
    throw new UsageError("backbone train expects --photographs, --split, --teacher and --out; one is missing");
  await mkdir(dirname(out), { recursive: true });
  return withDevice(async (device, adapter) => {
    terminal.line(`adapter: ${adapter}`);
    const phases = await trainBackbone(device, adapter, { photographs, split, teacher, out, cache, seed }, terminal);
    print(`saved in ${out}`);
    return { adapter, seed, phases, weights: out };
  });
}

async function evaluate(settings: Settings, { terminal, print }: CommandContext): Promise<object> {
  const { photographs, split, weights, size } = settings;
  if ((photographs === undefined) !== (split === undefined))
    throw new UsageError("expected --photographs and --split together, found one; give both or neither");
  const seeds = Array.from({ length: settings.seeds }, (_, index) => index + 1);
  const description = await readClassifier({ weights, size });
  return withDevice(async (device, adapter) => {
    const figures: Record<string, Accuracies> = {};
    const measure = async (task: Task): Promise<void> => {
      const accuracies = await compareFeatures(device, description, task, seeds);
      figures[task.name] = accuracies;
      print(`${task.name}, ${task.test.labels.length} images measured, ${seeds.length} heads\n${table(accuracies)}`);
    };
    await measure(await heldOutTask(seeds[0], size, terminal));
    if (photographs !== undefined && split !== undefined)
      await measure(await photographsTask(photographs, split, size, terminal));
    return { adapter, size, seeds, figures };
  });
}

const table = (accuracies: Accuracies): string =>
  columns(
    Object.entries(accuracies).map(([name, values]) => {
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return [name, `${mean.toFixed(3)}   (${values.map((value) => value.toFixed(3)).join(", ")})`] as const;
    }),
  );
