import { gradients } from "../../engine/autodiff.ts";
import { compile } from "../../engine/compile.ts";
import type { Device } from "../../engine/device.ts";
import { UsageError } from "../../engine/errors.ts";
import type { Graph, Tensor } from "../../engine/graph.ts";
import { registry } from "../../engine/ops/registry.ts";
import { input } from "../../engine/ops/sources.ts";
import { ParameterStore } from "../../engine/parameters.ts";
import type { Plan } from "../../engine/plan/plan.ts";
import { type TuneOptions, type TuneResult, tune } from "../../engine/tuner.ts";
import { TuningTable } from "../../engine/tuning.ts";
import { loadTuning, saveTuning } from "../../engine/tuningCache.node.ts";
import { BATCH } from "../../engine/types.ts";
import { initialise } from "../../nn/initialise.ts";
import { mobileNetV2 } from "../../nn/mobilenetV2.ts";
import type { Network } from "../../nn/network.ts";
import { defineCommand } from "../command.ts";
import { withDevice } from "../device.ts";
import { table as textTable } from "../kernels/text.ts";
import { loadClassifier } from "../model.ts";
import { suggestion } from "../options.ts";
import type { Terminal } from "../terminal.ts";

interface Subject {
  readonly size: number;
  readonly parameters: ParameterStore;
  readonly build: (x: Tensor) => Network;
}

/** The network whose shapes are tuned: that of the weights or the model, else MobileNetV2 with random ones; no time depends on them. */
async function openSubject(device: Device, weights?: string, model?: string, size?: number): Promise<Subject> {
  if (weights !== undefined || model !== undefined) {
    const classifier = await loadClassifier(device, { weights, model, size });
    const { parameters, inputSize } = classifier;
    return { size: inputSize[0], parameters, build: (x) => classifier.build(x) };
  }
  const edge = size ?? 224;
  const build = (x: Tensor): Network => mobileNetV2(x, { classes: 1000 });
  const parameters = new ParameterStore(device);
  const shapes = build(input("images", [BATCH, edge, edge, 3])).parameters;
  for (const [name, data] of initialise(shapes, 1)) parameters.set(name, data, shapes.get(name)!);
  return { size: edge, parameters, build };
}

/** What people run: the forward, the gradient of the images, and for training those of the kernels. */
function workload({ size, build }: Subject, training: boolean): Graph {
  const images = input("images", [BATCH, size, size, 3]);
  const { logits, features, trainable } = build(images);
  const result = logits ?? features;
  const kernels = [...trainable.values()].filter(({ shape }) => shape.length > 1);
  const [image, ...others] = gradients(result, [images, ...(training ? kernels : [])]);
  const named = others.map((gradient, index) => [`kernel${index}`, gradient] as const);
  return { outputs: { result, image, ...Object.fromEntries(named) } };
}

/** Throws a UsageError unless the op has candidates. */
function checkOnly(only: string | undefined): void {
  const names = registry.filter(({ op }) => op.candidates).map(({ op }) => op.name);
  if (only === undefined || names.includes(only)) return;
  throw new UsageError(
    `--only: no op "${only}" has candidates; ${suggestion(only, names, `choose one of ${names.join(", ")}`)}`,
  );
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function totalsOf(results: readonly TuneResult[]) {
  const before = sum(results.map((result) => result.before * result.dispatches));
  const after = sum(results.map((result) => result.after * result.dispatches));
  return { before, after, gain: before > 0 ? before / after : 1 };
}

const milliseconds = (value: number): string => value.toFixed(3);

function resultTable(results: readonly TuneResult[]): string {
  const changed = results.filter(({ choice }) => choice);
  if (changed.length === 0) return "every kernel's own choice is within 5 % of the best candidate";
  const rows = changed.map(({ name, op, before, after, choice }) => [
    name,
    op,
    Object.entries(choice ?? {})
      .map(([key, value]) => `${key} ${value}`)
      .join(", "),
    milliseconds(before),
    milliseconds(after),
    `${(before / after).toFixed(2)}×`,
  ]);
  return textTable(["first layer", "op", "choice", "ms before", "ms after", "gain"], rows, 3);
}

async function tuneSubject(plan: Plan, table: TuningTable, options: TuneOptions, terminal: Terminal) {
  let bar: ReturnType<Terminal["progress"]> | undefined;
  const results = await tune(plan.device, plan, table, {
    ...options,
    progress: (done, total, { name }) => {
      bar ??= terminal.progress("tune", total, "shapes");
      bar.update(done, name);
    },
  });
  bar?.finish();
  if (results.length > 0) return results;
  throw new UsageError(`--only: this network runs no ${options.only}; add --training, or choose another op`);
}

export const command = defineCommand({
  name: "tune",
  summary: "time the candidate workgroups and tiles of every kernel on this adapter, and keep the best",
  usage: "[--weights FILE | --model DIR] [--size 224] [--batch 1] [--training] [--only OP]",
  positionals: [],
  options: {
    weights: { type: "path", exists: "file", help: "tune the network of this weight file; by default MobileNetV2 1.0" },
    model: { type: "path", exists: "folder", help: "tune the network of a trained model" },
    size: { type: "integer", min: 32, max: 1024, help: "edge of the images in pixels; by default the model's, or 224" },
    batch: {
      type: "integer",
      default: 1,
      min: 1,
      max: 256,
      help: "images per run while timing; choices serve any batch",
    },
    training: { type: "boolean", help: "the gradients of the kernels as well, as in fine-tuning" },
    only: { type: "string", placeholder: "OP", help: "tune one op, such as matmul; the others keep what they have" },
    repeats: { type: "integer", default: 5, min: 1, max: 100, help: "runs of each candidate in each of two rounds" },
  },
  examples: [
    ["tepal tune", "the shapes of MobileNetV2 at 224 pixels; later commands use the result"],
    ["tepal tune --model runs/flowers --training", "the shapes of a trained model, also those of fine-tuning"],
    ["tepal tune --only depthwiseConv2d --json", "one op, as JSON"],
  ],
  async run({ weights, model, size, batch, training, only, repeats }, context) {
    checkOnly(only);
    return withDevice(async (device, adapter) => {
      const subject = await openSubject(device, weights, model, size);
      const graph = workload(subject, training);
      const options = { parameters: subject.parameters, maxBatch: batch, shrinkBatch: true, tuning: null };
      const plan = await compile(device, graph, options);
      try {
        const table = (await loadTuning(adapter)) ?? new TuningTable(adapter);
        const results = await tuneSubject(plan, table, { repeats, only }, context.terminal);
        const file = await saveTuning(table);
        const totals = totalsOf(results);
        context.print(`${subject.size} × ${subject.size} pixels, batch ${plan.chunk}, on ${adapter}\n`);
        context.print(resultTable(results));
        context.print(
          `\nthese dispatches: ${totals.before.toFixed(1)} ms before, ${totals.after.toFixed(1)} ms after: ${totals.gain.toFixed(2)}× as fast`,
        );
        context.print(`${table.size} choices (table ${table.hash}) kept in ${file}; they change no bit of any result`);
        return { adapter, file, size: subject.size, batch: plan.chunk, totals, results, table };
      } finally {
        plan.dispose();
      }
    });
  },
});
