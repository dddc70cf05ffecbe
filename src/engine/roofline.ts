import code from "../shaders/roofline.wgsl?raw";
import { compile } from "./compile.ts";
import type { Device } from "./device.ts";
import { apply, type Tensor } from "./graph.ts";
import { flatGrid } from "./kernel.ts";
import { defineOp } from "./op.ts";
import { input } from "./ops/sources.ts";
import { sizeOf } from "./types.ts";

/** What an adapter reaches at best; a kernel is judged by the nearer of the two. */
export interface Roofline {
  readonly copyGigabytesPerSecond: number;
  readonly multiplyAddGflopsPerSecond: number;
}

const shader = { name: "roofline", code };
const chains = 4;
const rounds = 256;

const copyOp = defineOp("rooflineCopy", {
  arity: 1,
  infer: ([x]) => [x],
  kernel: ({ outputs: [y] }) => {
    const count = sizeOf(y.shape) / 4;
    return { shader, entryPoint: "copy", uniforms: [count], grid: flatGrid(count), flops: 0, bytes: 32 * count };
  },
});

const multiplyAddOp = defineOp("rooflineMultiplyAdd", {
  arity: 1,
  infer: ([x]) => [x],
  kernel: ({ outputs: [y] }) => {
    const count = sizeOf(y.shape) / 4;
    return {
      shader,
      entryPoint: "multiplyAdd",
      overrides: { ROUNDS: rounds },
      uniforms: [count],
      grid: flatGrid(count),
      flops: 8 * chains * rounds * count,
      bytes: 32 * count,
    };
  },
});

/** Values copied (32 MiB each way, beyond most caches), and values that chains run on; hardware needs more to be busy. */
const copied = 2 ** 23;
const chained = { software: 2 ** 16, hardware: 2 ** 22 };

/** Measures both roofs in a fraction of a second; medians of `repeats`. */
export async function measureRoofline(device: Device, repeats: number): Promise<Roofline> {
  const worked = device.traits.software ? chained.software : chained.hardware;
  const copy = await profileOne(device, (x) => apply(copyOp, [x], {}, "copy"), copied, repeats);
  const product = await profileOne(device, (x) => apply(multiplyAddOp, [x], {}, "multiplyAdd"), worked, repeats);
  return {
    copyGigabytesPerSecond: copy.bytes / copy.milliseconds / 1e6,
    multiplyAddGflopsPerSecond: product.flops / product.milliseconds / 1e6,
  };
}

async function profileOne(device: Device, build: (x: Tensor) => Tensor, length: number, repeats: number) {
  const plan = await compile(device, { outputs: { y: build(input("x", [length])) } });
  try {
    const [time] = await plan.profile({ x: new Float32Array(length).fill(0.5) }, repeats);
    return time;
  } finally {
    plan.dispose();
    plan.parameters.dispose();
  }
}
