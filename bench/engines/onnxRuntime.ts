import { channelsFirst } from "../channelsFirst.ts";
import { type Material, pixelsOf, preprocessed } from "../material.ts";
import { onnxModel } from "../onnxModel.ts";
import type { Workload } from "../workloads.ts";
import type { Engine, Work } from "./engine.ts";

/** ONNX Runtime is a dependency of the bench alone, so its types are not here where the repository is type-checked. */
// biome-ignore lint/suspicious/noExplicitAny: see above
type Any = any;

export interface OnnxRuntimeOptions {
  /** Name in the table. */
  readonly name: string;
  readonly version: string;
  /** `webgpu`, `wasm` or `cpu`. */
  readonly provider: string;
}

/** ONNX Runtime on a model file that is made here from the same weights. */
export function onnxRuntimeEngine(ort: Any, { name, version, provider }: OnnxRuntimeOptions): Engine {
  return {
    name,
    version,
    async prepare(workload, material) {
      if (workload.kind === "augment") return "ONNX has no op that warps images by a matrix with reflected borders";
      if (workload.kind !== "forward") return "ONNX Runtime infers; this bench builds no backward graphs for it";
      return forward(ort, provider, workload, material);
    },
  };
}

async function forward(ort: Any, provider: string, { batch, size }: Workload, { weights }: Material): Promise<Work> {
  const model = onnxModel(weights, batch, size);
  const inference = await ort.InferenceSession.create(model, { executionProviders: [provider] });
  const data = channelsFirst(preprocessed(pixelsOf(batch, size)), batch, size);
  return {
    run: async () => {
      const { y } = await inference.run({ x: new ort.Tensor("float32", data, [batch, 3, size, size]) });
      return y.data as Float32Array;
    },
    dispose: () => inference.release(),
  };
}
