import type { Device } from "../device.ts";
import { describe, type Node } from "../graph.ts";
import { encodeStep, type ReadyStep } from "./encoding.ts";

export interface NodeTime {
  readonly name: string;
  readonly node: Node;
  readonly kernel: string;
  readonly milliseconds: number;
  readonly flops: number;
  readonly bytes: number;
}

/** Median time of each dispatch: by timestamps around passes of one dispatch, or by the host's clock where there are none. */
export async function profileSteps(device: Device, steps: readonly ReadyStep[], repeats: number): Promise<NodeTime[]> {
  const measure = device.gpu.features.has("timestamp-query") ? byTimestamps : byClock;
  const runs: number[][] = [];
  for (let run = 0; run < repeats; run++) runs.push(await measure(device, steps));
  return steps.map((step, index) => {
    const times = runs.map((run) => run[index]).sort((a, b) => a - b);
    return {
      name: describe(step.node),
      node: step.node,
      kernel: `${step.call.shader.name}.${step.call.entryPoint}`,
      milliseconds: times[times.length >> 1],
      flops: step.call.flops,
      bytes: step.call.bytes,
    };
  });
}

/** At most this many timestamps fit one query set. */
const maxQueries = 4096;

async function byTimestamps(device: Device, steps: readonly ReadyStep[]): Promise<number[]> {
  const times: number[] = [];
  for (let start = 0; start < steps.length; start += maxQueries / 2) {
    const part = steps.slice(start, start + maxQueries / 2);
    const count = part.length * 2;
    const querySet = device.gpu.createQuerySet({ type: "timestamp", count });
    const resolved = device.createBuffer(
      count * 8,
      GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
      "timestamps",
    );
    const staging = device.createBuffer(count * 8, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST, "timestamps");
    const encoder = device.gpu.createCommandEncoder();
    part.forEach((step, index) => {
      const timestampWrites = { querySet, beginningOfPassWriteIndex: 2 * index, endOfPassWriteIndex: 2 * index + 1 };
      const pass = encoder.beginComputePass({ timestampWrites });
      encodeStep(pass, step);
      pass.end();
    });
    encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, count * 8);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const stamps = new BigInt64Array(staging.getMappedRange().slice(0));
    part.forEach((_, index) => {
      times.push(Number(stamps[2 * index + 1] - stamps[2 * index]) / 1e6);
    });
    querySet.destroy();
    device.destroyBuffer(resolved);
    device.destroyBuffer(staging);
  }
  return times;
}

async function byClock(device: Device, steps: readonly ReadyStep[]): Promise<number[]> {
  const times: number[] = [];
  for (const step of steps) {
    const encoder = device.gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    encodeStep(pass, step);
    pass.end();
    const start = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    times.push(performance.now() - start);
  }
  return times;
}
