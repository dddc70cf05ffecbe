import { DeviceError, DeviceLostError, LimitError } from "./errors.ts";

import type { AdapterTraits, KernelCall, Shader } from "./op.ts";
import type { Tuning } from "./tuning.ts";

/** Limits worth asking for where the adapter has more than the default. */
const wantedLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupStorageSize",
  "maxStorageBuffersPerShaderStage",
] as const;

const wantedFeatures: readonly GPUFeatureName[] = ["timestamp-query", "shader-f16", "subgroups" as GPUFeatureName];

export interface PipelineRequest {
  readonly call: KernelCall;
  /** Access of each storage binding from 1 on. */
  readonly access: readonly ("read-only-storage" | "storage")[];
}

/**
 * A GPU device with what every plan on it shares: compiled pipelines, the count of live buffers, and the errors it reported.
 * An error that the GPU reports is never lost: the next `check()` throws it.
 */
export class Device {
  readonly traits: AdapterTraits;
  /** Resolves when the device is lost, with why: `destroyed` by the host, or `unknown`. What ran on it fails with DeviceLostError. */
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  /** Measured choices for plans that are compiled from now on; see `tuning.ts`. Without them the kernels choose by themselves. */
  tuning: Tuning | null = null;
  /** Bytes of all buffers that are alive. */
  liveBytes = 0;
  liveBuffers = 0;
  #reported: GPUError[] = [];
  #lost: GPUDeviceLostInfo | null = null;
  #modules = new Map<string, Promise<GPUShaderModule>>();
  #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  #layouts = new Map<string, GPUBindGroupLayout>();
  #zeros: GPUBuffer | null = null;
  #scratch: GPUBuffer | null = null;

  private constructor(
    readonly gpu: GPUDevice,
    readonly description: string,
    software: boolean,
  ) {
    this.traits = {
      software,
      maxInvocations: gpu.limits.maxComputeInvocationsPerWorkgroup,
      subgroupSize: subgroupSizeOf(gpu),
      float16: gpu.features.has("shader-f16"),
    };
    gpu.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      this.#reported.push((event as GPUUncapturedErrorEvent).error);
    });
    this.lost = gpu.lost.then((info) => {
      this.#lost = info;
      return { reason: info.reason, message: info.message };
    });
  }

  /** Opens a device on an adapter (which is used up by it), with as much of each limit as the adapter has. */
  static async open(adapter: GPUAdapter, description = describeAdapter(adapter)): Promise<Device> {
    const requiredLimits: Record<string, number> = {};
    for (const name of wantedLimits) requiredLimits[name] = adapter.limits[name];
    const requiredFeatures = wantedFeatures.filter((feature) => adapter.features.has(feature));
    try {
      const gpu = await adapter.requestDevice({ requiredLimits, requiredFeatures });
      return new Device(gpu, description, isSoftware(adapter.info));
    } catch (error) {
      throw new DeviceError(`the adapter ${description} gave no device: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Uses a device that the host already has; it stays the host's to destroy. */
  static adopt(gpu: GPUDevice): Device {
    const info = (gpu as GPUDevice & { adapterInfo?: GPUAdapterInfo }).adapterInfo;
    return new Device(
      gpu,
      info ? info.description || info.vendor : "device of the host",
      info ? isSoftware(info) : false,
    );
  }

  get queue(): GPUQueue {
    return this.gpu.queue;
  }

  get isLost(): boolean {
    return this.#lost !== null;
  }

  /** Whether what failed with `error` failed because the device was lost: the news of the loss may come later than its effects. */
  async wasLost(error: unknown): Promise<boolean> {
    if (error instanceof DeviceLostError || this.isLost) return true;
    await Promise.race([this.gpu.lost, new Promise((resolve) => setTimeout(resolve, 50))]);
    return this.isLost;
  }

  /** Throws what the GPU has reported since the last check. */
  check(): void {
    if (this.#lost)
      throw new DeviceLostError(
        `the GPU device was lost (${this.#lost.reason}): ${this.#lost.message}; open a new device`,
      );
    const error = this.#reported.shift();
    this.#reported.length = 0;
    if (error) throw new DeviceError(`the GPU reported ${error.constructor.name}: ${firstLine(error.message)}`);
  }

  /** Runs `work` so that every GPU error it causes is thrown, whenever the GPU reports it. */
  async guarded<T>(work: () => Promise<T>): Promise<T> {
    this.check();
    this.gpu.pushErrorScope("out-of-memory");
    this.gpu.pushErrorScope("internal");
    this.gpu.pushErrorScope("validation");
    let result: Promise<T>;
    try {
      result = work();
    } catch (error) {
      result = Promise.reject(error);
    }
    const scopes = [this.gpu.popErrorScope(), this.gpu.popErrorScope(), this.gpu.popErrorScope()];
    const settled = Promise.allSettled([result, ...scopes]);
    if (this.traits.software) await sleepUntil(settled);
    const [outcome, ...errors] = await settled;
    this.check();
    for (const scope of errors)
      if (scope.status === "fulfilled" && scope.value)
        throw new DeviceError(`the GPU reported ${scope.value.constructor.name}: ${firstLine(scope.value.message)}`);
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  }

  createBuffer(size: number, usage: GPUBufferUsageFlags, label: string): GPUBuffer {
    if (size > this.gpu.limits.maxBufferSize)
      throw new LimitError(
        `${label} needs ${mebibytes(size)}; the adapter's buffers end at ${mebibytes(this.gpu.limits.maxBufferSize)}; use a smaller batch`,
      );
    const buffer = this.gpu.createBuffer({ size, usage, label });
    this.liveBuffers++;
    this.liveBytes += size;
    return buffer;
  }

  destroyBuffer(buffer: GPUBuffer): void {
    this.liveBuffers--;
    this.liveBytes -= buffer.size;
    buffer.destroy();
  }

  /** 256 bytes of zeros, bound where an optional operand is left out. */
  get zeros(): GPUBuffer {
    this.#zeros ??= this.gpu.createBuffer({ size: 256, usage: GPUBufferUsage.STORAGE, label: "zeros" });
    return this.#zeros;
  }

  /** 256 bytes that may be written, bound where an optional result is left out. */
  get scratch(): GPUBuffer {
    this.#scratch ??= this.gpu.createBuffer({ size: 256, usage: GPUBufferUsage.STORAGE, label: "scratch" });
    return this.#scratch;
  }

  layout(access: PipelineRequest["access"]): GPUBindGroupLayout {
    const key = access.join();
    const known = this.#layouts.get(key);
    if (known) return known;
    const entries: GPUBindGroupLayoutEntry[] = [
      { binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "uniform" } },
      ...access.map((type, index) => ({ binding: index + 1, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
    ];
    const layout = this.gpu.createBindGroupLayout({ entries, label: key });
    this.#layouts.set(key, layout);
    return layout;
  }

  /** The pipeline of a kernel call, compiled at most once; keys are derived from the call. */
  pipeline(request: PipelineRequest): Promise<GPUComputePipeline> {
    const key = pipelineKey(request);
    let pipeline = this.#pipelines.get(key);
    if (!pipeline) {
      pipeline = this.#compile(request, key);
      this.#pipelines.set(key, pipeline);
      pipeline.catch(() => this.#pipelines.delete(key));
    }
    return pipeline;
  }

  get pipelineCount(): number {
    return this.#pipelines.size;
  }

  async #compile({ call, access }: PipelineRequest, key: string): Promise<GPUComputePipeline> {
    const module = await this.#module(call.shader);
    try {
      return await this.gpu.createComputePipelineAsync({
        label: key,
        layout: this.gpu.createPipelineLayout({ bindGroupLayouts: [this.layout(access)] }),
        compute: { module, entryPoint: call.entryPoint, constants: { ...call.overrides } },
      });
    } catch (error) {
      throw new DeviceError(`${key} does not compile: ${firstLine((error as Error).message)}`, { cause: error });
    }
  }

  #module(shader: Shader): Promise<GPUShaderModule> {
    let module = this.#modules.get(shader.name);
    if (!module) {
      module = compileModule(this.gpu, shader);
      this.#modules.set(shader.name, module);
    }
    return module;
  }

  destroy(): void {
    this.gpu.destroy();
  }
}

/** Longest sleep between two looks, in milliseconds. */
const longestSleep = 1;

/**
 * Dawn's binding for Node asks for the GPU's events in a busy loop on the thread that waits. Where the processor is the GPU as
 * well, that takes a core from the driver: here the thread sleeps between two looks, a tenth of the time waited.
 */
async function sleepUntil(work: Promise<unknown>): Promise<void> {
  // A browser waits by itself, and a page's thread must not sleep, whatever a bundler puts in for Node's functions.
  const isBrowser = typeof setImmediate === "undefined" || typeof document !== "undefined";
  if (isBrowser || typeof SharedArrayBuffer === "undefined") return;
  const never = new Int32Array(new SharedArrayBuffer(4));
  const start = performance.now();
  let pending = true;
  work.finally(() => {
    pending = false;
  });
  while (pending) {
    await new Promise((resolve) => setImmediate(resolve));
    if (pending) Atomics.wait(never, 0, 0, Math.min(longestSleep, (performance.now() - start) / 10));
  }
}

/** Compiles a WGSL file; a DeviceError says file, line and column of what is wrong. */
export async function compileModule(gpu: GPUDevice, shader: Shader): Promise<GPUShaderModule> {
  gpu.pushErrorScope("validation");
  const module = gpu.createShaderModule({ code: shader.code, label: `${shader.name}.wgsl` });
  const [error, info] = await Promise.all([gpu.popErrorScope(), module.getCompilationInfo()]);
  const fault = info.messages.find((message) => message.type === "error");
  if (fault)
    throw new DeviceError(`${shader.name}.wgsl:${fault.lineNum}:${fault.linePos}: ${firstLine(fault.message)}`);
  if (error) throw new DeviceError(`${shader.name}.wgsl: ${firstLine(error.message)}`);
  return module;
}

export function pipelineKey({ call, access }: PipelineRequest): string {
  const overrides = Object.entries(call.overrides ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .sort();
  const writes = access.map((type) => (type === "storage" ? "w" : "r")).join("");
  return [`${call.shader.name}.${call.entryPoint}`, writes, ...overrides].join(" ");
}

export const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

const firstLine = (message: string): string => message.trim().split("\n").slice(0, 3).join(" ").slice(0, 600);

export const describeAdapter = (adapter: GPUAdapter): string =>
  [adapter.info.description || adapter.info.device || adapter.info.architecture, adapter.info.vendor]
    .filter(Boolean)
    .join(", ") || "unknown adapter";

/** The one size of the device's subgroups, or 0. */
function subgroupSizeOf({ features, adapterInfo: info }: GPUDevice): number {
  return features.has("subgroups") && info.subgroupMinSize === info.subgroupMaxSize ? info.subgroupMinSize : 0;
}

const isSoftware = (info: GPUAdapterInfo): boolean =>
  info.isFallbackAdapter === true ||
  /swiftshader|llvmpipe|lavapipe|software/i.test(`${info.description} ${info.architecture} ${info.device}`);
