import { readFileSync } from "node:fs";
import { parseSafetensors, toFloat32 } from "../src/nn/formats/safetensors.ts";
import { shared } from "./shared.ts";

/** The reference outputs of MobileNetV2: float64 truth, and how far TensorFlow's own float32 is from it. */
export interface Truth {
  readonly tensor: (name: string) => Float32Array<ArrayBuffer>;
  readonly taps: readonly string[];
  readonly classes: readonly number[];
  readonly tensorFlow: Readonly<Record<string, number>>;
}

export const weightsFile = "weights/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5";

export function loadTruth(): Truth {
  const file = parseSafetensors(readFileSync(shared("reference/mobilenetv2.safetensors")));
  const meta = JSON.parse(readFileSync(shared("reference/mobilenetv2.json"), "utf8"));
  const tensor = (name: string): Float32Array<ArrayBuffer> => {
    const stored = file.tensors.get(name);
    if (!stored) throw new Error(`${name} is not in the reference`);
    return stored.dtype === "U8" ? Float32Array.from(stored.bytes) : new Float32Array(toFloat32(stored));
  };
  return { tensor, taps: meta.taps, classes: meta.classes, tensorFlow: meta.tensorflow_float32_distance };
}
