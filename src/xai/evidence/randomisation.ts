import { GraphError } from "../../engine/errors.ts";
import { describe, type Node, storageOf, topologicalOrder } from "../../engine/graph.ts";
import { input } from "../../engine/ops/sources.ts";
import { ParameterStore } from "../../engine/parameters.ts";
import { CounterRandom } from "../../engine/random.ts";
import { BATCH, type Shape, type TypedArray } from "../../engine/types.ts";
import { type ExplainableModel, logitsOf } from "../model.ts";

/** A layer with weights, and the parameter that holds them. */
export interface WeightLayer {
  readonly label: string;
  readonly parameter: string;
}

/** The layers with weights (convolutions and dense layers), from the logits down to the image. */
export function weightLayers(model: ExplainableModel): WeightLayer[] {
  return nodesOf(model)
    .reverse()
    .flatMap((node) => {
      const { linear } = node.op.traits;
      // A 1×1 convolution reads its kernel through a view.
      const weights = linear && storageOf(node.inputs[linear.weights]).node;
      if (weights?.op.traits.source !== "parameter") return [];
      return [{ label: node.label ?? describe(node), parameter: weights.attributes.name as string }];
    });
}

interface StoredValue {
  readonly data: TypedArray;
  readonly shape: Shape;
}

function nodesOf(model: ExplainableModel): Node[] {
  const [height, width] = model.inputSize;
  return topologicalOrder([logitsOf(model.build(input("x", [BATCH, height, width, 3]))).node]);
}

/**
 * A model whose weights are taken away layer by layer from the top, while the original keeps its own. A kernel is replaced by
 * normal numbers with the root mean square of each output channel, and normalisation keeps its statistics: so activations keep
 * about their size, and what changes in a map is due to what the weights had learned. Dispose it when done.
 */
export class RandomisedModel {
  readonly model: ExplainableModel;
  readonly layers: readonly WeightLayer[];
  readonly #store: ParameterStore;
  readonly #original: ReadonlyMap<string, StoredValue>;
  #randomised = 0;

  private constructor(original: ExplainableModel, values: ReadonlyMap<string, StoredValue>) {
    this.layers = weightLayers(original);
    this.#original = values;
    this.#store = new ParameterStore(original.device);
    for (const [name, { data, shape }] of values) this.#store.set(name, data, shape);
    this.model = { ...original, parameters: this.#store };
  }

  /** @throws GraphError for a network without weights */
  static async create(original: ExplainableModel): Promise<RandomisedModel> {
    const names = nodesOf(original).flatMap(({ op, attributes }) =>
      op.traits.source === "parameter" ? [attributes.name as string] : [],
    );
    if (names.length === 0) throw new GraphError("expected a network with weights to take away, found none");
    const values = new Map<string, StoredValue>();
    for (const name of names)
      values.set(name, { data: await original.parameters.get(name), shape: original.parameters.shape(name) });
    return new RandomisedModel(original, values);
  }

  /** Replaces the weights of the `count` uppermost layers; those below are the original ones. */
  randomiseTop(count: number, seed: number): void {
    this.layers.forEach(({ parameter }, place) => {
      const { data, shape } = this.#original.get(parameter) as StoredValue;
      if (place < count) this.#store.set(parameter, randomKernel(data, shape, seed, place), shape);
      else if (place < this.#randomised) this.#store.set(parameter, data, shape);
    });
    this.#randomised = count;
  }

  dispose(): void {
    this.#store.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Normal numbers with the root mean square that the kernel has in each output channel, the last axis. */
function randomKernel(data: TypedArray, shape: Shape, seed: number, stream: number): Float32Array {
  const channels = shape[shape.length - 1];
  const squares = new Float64Array(channels);
  data.forEach((value, index) => {
    squares[index % channels] += value * value;
  });
  const random = new CounterRandom(seed, stream);
  const rows = data.length / channels;
  return Float32Array.from({ length: data.length }, (_, index) => {
    return random.normal() * Math.sqrt(squares[index % channels] / rows);
  });
}
