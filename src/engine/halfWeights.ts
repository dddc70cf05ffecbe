import { type Graph, type Node, nodesOf, rewrite, storageOf } from "./graph.ts";
import { halvesIn, halvesOf } from "./halves.ts";
import { fitsHalves, matmulHalf, matmulHalfTransposed } from "./ops/matmulHalf.ts";
import { parameter } from "./ops/sources.ts";
import type { ParameterStore } from "./parameters.ts";
import { type Shape, sizeOf, type TypedArray } from "./types.ts";

/** A way to keep weights: what a graph reads in place of its parameters, and how these get into a store and out of it. */
export interface WeightFormat {
  /** The graph with the products that read such weights in place of float32. */
  rewrite(graph: Graph): Graph;
  /** Puts the weights of a graph (as it was before `rewrite`) into a store. */
  store(parameters: ParameterStore, graph: Graph, weights: ReadonlyMap<string, StoredWeights>): void;
  /** The values of a weight [...] by its name in the graph, as they are used: rounded where the format rounds. */
  read(parameters: ParameterStore, name: string): Promise<TypedArray>;
}

export interface StoredWeights {
  readonly shape: Shape;
  readonly data: TypedArray;
}

/**
 * Smaller matrices stay float32. In MobileNetV2 those are the first blocks, 1.8 % of the weights of products: there images are large, so
 * activations are what moves through memory, and the roundings are most of the logits' error (3.4e-3 of the largest instead of 1.4e-3).
 */
const leastWeights = 2 ** 14;

const wordsName = (name: string): string => `${name}/halves`;
const scalesName = (name: string): string => `${name}/scales`;

/**
 * Float16 weights of matrix products (dense layers and 1×1 convolutions of 2¹⁴ weights or more), for inference and explanation; activations and
 * sums stay float32. It halves the bytes of those weights in memory and on their way, and needs no feature of the adapter. Opt-in: each
 * weight w of a column whose largest is m moves by at most max(|w| / 2¹¹, |m| / 2¹⁵), so a sum by at most that times Σ|x|. The
 * logits of MobileNetV2 stay within 2e-3 of the largest (docs/decisions/039). Gradients are those of the network with rounded weights;
 * the weights themselves have none, and parameters that the graph updates stay float32.
 *
 * ```ts
 * halfWeights.store(parameters, graph, weights);
 * const plan = await compile(device, halfWeights.rewrite(graph), { parameters });
 * ```
 */
export const halfWeights: WeightFormat = {
  rewrite(graph) {
    const updated = updatedNames(graph);
    return rewrite(graph, (node, inputs) => {
      const name = matrixName(node, updated);
      if (name === null) return undefined;
      const [k, n] = node.inputs[1].shape;
      const words = parameter(wordsName(name), [k, n / 2], "i32");
      const product = node.op.traits.linear?.scales === "input" ? matmulHalfTransposed : matmulHalf;
      return [product(inputs[0], words, parameter(scalesName(name), [n]), node.label)];
    });
  },

  store(parameters, graph, weights) {
    const kept = parameterNames(halfWeights.rewrite(graph));
    for (const [name, { shape, data }] of weights) {
      if (kept.has(wordsName(name))) {
        const columns = shape[shape.length - 1];
        const { words, scales } = halvesOf(data as Float32Array, columns);
        parameters.set(wordsName(name), words, [words.length / (columns / 2), columns / 2]);
        parameters.set(scalesName(name), scales, [columns]);
      }
      if (kept.has(name)) parameters.set(name, data, shape);
    }
  },

  async read(parameters, name) {
    if (parameters.has(name)) return parameters.get(name);
    const [words, scales] = await Promise.all([parameters.get(wordsName(name)), parameters.get(scalesName(name))]);
    return Float32Array.from(halvesIn(words), (half, at) => half * scales[at % scales.length]);
  },
};

/** The parameter that a product of matrices has as weights, if they can be stored in halves. */
function matrixName({ op, inputs }: Node, updated: ReadonlySet<string>): string | null {
  const { linear } = op.traits;
  if (!linear?.isMatrix) return null;
  const weights = inputs[linear.weights];
  if (!fitsHalves(weights.shape) || sizeOf(weights.shape) < leastWeights) return null;
  const { op: source, attributes } = storageOf(weights).node;
  return source.traits.source === "parameter" && !updated.has(attributes.name) ? attributes.name : null;
}

const updatedNames = ({ updates = [] }: Graph): Set<string> =>
  new Set(updates.flatMap(({ op, inputs }) => (op.traits.updates ?? []).map((at) => inputs[at].node.attributes.name)));

const parameterNames = (graph: Graph): Set<string> =>
  new Set(nodesOf(graph).flatMap(({ op, attributes }) => (op.traits.source === "parameter" ? [attributes.name] : [])));
