import { DataError, ShapeError } from "../../engine/errors.ts";
import type { Tensor } from "../../engine/graph.ts";
import { input } from "../../engine/ops/sources.ts";
import { BATCH, formatType, type TypedArray } from "../../engine/types.ts";
import type { ImageSize } from "../images.ts";
import { blurFamilies } from "./blur.ts";
import { digitalFamilies } from "./digital.ts";
import { type CorruptionAddress, type CorruptionFamily, CorruptionGraph, type GraphFamily } from "./family.ts";
import { noiseFamilies } from "./noise.ts";
import { type Severity, settingsAt } from "./severities.ts";
import { weatherFamilies } from "./weather.ts";

/** Every family by its name, in the order of tables and pictures. */
export const corruptionFamilies: Readonly<Record<string, CorruptionFamily>> = {
  ...noiseFamilies,
  ...blurFamilies,
  ...weatherFamilies,
  ...digitalFamilies,
};

export const corruptionNames: readonly string[] = Object.keys(corruptionFamilies);

/** The family of this name. Throws a DataError that lists the names. */
export function corruptionFamily(name: string): CorruptionFamily {
  if (!Object.hasOwn(corruptionFamilies, name))
    throw new DataError(`expected a corruption of ${corruptionNames.join(", ")}, found "${name}"`);
  return corruptionFamilies[name];
}

export interface CorruptionChoice extends ImageSize {
  readonly name: string;
  readonly severity: number;
}

/**
 * One family at one severity for images of one size: a part of a graph (`build`) and the values of its inputs for a batch
 * (`feeds`). What an image gets depends on its address (seed, id), the family and the severity alone.
 */
export class Corruption {
  readonly name: string;
  readonly severity: Severity;
  readonly size: ImageSize;
  readonly family: CorruptionFamily;
  readonly settings: Readonly<Record<string, number>>;

  /** @throws DataError for an unknown family or a severity other than 1 to 5 */
  constructor({ name, severity, height, width }: CorruptionChoice) {
    this.family = corruptionFamily(name);
    this.size = { height, width };
    this.settings = settingsAt(this.family.scales, severity, this.size);
    this.name = name;
    this.severity = severity as Severity;
  }

  /**
   * The corrupted images, f32 of 0 to 255, not rounded.
   * @param images [N, H, W, 3] of 0 to 255
   * @param prefix of the names of the graph's new inputs
   * @throws ShapeError when the images are not of this size; DataError for jpeg, which is no part of a graph
   */
  build(images: Tensor, prefix = "corruption"): Tensor {
    const { height, width } = this.size;
    if (images.shape.slice(1).join() !== [height, width, 3].join())
      throw new ShapeError(`expected images [N, ${height}, ${width}, 3] to corrupt, found ${formatType(images.type)}`);
    return this.#graphFamily().build(images, this.#graph(prefix), this.settings);
  }

  /** The values of those inputs for a batch, in its order. */
  feeds(samples: readonly CorruptionAddress[], prefix = "corruption"): Record<string, TypedArray> {
    const { height, width } = this.size;
    const graph = this.#graph(prefix);
    // A family asks for its inputs while it builds: the nodes are thrown away.
    this.#graphFamily().build(input("images", [BATCH, height, width, 3]), graph, this.settings);
    return graph.feeds(samples);
  }

  #graph(prefix: string): CorruptionGraph {
    return new CorruptionGraph(this.size, this.family.number, this.severity, prefix);
  }

  #graphFamily(): GraphFamily {
    if (this.family.kind === "graph") return this.family;
    throw new DataError(`${this.name} is a codec on the host, not part of a graph; use a Corrupter with a codec`);
  }
}
