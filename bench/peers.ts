import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Engine } from "./engines/engine.ts";
import { jaxEngine } from "./engines/jax.ts";
import { onnxRuntimeEngine } from "./engines/onnxRuntime.ts";
import { type Any, tensorFlowEngine } from "./engines/tensorflow.ts";
import { bench } from "./paths.ts";

const require = createRequire(join(bench, "package.json"));

export const peerNames = ["tfjs-webgpu", "jax-js", "tfjs-wasm", "onnxruntime-cpu"] as const;
export type PeerName = (typeof peerNames)[number];

/** Whether the peers are installed, which the rest of the repository does not need. */
export const hasPeers = (): boolean => existsSync(join(bench, "node_modules/@tensorflow/tfjs-core"));
export const installHint = "npm ci --ignore-scripts --prefix bench";

export const versionOf = (name: string): string =>
  JSON.parse(readFileSync(join(bench, "node_modules", name, "package.json"), "utf8")).version;

/** The peers look for `navigator.gpu`, as in a browser; they get the adapters of the object that this engine uses. */
export function offerGpu(gpu: unknown): void {
  Object.defineProperty(globalThis, "navigator", { value: { gpu, userAgent: "node" }, configurable: true });
}

export interface PeerOptions {
  readonly integrationBatches: readonly number[];
  /** Whether to wait for jax-js to compile gradients of the whole network. */
  readonly patient: boolean;
  /** Whether gradients will be asked for: TF.js registers their rules apart. */
  readonly gradients: boolean;
}

let tensorFlow: Any;

/** TF.js on one of its backends; call `offerGpu` before. */
async function loadTensorFlow(backend: string, gradients: boolean): Promise<Any> {
  tensorFlow ??= require("@tensorflow/tfjs-core");
  // In Node the rules of gradients come with the layers.
  if (gradients) require("@tensorflow/tfjs-layers");
  require(`@tensorflow/tfjs-backend-${backend}`);
  if (!(await tensorFlow.setBackend(backend))) throw new Error(`TF.js has no backend ${backend} here`);
  await tensorFlow.ready();
  return tensorFlow;
}

export async function loadPeer(
  name: PeerName,
  { integrationBatches, patient, gradients }: PeerOptions,
): Promise<Engine> {
  switch (name) {
    case "tfjs-webgpu":
      return tensorFlowEngine(await loadTensorFlow("webgpu", gradients), { backend: "webgpu", integrationBatches });
    case "tfjs-wasm":
      return tensorFlowEngine(await loadTensorFlow("wasm", gradients), { backend: "wasm", integrationBatches });
    case "jax-js": {
      const file = join(bench, "node_modules/@jax-js/jax/dist/index.js");
      const jax = await import(pathToFileURL(file).href);
      const devices: string[] = await jax.init("webgpu");
      if (!devices.includes("webgpu")) throw new Error("jax-js has no WebGPU here");
      jax.defaultDevice("webgpu");
      return jaxEngine(jax, versionOf("@jax-js/jax"), patient);
    }
    case "onnxruntime-cpu":
      return onnxRuntimeEngine(require("onnxruntime-node"), {
        name,
        version: versionOf("onnxruntime-node"),
        provider: "cpu",
      });
    default:
      return name satisfies never;
  }
}
