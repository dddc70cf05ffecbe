import type { Device } from "../src/engine/device.ts";
import type { ParameterStore } from "../src/engine/parameters.ts";
import { compileWorkload, inputsOf } from "./engines/tepal.ts";
import { median, rounded } from "./statistics.ts";
import { type Workload, workloads } from "./workloads.ts";

export interface MemoryFact {
  readonly workload: string;
  readonly plannedBytes: number;
  /** The largest set of values alive at once. */
  readonly lowerBoundBytes: number;
  readonly ratio: number;
}

/** Milliseconds of the host between opening a command encoder and the return of `submit`, summed over one run. */
async function encodeTimes(device: Device, run: () => Promise<unknown>, rounds: number): Promise<number[]> {
  const { gpu, queue } = device;
  const createCommandEncoder = gpu.createCommandEncoder.bind(gpu);
  const submit = queue.submit.bind(queue);
  let started = 0;
  let total = 0;
  const times: number[] = [];
  gpu.createCommandEncoder = (descriptor) => {
    started = performance.now();
    return createCommandEncoder(descriptor);
  };
  queue.submit = (buffers) => {
    submit(buffers);
    total += performance.now() - started;
  };
  try {
    for (let round = 0; round < rounds; round++) {
      total = 0;
      await run();
      times.push(total);
    }
  } finally {
    // The prototype's own functions come back into sight.
    delete (gpu as Partial<GPUDevice>).createCommandEncoder;
    delete (queue as Partial<GPUQueue>).submit;
  }
  return times;
}

/** The median over `rounds` forward passes of one image; NaN where the calls cannot be watched. */
export async function encodeAndSubmit(device: Device, parameters: ParameterStore, rounds: number): Promise<number> {
  const workload = workloads[0];
  const plan = await compileWorkload(device, parameters, workload);
  const inputs = inputsOf(workload);
  try {
    await plan.run(inputs);
    const times = await encodeTimes(device, () => plan.run(inputs), rounds);
    return times.every((time) => time > 0) ? rounded(median(times)) : Number.NaN;
  } finally {
    plan.dispose();
  }
}

/** What the plans of the forward pass and of the input gradient allocate for activations. */
export async function plannedMemory(device: Device, parameters: ParameterStore): Promise<MemoryFact[]> {
  const facts: MemoryFact[] = [];
  for (const workload of workloads.filter(({ kind }) => kind === "forward" || kind === "inputGradient"))
    facts.push(await memoryOf(device, parameters, workload));
  return facts;
}

async function memoryOf(device: Device, parameters: ParameterStore, workload: Workload): Promise<MemoryFact> {
  const plan = await compileWorkload(device, parameters, workload);
  const { slabs, lowerBound } = plan.layout.memory;
  plan.dispose();
  const planned = slabs.reduce((sum, bytes) => sum + bytes, 0);
  return {
    workload: workload.name,
    plannedBytes: planned,
    lowerBoundBytes: lowerBound,
    ratio: rounded(planned / lowerBound),
  };
}
