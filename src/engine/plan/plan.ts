import type { Device } from "../device.ts";
import { mebibytes } from "../device.ts";
import { GraphError, LimitError, ShapeError } from "../errors.ts";
import { describe, type Graph, type Node, type Tensor } from "../graph.ts";
import { type ParameterStore, padded } from "../parameters.ts";
import type { Tuning } from "../tuning.ts";
import {
  byteSizeOf,
  formatType,
  hasBatch,
  sizeOf,
  type TensorType,
  type TypedArray,
  typeAtBatch,
  typedArray,
} from "../types.ts";
import { type BufferRange, Buffers } from "./buffers.ts";
import { Encoding, type Step, submissionBudget, workOf } from "./encoding.ts";
import { explainPlan } from "./explain.ts";
import { couplesBatch, fittingBatch, type Layout, layOut } from "./layout.ts";
import { type NodeTime, profileSteps } from "./profile.ts";
import { type Schedule, schedule } from "./schedule.ts";

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

export type RunInputs = Readonly<Record<string, TypedArray>>;
export type RunOutputs = Record<string, TypedArray>;

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
    this.chunk = fittingBatch(graph, this.schedule, options.maxBatch, bounds, options);
    const maxSlab = Math.min(limits.maxBufferSize, 4 * limits.maxStorageBufferBindingSize);
    this.layout = layOut(graph, this.schedule, {
      batch: this.chunk,
      maxSlab,
      reuse: options.reuse,
      guard: options.poison ? guardBytes : 0,
    });
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
   * Runs the plan. Inputs by name as typed arrays in row-major order; the batch follows from their length. Returns the
   * outputs and fetched nodes by name. Runs of one plan follow each other in the order of the calls.
   */
  run(inputs: RunInputs = {}): Promise<RunOutputs> {
    const next = this.#queue.then(() => this.#run(inputs));
    this.#queue = next.catch(() => undefined);
    return next;
  }

  async #run(inputs: RunInputs): Promise<RunOutputs> {
    if (this.#disposed) throw new GraphError("this plan is disposed; compile the graph again");
    const batch = this.#batchOf(inputs);
    try {
      if (batch <= this.chunk) return await this.#runChunk(inputs, batch);
      this.#refuseCutting(batch);
      const parts: RunOutputs[] = [];
      for (let start = 0; start < batch; start += this.chunk) {
        const count = Math.min(this.chunk, batch - start);
        parts.push(await this.#runChunk(this.#slice(inputs, start, count), count));
      }
      return this.#join(parts);
    } catch (error) {
      // What the failed run wrote is unknown: the next one writes its uniforms and derived weights again.
      this.#uniformBatch = -1;
      this.#prologueVersions = null;
      throw error;
    }
  }

  async #runChunk(inputs: RunInputs, batch: number): Promise<RunOutputs> {
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
      const readback = this.#buffers.stage(
        Object.values(this.graph.outputs).map((tensor) => this.#range(tensor, batch)),
      );
      encoding.submit(this.device, withPrologue, (encoder) => readback.copy(encoder));
      for (const node of this.graph.updates ?? [])
        for (const index of node.op.traits.updates ?? [])
          this.parameters.touch(node.inputs[index].node.attributes.name);
      const bytes = await readback.read();
      return this.#unpack(bytes, batch);
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
  #batchOf(inputs: RunInputs): number {
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

  #writeInputs(inputs: RunInputs, batch: number): void {
    for (const node of this.#inputNodes) {
      const { buffer, offset, size } = this.#range(node.outputs[0], batch);
      const data = padded(inputs[node.attributes.name]);
      if (data.length > 0) this.device.queue.writeBuffer(buffer, offset, data, 0, Math.min(size, data.length));
    }
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

/** The batch that an input's length says, checked against what is known; an input without elements says nothing. */
function batchOfInput(name: string, type: TensorType, data: TypedArray, known: number | undefined): number | undefined {
  if (!(data instanceof (typedArray(type.dtype, 0).constructor as typeof Float32Array)))
    throw new ShapeError(`input "${name}" is ${formatType(type)}; a ${data.constructor.name} was given`);
  const isBatched = hasBatch(type.shape);
  const perSample = sizeOf(isBatched ? type.shape.slice(1) : type.shape);
  const count = perSample === 0 ? 1 : data.length / perSample;
  const fits =
    perSample === 0
      ? data.length === 0
      : isBatched
        ? Number.isInteger(count) && (known === undefined || known === count)
        : count === 1;
  if (!fits)
    throw new ShapeError(
      `input "${name}" is ${formatType(type)}; ${data.length} values do not fit${known === undefined ? "" : ` a batch of ${known}`}`,
    );
  return isBatched && perSample > 0 ? count : known;
}
