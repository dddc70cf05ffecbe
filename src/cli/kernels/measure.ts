import { compile } from "../../engine/compile.ts";
import type { Device } from "../../engine/device.ts";
import { LimitError } from "../../engine/errors.ts";
import type { Shader } from "../../engine/op.ts";
import { input } from "../../engine/ops/sources.ts";
import { ParameterStore } from "../../engine/parameters.ts";
import type { Plan } from "../../engine/plan/plan.ts";
import { uniform } from "../../engine/random.ts";
import { atBatch, BATCH, type Shape } from "../../engine/types.ts";
import { initialise } from "../../nn/initialise.ts";
import { mobileNetV2 } from "../../nn/mobilenetV2.ts";

interface Cost {
  /** Floating-point operations, and bytes that must move through memory at least. */
  readonly flops: number;
  readonly bytes: number;
  /** FLOPs per byte. */
  readonly intensity: number;
  /** Median of the repeats. */
  readonly milliseconds: number;
  readonly gflopsPerSecond: number;
  readonly gigabytesPerSecond: number;
  /** Of the network's time, from 0 to 1. */
  readonly share: number;
}

/** One dispatch of the network. */
export interface LayerCost extends Cost {
  /** The label of the last node that the dispatch computes. */
  readonly name: string;
  /** `shader.entryPoint`. */
  readonly kernel: string;
  readonly overrides: Readonly<Record<string, number>>;
  readonly output: Shape;
}

/** All dispatches of one entry point. */
export interface KernelCost extends Cost {
  readonly kernel: string;
  readonly dispatches: number;
}

/** One compiled pipeline: an entry point with its overrides, and the layers that it computes. */
export interface Specialisation {
  readonly shader: Shader;
  readonly entryPoint: string;
  readonly overrides: Readonly<Record<string, number>>;
  readonly layers: readonly string[];
}

export interface NetworkCost {
  readonly layers: readonly LayerCost[];
  readonly kernels: readonly KernelCost[];
  readonly totals: {
    readonly dispatches: number;
    /** Dispatches that fold parameters, which run only when these have changed. */
    readonly prologueDispatches: number;
    readonly flops: number;
    readonly bytes: number;
    readonly milliseconds: number;
    readonly activationMebibytesPerImage: number;
  };
}

/** MobileNetV2 with a head of 1,000 classes and random weights, ready to be profiled. */
export interface Subject {
  readonly plan: Plan;
  readonly images: Float32Array;
  readonly specialisations: readonly Specialisation[];
  dispose(): void;
}

const seed = 1;

/**
 * Compiles MobileNetV2 for a batch of images of `size` × `size` pixels.
 * @throws ShapeError below 32 pixels; LimitError where memory does not hold the batch at once.
 */
export async function openSubject(device: Device, size: number, batch: number): Promise<Subject> {
  const { logits, parameters } = mobileNetV2(input("images", [BATCH, size, size, 3]), { classes: 1000 });
  const store = new ParameterStore(device);
  for (const [name, data] of initialise(parameters, seed)) store.set(name, data, parameters.get(name)!);
  const plan = await compile(device, { outputs: { logits: logits! } }, { parameters: store, maxBatch: batch });
  const dispose = (): void => {
    plan.dispose();
    store.dispose();
  };
  if (plan.chunk < batch) {
    dispose();
    throw new LimitError(`a batch of ${batch} does not fit the memory at once; use --batch ${plan.chunk} or less`);
  }
  const images = Float32Array.from({ length: batch * size * size * 3 }, (_, at) => 2 * uniform(seed, 1e6, at) - 1);
  return { plan, images, specialisations: specialisationsOf(plan), dispose };
}

function specialisationsOf(plan: Plan): Specialisation[] {
  const found = new Map<string, Specialisation & { layers: string[] }>();
  const names = plan.schedule.main.map((node) => node.label ?? node.op.name);
  plan.steps(plan.chunk).main.forEach(({ call }, index) => {
    const { shader, entryPoint, overrides = {} } = call;
    const key = JSON.stringify([shader.name, entryPoint, Object.entries(overrides).sort()]);
    const known = found.get(key) ?? { shader, entryPoint, overrides, layers: [] };
    known.layers.push(names[index]);
    found.set(key, known);
  });
  return [...found.values()];
}

function costOf(flops: number, bytes: number, milliseconds: number, all: number): Cost {
  return {
    flops,
    bytes,
    intensity: flops / bytes,
    milliseconds,
    gflopsPerSecond: flops / milliseconds / 1e6,
    gigabytesPerSecond: bytes / milliseconds / 1e6,
    share: milliseconds / all,
  };
}

const total = (costs: readonly Cost[], key: "flops" | "bytes" | "milliseconds"): number =>
  costs.reduce((sum, cost) => sum + cost[key], 0);

/** Times every dispatch by itself, `repeats` times. */
export async function measureSubject({ plan, images }: Subject, repeats: number): Promise<NetworkCost> {
  const times = await plan.profile({ images }, repeats);
  const { main, prologue } = plan.steps(plan.chunk);
  const all = times.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const layers = times.map(({ name, kernel, node, flops, bytes, milliseconds }, index): LayerCost => {
    const output = atBatch(node.outputs[0].shape, plan.chunk);
    const overrides = main[index].call.overrides ?? {};
    return { name, kernel, overrides, output, ...costOf(flops, bytes, milliseconds, all) };
  });
  const kernels = [...new Set(layers.map(({ kernel }) => kernel))].map((kernel): KernelCost => {
    const own = layers.filter((layer) => layer.kernel === kernel);
    const cost = costOf(total(own, "flops"), total(own, "bytes"), total(own, "milliseconds"), all);
    return { kernel, dispatches: own.length, ...cost };
  });
  return {
    layers,
    kernels: kernels.sort((a, b) => b.milliseconds - a.milliseconds),
    totals: {
      dispatches: layers.length,
      prologueDispatches: prologue.length,
      flops: total(layers, "flops"),
      bytes: total(layers, "bytes"),
      milliseconds: all,
      activationMebibytesPerImage: plan.activationBytes / 2 ** 20,
    },
  };
}
