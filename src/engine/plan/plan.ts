import type { Device } from "../device.ts";
import { mebibytes } from "../device.ts";
import { GraphError, LimitError } from "../errors.ts";
import { describe, type Graph, type Node, type Tensor } from "../graph.ts";
import { type ParameterStore, padded } from "../parameters.ts";
import type { Tuning } from "../tuning.ts";
import { byteSizeOf, formatType, hasBatch, sizeOf, type TensorType, typeAtBatch, typedArray } from "../types.ts";
import { type BufferRange, Buffers, type Readback } from "./buffers.ts";
import { Encoding, type Step, submissionBudget, workOf } from "./encoding.ts";
import { explainPlan } from "./explain.ts";
import {
  areOnHost,
  batchOfInput,
  type DeviceInputs,
  type DeviceReader,
  isOnDevice,
  type RunInputs,
  type RunOutputs,
} from "./inputs.ts";
import { couplesBatch, fittingLayout, type Layout } from "./layout.ts";
import { type NodeTime, profileSteps } from "./profile.ts";
import { type Schedule, schedule } from "./schedule.ts";

export type { DeviceInputs, DeviceReader, DeviceValue, RunInputs, RunOutputs } from "./inputs.ts";

export interface PlanOptions {
  readonly maxBatch: number;
  readonly shrinkBatch: boolean;
  readonly memoryBudget: number;
  readonly reuse: boolean;
  readonly poison: boolean;
  readonly tuning: Tuning | null;
  /** The inputs of the graph as it was built: passes may find no use for one. */
  readonly inputs: ReadonlyMap<string, TensorType>;
}

/** More than a row of invocations of any kernel can overshoot by. */
const guardBytes = 1024;

/**
 * A compiled graph: its buffers, bind groups and pipelines. `run` writes the inputs, encodes one pass, submits once (more
 * often only when the work is long) and reads all outputs back in one copy.
 */
export class Plan {
  readonly schedule: Schedule;
  readonly layout: Layout;
  /** Samples per submission; smaller than `maxBatch` when a limit asks for micro-batches. */
  readonly chunk: number;
  #buffers: Buffers;
  #encodings = new Map<number, Promise<Encoding>>();
  #uniformBatch = -1;
  #prologueVersions: string | null = null;
  #queue: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(
    readonly device: Device,
    readonly graph: Graph,
    readonly parameters: ParameterStore,
    readonly options: PlanOptions,
  ) {
    this.schedule = schedule(graph);
    const { limits } = device.gpu;
    const bounds = {
      binding: limits.maxStorageBufferBindingSize,
      buffer: limits.maxBufferSize,
      budget: options.memoryBudget,
      overload: (batch: number) => this.#overload(batch),
    };
    const guard = options.poison ? guardBytes : 0;
    this.layout = fittingLayout(graph, this.schedule, options.maxBatch, bounds, { ...options, guard });
    this.chunk = this.layout.batch;
    this.#buffers = new Buffers(device, this.schedule, this.layout, parameters, options.poison);
  }

  /** The first dispatch that is too long for one submission, or too large for a grid. */
  #overload(batch: number): string | null {
    const budget = submissionBudget(this.device);
    try {
      const { prologue, main } = this.steps(batch);
      const long = [...prologue, ...main].find(({ call }) => workOf(call) > budget);
      if (!long) return null;
      return `${describe(long.node)} is a dispatch of ${giga(workOf(long.call))}; a submission takes ${giga(budget)}`;
    } catch (error) {
      if (error instanceof LimitError) return error.message.replace(/; use a smaller batch$/, "");
      throw error;
    }
  }

  /** Compiles every pipeline for the largest batch. */
  async prepare(): Promise<void> {
    await this.device.guarded(() => this.#encoding(this.chunk));
  }

  /**
   * Runs the plan. Inputs by name as typed arrays in row-major order, or as values on the device; the batch follows from their
   * length. Returns the outputs and fetched nodes by name. Runs of one plan follow each other in the order of the calls.
   */
  run(inputs: DeviceInputs = {}): Promise<RunOutputs> {
    return this.#enqueue(() => this.#run(inputs));
  }

  /**
   * Runs the plan without bringing a number to the host: inputs may be buffers of the device, and `read` encodes what uses the
   * outputs' buffers. Resolves when the work is submitted, not when it is done.
   * @throws LimitError for a batch above `chunk`, which only `run` can cut; GraphError, ShapeError as `run`.
   */
  runOnDevice(inputs: DeviceInputs, read: DeviceReader): Promise<void> {
    return this.#enqueue(async () => {
      const batch = this.#batchOf(inputs);
      if (batch > this.chunk) throw this.#tooLarge(batch);
      await this.#submit(inputs, batch, (encoder) => {
        const ranges = Object.entries(this.graph.outputs).map(([name, tensor]) => [name, this.#range(tensor, batch)]);
        read(encoder, Object.fromEntries(ranges));
      });
    });
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#queue.then(async () => {
      if (this.#disposed) throw new GraphError("this plan is disposed; compile the graph again");
      try {
        return await work();
      } catch (error) {
        // What the failed run wrote is unknown: the next one writes its uniforms and derived weights again.
        this.#uniformBatch = -1;
        this.#prologueVersions = null;
        throw error;
      }
    });
    this.#queue = next.catch(() => undefined);
    return next;
  }

  async #run(inputs: DeviceInputs): Promise<RunOutputs> {
    const batch = this.#batchOf(inputs);
    if (batch <= this.chunk) return this.#runChunk(inputs, batch);
    if (!areOnHost(inputs)) throw this.#tooLarge(batch);
    this.#refuseCutting(batch);
    const parts: RunOutputs[] = [];
    for (let start = 0; start < batch; start += this.chunk) {
      const count = Math.min(this.chunk, batch - start);
      parts.push(await this.#runChunk(this.#slice(inputs, start, count), count));
    }
    return this.#join(parts);
  }

  #tooLarge(batch: number): LimitError {
    return new LimitError(
      `a batch of ${batch} exceeds this plan's ${this.chunk}, and values on the device are not cut; use a smaller batch`,
    );
  }

  async #runChunk(inputs: DeviceInputs, batch: number): Promise<RunOutputs> {
    const ranges = Object.values(this.graph.outputs).map((tensor) => this.#range(tensor, batch));
    let readback: Readback;
    return this.#submit(
      inputs,
      batch,
      (encoder) => {
        readback = this.#buffers.stage(ranges);
        readback.copy(encoder);
      },
      async () => this.#unpack(await readback.read(), batch),
    );
  }

  /** Writes the inputs and submits everything; `finish` adds to the last command buffer, `result` is awaited after it. */
  async #submit<T>(
    inputs: DeviceInputs,
    batch: number,
    finish: (encoder: GPUCommandEncoder) => void,
    result?: () => Promise<T>,
  ): Promise<T> {
    // Error scopes see what is called before the first wait, so everything that is encoded must come before it.
    const encoding = await this.device.guarded(() => this.#encoding(batch));
    return this.device.guarded(async () => {
      this.#writeInputs(inputs, batch);
      if (this.#uniformBatch !== batch) {
        this.device.queue.writeBuffer(this.#buffers.uniforms, 0, encoding.uniforms);
        this.#uniformBatch = batch;
      }
      this.#buffers.poison();
      const versions = this.#versions();
      const withPrologue = versions !== this.#prologueVersions;
      this.#prologueVersions = versions;
      encoding.submit(this.device, withPrologue, finish);
      for (const node of this.graph.updates ?? [])
        for (const index of node.op.traits.updates ?? [])
          this.parameters.touch(node.inputs[index].node.attributes.name);
      return result?.() as Promise<T>;
    });
  }

  /** Times every node by itself, `repeats` times, and returns the medians. It is another encoding of the same plan: passes add some overhead. */
  async profile(inputs: RunInputs = {}, repeats = 5): Promise<NodeTime[]> {
    const batch = Math.min(this.#batchOf(inputs), this.chunk);
    await this.run(this.#slice(inputs, 0, batch));
    const encoding = await this.#encoding(batch);
    return this.device.guarded(() => profileSteps(this.device, encoding.main, repeats));
  }

  /** The plan in words: passes' result, order, memory, cost per node. */
  explain(): string {
    return explainPlan(this, this.steps(this.chunk));
  }

  /** The dispatches at a batch size, without touching the GPU. */
  steps(batch: number): { prologue: Step[]; main: Step[] } {
    return Encoding.steps(this.device, this.schedule, batch, this.options.tuning);
  }

  get dispatches(): number {
    return this.schedule.main.length;
  }

  /** Bytes of activations that the plan allocates per sample. */
  get activationBytes(): number {
    return this.layout.memory.slabs.reduce((sum, bytes) => sum + bytes, 0) / this.chunk;
  }

  /** For tests: names the first value whose neighbourhood was written; only meaningful when compiled with `poison`. */
  async strayWrites(): Promise<string | null> {
    return this.#buffers.strayWrites();
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#buffers.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #encoding(batch: number): Promise<Encoding> {
    let encoding = this.#encodings.get(batch);
    if (!encoding) {
      encoding = Encoding.create(
        this.device,
        this.steps(batch),
        (tensor) => this.#boundRange(tensor),
        this.#buffers.uniforms,
      );
      this.#encodings.set(batch, encoding);
      encoding.catch(() => this.#encodings.delete(batch));
    }
    return encoding;
  }

  #range(tensor: Tensor, batch: number): BufferRange {
    const storage = this.schedule.storageOf(tensor);
    return { ...this.#buffers.rangeOf(storage), size: byteSizeOf(typeAtBatch(storage.type, batch)) };
  }

  /** What a dispatch binds: the value at the largest batch, and in tests the guard behind it. */
  #boundRange(tensor: Tensor): BufferRange {
    const range = this.#range(tensor, this.chunk);
    const isParameter = this.schedule.storageOf(tensor).node.op.traits.source === "parameter";
    return isParameter ? range : { ...range, size: range.size + this.layout.guard };
  }

  #versions(): string {
    return this.schedule.prologue.length === 0
      ? "none"
      : this.#prologueSources.map((name) => this.parameters.version(name)).join();
  }

  /** The parameters that the prologue reads. */
  get #prologueSources(): string[] {
    const read = this.schedule.prologue.flatMap(({ inputs }) =>
      inputs.map((input) => this.schedule.storageOf(input).node),
    );
    return [
      ...new Set(read.filter(({ op }) => op.traits.source === "parameter").map(({ attributes }) => attributes.name)),
    ];
  }

  get #inputNodes(): Node[] {
    return this.schedule.sources.filter((node) => node.op.traits.source === "input");
  }

  /** The batch that the lengths of all given inputs agree on, also of those that the passes found no use for. */
  #batchOf(inputs: DeviceInputs): number {
    const declared = this.options.inputs;
    const unknown = Object.keys(inputs).find((name) => !declared.has(name));
    if (unknown !== undefined)
      throw new GraphError(
        `the graph has no input "${unknown}"; its inputs are ${[...declared.keys()].join(", ") || "none"}`,
      );
    const missing = this.#inputNodes.find(({ attributes }) => !inputs[attributes.name]);
    if (missing)
      throw new GraphError(
        `no value was given for input "${missing.attributes.name}", expected ${formatType(missing.outputs[0].type)}`,
      );
    let batch: number | undefined;
    for (const [name, data] of Object.entries(inputs)) batch = batchOfInput(name, declared.get(name)!, data, batch);
    return batch ?? 1;
  }

  #refuseCutting(batch: number): void {
    const coupled = this.schedule.main.find(couplesBatch) ?? this.graph.updates?.[0];
    const whole = Object.entries(this.graph.outputs).find(([, tensor]) => !hasBatch(tensor.shape));
    if (coupled || whole)
      throw new LimitError(
        `a batch of ${batch} exceeds this plan's ${this.chunk}, and ${coupled ? describe(coupled) : `output ${whole?.[0]}`} couples the samples; use a batch of ${this.chunk} or less`,
      );
  }

  #slice(inputs: RunInputs, start: number, count: number): RunInputs {
    return Object.fromEntries(
      this.#inputNodes.map((node) => {
        const { type, name } = node.attributes;
        if (!hasBatch(type.shape)) return [name, inputs[name]];
        const perSample = sizeOf(type.shape.slice(1));
        return [name, inputs[name].subarray(start * perSample, (start + count) * perSample)];
      }),
    );
  }

  #writeInputs(inputs: DeviceInputs, batch: number): void {
    let copies: GPUCommandEncoder | null = null;
    for (const node of this.#inputNodes) {
      const { buffer, offset, size } = this.#range(node.outputs[0], batch);
      const value = inputs[node.attributes.name];
      if (isOnDevice(value)) {
        copies ??= this.device.gpu.createCommandEncoder();
        copies.copyBufferToBuffer(value.buffer, 0, buffer, offset, size);
        continue;
      }
      const data = padded(value);
      if (data.length > 0) this.device.queue.writeBuffer(buffer, offset, data, 0, Math.min(size, data.length));
    }
    if (copies) this.device.queue.submit([copies.finish()]);
  }

  #unpack(bytes: ArrayBuffer, batch: number): RunOutputs {
    const outputs: RunOutputs = {};
    let offset = 0;
    for (const [name, tensor] of Object.entries(this.graph.outputs)) {
      const type = typeAtBatch(tensor.type, batch);
      const data = typedArray(type.dtype, sizeOf(type.shape));
      new Uint8Array(data.buffer).set(new Uint8Array(bytes, offset, data.byteLength));
      outputs[name] = data;
      offset += byteSizeOf(type);
    }
    return outputs;
  }

  #join(parts: readonly RunOutputs[]): RunOutputs {
    return Object.fromEntries(
      Object.entries(this.graph.outputs).map(([name, tensor]) => {
        const joined = typedArray(
          tensor.dtype,
          parts.reduce((sum, part) => sum + part[name].length, 0),
        );
        let offset = 0;
        for (const part of parts) {
          joined.set(part[name], offset);
          offset += part[name].length;
        }
        return [name, joined];
      }),
    );
  }

  toString(): string {
    return `Plan(${this.dispatches} dispatches, ${mebibytes(this.layout.bytes)}, batch ${this.chunk})`;
  }
}

const giga = (operations: number): string => `${(operations / 1e9).toFixed(1)} GFLOP`;
