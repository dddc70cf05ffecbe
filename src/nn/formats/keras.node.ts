import { FileError } from "../../engine/errors.ts";
import { type Hdf5Dataset, listHdf5 } from "./hdf5.node.ts";
import type { WeightSet, WeightTensor } from "./weightSet.ts";
import { readZip } from "./zip.node.ts";

const MEBI = 2 ** 20;
const MAX_CONFIG_BYTES = 8 * MEBI;
const MAX_CONFIG_DEPTH = 16;

/** Keras 3 numbers a layer's variables in the order in which the layer creates them. */
const VARIABLES: Record<string, readonly string[]> = {
  conv2d: ["kernel", "bias"],
  depthwise_conv2d: ["kernel", "bias"],
  dense: ["kernel", "bias"],
  batch_normalization: ["gamma", "beta", "moving_mean", "moving_variance"],
};

/** A layer of the numbered store: its Keras name, its class in snake case, and the names of its variables. */
interface StoredLayer {
  readonly name: string;
  readonly kind: string;
  readonly variables: readonly string[];
}

const broken = (expected: string, actual: string): FileError =>
  new FileError(`Keras file: expected ${expected}; found ${actual}; save the model again from Keras`);

/** Keras keeps depthwise kernels as [h, w, C, multiplier]; here the multiplier of 1 is dropped. */
function canonicalShape(shape: number[], depthwise: boolean): number[] {
  return depthwise && shape.length === 4 && shape[3] === 1 ? shape.slice(0, 3) : shape;
}

function store(tensors: Map<string, WeightTensor>, name: string, dataset: Hdf5Dataset, depthwise: boolean): void {
  if (tensors.has(name)) throw broken("every variable once", `${name} twice, again at ${dataset.path}`);
  tensors.set(name, { shape: canonicalShape(dataset.shape, depthwise), data: dataset.read() });
}

/** `Conv1/Conv1/kernel:0` of Keras 2, `Conv1/Conv1/kernel` of Keras 3, either below `model_weights` for whole models. */
function readNamed(datasets: Hdf5Dataset[]): Map<string, WeightTensor> {
  const whole = datasets.some(({ path }) => path.startsWith("model_weights/"));
  const tensors = new Map<string, WeightTensor>();
  for (const dataset of datasets) {
    if (whole && !dataset.path.startsWith("model_weights/")) continue;
    const parts = dataset.path.split("/");
    if (parts.length < 2) throw broken("weights at <layer>/<variable>", dataset.path);
    const variable = parts[parts.length - 1].replace(/:\d+$/, "");
    const layer = parts[parts.length - 2];
    const depthwise = variable === "depthwise_kernel" || (variable === "kernel" && /depthwise/i.test(layer));
    store(tensors, `${layer}/${variable === "depthwise_kernel" ? "kernel" : variable}`, dataset, depthwise);
  }
  return tensors;
}

/** A Keras class name as Keras 3 spells it in the store: DepthwiseConv2D gives depthwise_conv2d. */
const snakeCase = (className: string): string =>
  className
    .replace(/\W+/g, "")
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();

function variablesOf(kind: string, config: Record<string, unknown>): readonly string[] {
  if (kind !== "batch_normalization") return VARIABLES[kind] ?? [];
  const absent = [config.scale === false ? "gamma" : "", config.center === false ? "beta" : ""];
  return VARIABLES.batch_normalization.filter((variable) => !absent.includes(variable));
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * The layers of a config.json under their paths in the store. The store names a layer by its class and, from the
 * second one of a class on, by a counter in the order of the config; a nested model starts counting anew.
 */
function layersOf(model: unknown, prefix: string, into: Map<string, StoredLayer>, depth = 0): void {
  if (depth > MAX_CONFIG_DEPTH) throw broken(`models nested at most ${MAX_CONFIG_DEPTH} deep`, "deeper ones");
  const config = isObject(model) ? model.config : undefined;
  const layers = isObject(config) ? config.layers : undefined;
  if (!Array.isArray(layers)) throw broken("a list of layers in config.json", typeof layers);
  const counters = new Map<string, number>();
  for (const layer of layers) {
    if (!isObject(layer) || typeof layer.class_name !== "string" || !isObject(layer.config)) {
      throw broken("class_name and config for every layer of config.json", JSON.stringify(layer).slice(0, 40));
    }
    const kind = snakeCase(layer.class_name);
    const seen = counters.get(kind) ?? 0;
    counters.set(kind, seen + 1);
    const path = `${prefix}layers/${seen === 0 ? kind : `${kind}_${seen}`}`;
    if (Array.isArray(layer.config.layers)) layersOf(layer, `${path}/`, into, depth + 1);
    else into.set(path, { name: String(layer.config.name), kind, variables: variablesOf(kind, layer.config) });
  }
}

const STORED = /^(?:_layer_checkpoint_dependencies\/)?((?:.*\/)?layers\/[^/]+)\/vars\/(\d+)$/;

/** The layer of a dataset in a store without config.json: recent Keras writes the name beside the variables. */
function layerFromStore(path: string, ownerName: string | undefined): StoredLayer {
  if (ownerName === undefined) {
    throw broken("layer names in the store", `none at ${path} (the .keras archive has them)`);
  }
  const kind = path.slice(path.lastIndexOf("/") + 1).replace(/_\d+$/, "");
  return { name: ownerName, kind, variables: VARIABLES[kind] ?? [] };
}

/** `layers/conv2d_3/vars/0` of Keras 3. */
function readNumbered(datasets: Hdf5Dataset[], layers: Map<string, StoredLayer> | null): Map<string, WeightTensor> {
  const tensors = new Map<string, WeightTensor>();
  for (const dataset of datasets) {
    const match = STORED.exec(dataset.path);
    // Beside the layers lie the optimiser's moments and the metrics' counters, which are no weights.
    if (match === null) continue;
    const layer = layers === null ? layerFromStore(match[1], dataset.ownerName) : layers.get(match[1]);
    const variable = layer?.variables[Number(match[2])];
    if (layer === undefined || variable === undefined) {
      throw broken(
        `variables of ${Object.keys(VARIABLES).join(", ")}`,
        `${dataset.path} (${layer?.kind ?? "no layer"})`,
      );
    }
    store(tensors, `${layer.name}/${variable}`, dataset, layer.kind === "depthwise_conv2d" && variable === "kernel");
  }
  return tensors;
}

function parseConfig(bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined) throw broken("config.json in the archive", "none");
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new FileError("Keras file: expected JSON in config.json; found other text; save the model again from Keras", {
      cause,
    });
  }
}

function readKerasZip(bytes: Uint8Array): WeightSet {
  const contents = readZip(bytes, {
    "config.json": MAX_CONFIG_BYTES,
    "model.weights.h5": 16 * MEBI + bytes.length,
  });
  const weights = contents.get("model.weights.h5");
  if (weights === undefined) throw broken("model.weights.h5 in the archive", "none (is this a .keras file?)");
  const config = parseConfig(contents.get("config.json"));
  const layers = new Map<string, StoredLayer>();
  layersOf(config, "", layers);
  // The unpacked store exists twice, here and in the reader; what is left may go to the tensors.
  const memory = 64 * MEBI + 4 * bytes.length - 2 * weights.length;
  const tensors = readNumbered(listHdf5(weights, memory), layers);
  if (tensors.size === 0) throw broken("weights in model.weights.h5", "none");
  return { tensors, source: "keras-zip", metadata: {} };
}

/**
 * Reads the weights of a Keras file under canonical names (see WeightSet): `.h5` of Keras 2 and Keras 3,
 * `.weights.h5` of Keras 3, and `.keras` archives. Values are float32; float64 and float16 are converted.
 *
 * @throws FileError for anything else, for damage, and for layers with variables other than those of Conv2D,
 *   DepthwiseConv2D, Dense and BatchNormalization in the numbered layouts.
 */
export function readKerasHdf5(bytes: Uint8Array): WeightSet {
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return readKerasZip(bytes);
  const datasets = listHdf5(bytes);
  const numbered = datasets.some(({ path }) => STORED.test(path));
  const tensors = numbered ? readNumbered(datasets, null) : readNamed(datasets);
  if (tensors.size === 0) throw broken("weights", "a file without any");
  return { tensors, source: "keras-h5", metadata: {} };
}
