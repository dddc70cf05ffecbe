import type { Node, Tensor } from "../engine/graph.ts";
import { parameter } from "../engine/ops/sources.ts";
import { accumulateUpdate } from "../engine/ops/updates.ts";
import type { ParameterStore } from "../engine/parameters.ts";
import { type Shape, sizeOf } from "../engine/types.ts";

let created = 0;

/** A sum on the GPU that outlives the runs that add to it: a parameter of its own in the model's store. */
export class Accumulator {
  readonly #name: string;

  constructor(
    private readonly parameters: ParameterStore,
    private readonly shape: Shape,
  ) {
    this.#name = `xai/sum${created++}`;
    this.reset();
  }

  /** The update that adds a value of the accumulator's shape. */
  adding(value: Tensor): Node {
    return accumulateUpdate(parameter(this.#name, this.shape), value);
  }

  reset(): void {
    this.parameters.set(this.#name, new Float32Array(sizeOf(this.shape)), this.shape);
  }

  async read(): Promise<Float32Array> {
    return (await this.parameters.get(this.#name)) as Float32Array;
  }

  /** Plans that add to it must be disposed before. */
  dispose(): void {
    this.parameters.delete(this.#name);
  }
}
