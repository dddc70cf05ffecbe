import type { Device } from "../device.ts";
import { GraphError, LimitError } from "../errors.ts";
import { describe, type Node, type Tensor } from "../graph.ts";
import type { AdapterTraits, Binding, KernelCall, KernelContext, UniformWord } from "../op.ts";
import type { Tuning } from "../tuning.ts";
import { typeAtBatch } from "../types.ts";
import { type BufferRange, uniformStride } from "./buffers.ts";
import type { Schedule } from "./schedule.ts";

/** One dispatch of a plan at a batch size. */
export interface Step {
  readonly node: Node;
  readonly call: KernelCall;
  readonly bindings: readonly Binding[];
  readonly access: readonly ("read-only-storage" | "storage")[];
}

export interface ReadyStep extends Step {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
}

/** Floating-point operations (or four times the bytes) after which a submission is closed, so that no watchdog or page waits for long. */
const submissionBudgets = { software: 4e9, hardware: 100e9 };

export const submissionBudget = ({ traits }: Pick<Device, "traits">): number =>
  traits.software ? submissionBudgets.software : submissionBudgets.hardware;

/** What a dispatch costs, in floating-point operations; where memory is the limit, a byte counts as four. */
export const workOf = ({ flops, bytes }: Pick<KernelCall, "flops" | "bytes">): number => Math.max(flops, 4 * bytes);

/** Cuts dispatches, in their order, into submissions that stay within the budget. */
export function cutSubmissions<T extends { readonly call: KernelCall }>(steps: readonly T[], budget: number): T[][] {
  const submissions: T[][] = [[]];
  let work = 0;
  for (const step of steps) {
    const cost = workOf(step.call);
    if (work > 0 && work + cost > budget) {
      submissions.push([]);
      work = 0;
    }
    submissions[submissions.length - 1].push(step);
    work += cost;
  }
  return submissions;
}

/** A plan's dispatches at one batch size: uniforms, grids, pipelines and bind groups, ready to be encoded again and again. */
export class Encoding {
  private constructor(
    readonly prologue: readonly ReadyStep[],
    readonly main: readonly ReadyStep[],
    readonly uniforms: Uint8Array<ArrayBuffer>,
  ) {}

  static async create(
    device: Device,
    { prologue, main }: { prologue: readonly Step[]; main: readonly Step[] },
    rangeOf: (tensor: Tensor) => BufferRange,
    uniformBuffer: GPUBuffer,
  ): Promise<Encoding> {
    const steps = [...prologue, ...main];
    const pipelines = await Promise.all(steps.map(({ call, access }) => device.pipeline({ call, access })));
    const uniforms = new Uint8Array(steps.length * uniformStride);
    const ready = steps.map((step, index): ReadyStep => {
      writeUniforms(new DataView(uniforms.buffer, index * uniformStride), step);
      const bindGroup = device.gpu.createBindGroup({
        label: describe(step.node),
        layout: device.layout(step.access),
        entries: [
          { binding: 0, resource: { buffer: uniformBuffer, offset: index * uniformStride, size: uniformStride } },
          ...step.bindings.map((binding, slot) => ({
            binding: slot + 1,
            resource: resourceOf(device, step.node, binding, rangeOf),
          })),
        ],
      });
      return { ...step, pipeline: pipelines[index], bindGroup };
    });
    return new Encoding(ready.slice(0, prologue.length), ready.slice(prologue.length), uniforms);
  }

  /** The kernel calls of a schedule; needs the device's traits only. */
  static steps(
    device: Device,
    schedule: Schedule,
    batch: number,
    tuning: Tuning | null,
  ): { prologue: Step[]; main: Step[] } {
    const stepOf = (node: Node): Step => {
      if (!node.op.kernel)
        throw new GraphError(`${describe(node)}: ${node.op.name} has neither a kernel nor a lowering`);
      const context = contextOf(node, batch, device.traits);
      const call = node.op.kernel({ ...context, choice: tuning?.choose(node, context) });
      checkGrid(device, node, call);
      const bindings = call.bindings ?? [
        ...node.inputs.map((_, input) => ({ input })),
        ...node.outputs.map((_, output) => ({ output })),
      ];
      const updated = node.op.traits.updates ?? [];
      const access = bindings.map((binding) =>
        binding && (binding === "scratch" || "output" in binding || updated.includes(binding.input))
          ? ("storage" as const)
          : ("read-only-storage" as const),
      );
      return { node, call, bindings, access };
    };
    return { prologue: schedule.prologue.map(stepOf), main: schedule.main.map(stepOf) };
  }

  /** Encodes everything into one pass and one submission, or several when the work is long; `finish` adds the readback copy. */
  submit(device: Device, withPrologue: boolean, finish: (encoder: GPUCommandEncoder) => void): void {
    const steps = withPrologue ? [...this.prologue, ...this.main] : this.main;
    const submissions = cutSubmissions(steps, submissionBudget(device));
    submissions.forEach((part, index) => {
      const encoder = device.gpu.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (const step of part) encodeStep(pass, step);
      pass.end();
      if (index === submissions.length - 1) finish(encoder);
      device.queue.submit([encoder.finish()]);
    });
  }
}

export function encodeStep(pass: GPUComputePassEncoder, { pipeline, bindGroup, call }: ReadyStep): void {
  if (call.grid.some((groups) => groups === 0)) return;
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(...call.grid);
}

function resourceOf(
  device: Device,
  node: Node,
  binding: Binding,
  rangeOf: (tensor: Tensor) => BufferRange,
): GPUBufferBinding {
  if (!binding) return { buffer: device.zeros };
  if (binding === "scratch") return { buffer: device.scratch };
  const tensor = "input" in binding ? node.inputs[binding.input] : node.outputs[binding.output];
  if (!tensor)
    throw new GraphError(`${describe(node)}: its kernel binds ${JSON.stringify(binding)}, which does not exist`);
  const { buffer, offset, size } = rangeOf(tensor);
  return { buffer, offset, size };
}

function writeUniforms(view: DataView, { node, call }: Step): void {
  if (call.uniforms.length * 4 > uniformStride)
    throw new GraphError(`${describe(node)}: ${call.uniforms.length} uniform words exceed ${uniformStride / 4}`);
  call.uniforms.forEach((word: UniformWord, index) => {
    if (typeof word !== "number") view.setFloat32(4 * index, word.f32, true);
    else if (!Number.isInteger(word))
      throw new GraphError(
        `${describe(node)}: uniform word ${index} is ${word}; whole numbers or { f32 } are expected`,
      );
    else view.setUint32(4 * index, word >>> 0, true);
  });
}

/** What a node's kernel is told at this batch size. */
export const contextOf = (node: Node, batch: number, adapter: AdapterTraits): KernelContext => ({
  inputs: node.inputs.map((input) => typeAtBatch(input.type, batch)),
  outputs: node.outputs.map((output) => typeAtBatch(output.type, batch)),
  attributes: node.attributes,
  adapter,
});

function checkGrid(device: Device, node: Node, { grid }: KernelCall): void {
  const most = device.gpu.limits.maxComputeWorkgroupsPerDimension;
  if (grid.some((groups) => groups > most || !Number.isInteger(groups)))
    throw new LimitError(
      `${describe(node)} needs a grid of ${grid.join("×")} workgroups; the limit is ${most} per dimension; use a smaller batch`,
    );
}
