import { readFileSync } from "node:fs";
import { expect } from "vitest";
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

/** Asserts a distance and prints it with its bound, so that a run of the tests is also the table of figures. */
export function expectDistance(name: string, distance: number, bound: number): void {
  console.info(`${name.padEnd(48)} ${distance.toExponential(2)}  (bound ${bound.toExponential(1)})`);
  expect(distance, name).toBeLessThanOrEqual(bound);
}

/** Runs that take minutes on SwiftShader: part of the default run on faster adapters, of the long run everywhere. */
export const isQuickAdapter = process.env.TEPAL_ADAPTER !== "swiftshader" || process.env.TEPAL_LONG === "1";
