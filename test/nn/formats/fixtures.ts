import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zipSync } from "fflate";
import { File, type FileOptions, type Group, ready } from "h5wasm/node";

/** Counter-based random numbers, enough to choose mutations (splitmix32). */
export function randomSource(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) % below;
  };
}

/** Runs `body` in a directory of its own, which is removed afterwards. */
export async function inTemporaryDirectory<T>(body: (directory: string) => Promise<T> | T): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "tepal-formats-"));
  try {
    return await body(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** As h5py writes by default, and so Keras: the oldest structures that can hold the content. */
const AS_H5PY: FileOptions = { libver: ["earliest", "latest"] };

/** The bytes of an HDF5 file that `build` fills. */
export async function hdf5(build: (file: File) => void, options = AS_H5PY) {
  await ready;
  return inTemporaryDirectory((directory) => {
    const path = join(directory, "file.h5");
    const file = new File(path, "w", options);
    build(file);
    file.close();
    return new Uint8Array(readFileSync(path));
  });
}

export const ramp = (length: number, start = 0): Float32Array =>
  Float32Array.from({ length }, (_, i) => start + i / 8 - 1);

export interface DatasetOptions {
  chunks?: number[];
  compression?: number;
}

export function addDataset(
  group: Group,
  name: string,
  shape: number[],
  data: Float32Array,
  options: DatasetOptions = {},
) {
  group.create_dataset({ name, data, shape, dtype: "<f4", ...options });
}

/** A small network in both spellings of Keras' named layout: a convolution, its BatchNorm, a depthwise convolution, a head. */
export const SMALL_NETWORK: readonly (readonly [layer: string, variable: string, shape: number[]])[] = [
  ["Conv1", "kernel", [3, 3, 3, 4]],
  ["bn_Conv1", "gamma", [4]],
  ["bn_Conv1", "beta", [4]],
  ["bn_Conv1", "moving_mean", [4]],
  ["bn_Conv1", "moving_variance", [4]],
  ["expanded_conv_depthwise", "kernel", [3, 3, 4, 1]],
  ["predictions", "kernel", [4, 5]],
  ["predictions", "bias", [5]],
];

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** The values that every fixture gives the n-th tensor of SMALL_NETWORK. */
export const smallValues = (index: number): Float32Array => ramp(size(SMALL_NETWORK[index][2]), index);

export function smallNamed(keras: 2 | 3, options: DatasetOptions = {}): Promise<Uint8Array> {
  return hdf5((file) => {
    SMALL_NETWORK.forEach(([layer, variable, shape], i) => {
      const group = (file.get(layer) as Group | null) ?? file.create_group(layer);
      const inner = (group.get(layer) as Group | null) ?? group.create_group(layer);
      const kind = layer.endsWith("depthwise") && variable === "kernel" ? "depthwise_kernel" : variable;
      addDataset(inner, keras === 2 ? `${kind}:0` : variable, shape, smallValues(i), options);
    });
  });
}

const CLASSES: Record<string, string> = {
  Conv1: "Conv2D",
  bn_Conv1: "BatchNormalization",
  expanded_conv_depthwise: "DepthwiseConv2D",
  predictions: "Dense",
};
const STORED: Record<string, string> = {
  Conv1: "conv2d",
  bn_Conv1: "batch_normalization",
  expanded_conv_depthwise: "depthwise_conv2d",
  predictions: "dense",
};

/** The numbered store of Keras 3; `names` adds the attribute by which recent versions name the layers. */
export function smallNumbered(names: boolean): Promise<Uint8Array> {
  return hdf5((file) => {
    const layers = file.create_group("layers");
    const counts = new Map<string, number>();
    SMALL_NETWORK.forEach(([layer, , shape], i) => {
      const index = counts.get(layer) ?? 0;
      counts.set(layer, index + 1);
      const path = STORED[layer];
      const vars = index === 0 ? layers.create_group(path).create_group("vars") : (layers.get(`${path}/vars`) as Group);
      if (names && index === 0) vars.create_attribute("name", layer);
      addDataset(vars, String(index), shape, smallValues(i));
    });
    addDataset(file.create_group("optimizer").create_group("vars"), "0", [1], new Float32Array(1));
  });
}

export const smallConfig = () => ({
  class_name: "Functional",
  config: {
    layers: [
      { class_name: "InputLayer", config: { name: "input" } },
      ...Object.entries(CLASSES).map(([name, class_name]) => ({ class_name, config: { name } })),
    ],
  },
});

export async function smallArchive(level: 0 | 6 = 6, config: unknown = smallConfig()): Promise<Uint8Array> {
  return zipSync(
    {
      "metadata.json": new TextEncoder().encode("{}"),
      "config.json": new TextEncoder().encode(JSON.stringify(config)),
      "model.weights.h5": await smallNumbered(false),
    },
    { level },
  );
}

const EXTREMES = [0x00, 0xff, 0x7f, 0x80, 0x01];

/** One mutant: bytes flipped or overwritten, a run set to an extreme, a part cut, repeated or moved. */
export function mutate(original: Uint8Array, seed: number): Uint8Array {
  const random = randomSource(seed * 7919 + 1);
  // Structure sits at the start of safetensors, at the end of zip, anywhere in HDF5.
  const region = [original.length, Math.min(original.length, 512), original.length][random(3)];
  const at = () => (random(4) === 0 ? original.length - 1 - random(Math.min(256, original.length)) : random(region));
  if (random(10) === 0) return original.slice(0, random(original.length));
  let mutant = original.slice();
  for (let edits = 1 + random(4); edits > 0; edits--) {
    const position = Math.min(at(), mutant.length - 1);
    const kind = random(5);
    if (kind === 0) mutant[position] ^= 1 << random(8);
    else if (kind === 1) mutant[position] = random(256);
    else if (kind === 2) mutant.fill(EXTREMES[random(EXTREMES.length)], position, position + 1 + random(8));
    else if (kind === 3) mutant.copyWithin(position, Math.min(at(), mutant.length - 1), position + 8 + random(64));
    else
      mutant = new Uint8Array([
        ...mutant.subarray(0, position),
        ...mutant.subarray(Math.max(0, position - random(16))),
      ]);
  }
  return mutant;
}
