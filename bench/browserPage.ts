/** Runs in the page: this engine, TF.js and ONNX Runtime Web side by side on the browser's own adapter. */
import { Device } from "../src/engine/device.ts";
import type { Engine } from "./engines/engine.ts";
import { onnxRuntimeEngine } from "./engines/onnxRuntime.ts";
import { tensorFlowEngine } from "./engines/tensorflow.ts";
import { tepalEngine } from "./engines/tepal.ts";
import { materialOf } from "./material.ts";
import { type MeasureOptions, measureWorkload, type WorkloadResult } from "./measure.ts";
import { workloads } from "./workloads.ts";

export interface PageRequest {
  readonly only: readonly string[];
  readonly peers: readonly string[];
  readonly versions: Readonly<Record<string, string>>;
  readonly options: Omit<MeasureOptions, "log" | "onRound">;
}

export interface PageResult {
  readonly adapter: string;
  readonly versions: Record<string, string>;
  readonly results: readonly WorkloadResult[];
}

async function openEngines({ peers, versions }: PageRequest, device: Device): Promise<Engine[]> {
  const engines = [tepalEngine(device, versions.tepal)];
  if (peers.includes("tfjs-webgpu")) {
    const tf = await import("@tensorflow/tfjs-core");
    await import("@tensorflow/tfjs-core/dist/register_all_gradients");
    await import("@tensorflow/tfjs-backend-webgpu");
    await tf.setBackend("webgpu");
    await tf.ready();
    engines.push(tensorFlowEngine(tf, { backend: "webgpu", integrationBatches: [5] }));
  }
  if (peers.includes("onnxruntime-web")) {
    const path = "/onnxruntime-web/ort.webgpu.min.mjs";
    const ort = await import(path);
    ort.env.wasm.wasmPaths = "/onnxruntime-web/";
    const version = versions["onnxruntime-web"];
    engines.push(onnxRuntimeEngine(ort, { name: "onnxruntime-web", version, provider: "webgpu" }));
  }
  return engines;
}

async function run(request: PageRequest): Promise<PageResult> {
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Error("the browser offers no WebGPU adapter");
  const { vendor, architecture, description } = adapter.info;
  const device = await Device.open(adapter);
  const engines = await openEngines(request, device);
  const material = materialOf(new Uint8Array(await (await fetch("/material")).arrayBuffer()));
  const results: WorkloadResult[] = [];
  for (const workload of workloads.filter(({ name }) => request.only.includes(name)))
    results.push(await measureWorkload(engines, workload, material, { ...request.options, log: console.log }));
  return {
    adapter: description || [vendor, architecture].filter(Boolean).join(" "),
    versions: Object.fromEntries(engines.map(({ name, version }) => [name, version])),
    results,
  };
}

Object.assign(globalThis, { runBench: run });
