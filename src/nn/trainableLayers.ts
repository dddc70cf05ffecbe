/** Which part of a network trains: its head, everything from a layer on, or all of it. */
import { WeightsError } from "../engine/errors.ts";
import type { BatchNormMode, BatchNormRule } from "./layers.ts";

export interface TrainablePart {
  /** For `NetworkTrainingOptions`. */
  readonly trainable: (name: string) => boolean;
  readonly batchNorm: BatchNormRule["mode"];
}

/** A weight's name is `layer/variable`. */
const layerOf = (name: string): string => name.slice(0, name.lastIndexOf("/"));

/**
 * The part of a network from a layer on, in the order of its weights.
 * @param names of all weights, in the network's order
 * @param from `all`, `head`, a layer such as `Conv_1`, or what layers' names begin with, such as `block_14`
 * @param batchNorm how the part normalises; what lies before it is always frozen. Frozen, γ and β stay too, as in Keras.
 * @throws WeightsError when no layer has this name
 */
export function trainableFrom(names: Iterable<string>, from: string, batchNorm: BatchNormMode): TrainablePart {
  const all = [...names];
  const first = from === "all" ? 0 : all.findIndex((name) => startsPart(layerOf(name), from));
  if (first < 0) {
    const blocks = [...new Set(all.map((name) => /^(block|stage)_\d+/.exec(name)?.[0]).filter(Boolean))];
    throw new WeightsError(
      `expected head, all or a layer to train from, found "${from}"; choose one such as ${blocks.slice(-3).join(", ")}`,
    );
  }
  const part = new Set(all.slice(first));
  const normalises = (layer: string): boolean => part.has(`${layer}/gamma`);
  return {
    trainable: (name) => part.has(name) && (batchNorm === "training" || !normalises(layerOf(name))),
    batchNorm: (layer) => (normalises(layer) ? batchNorm : "frozen"),
  };
}

const startsPart = (layer: string, from: string): boolean =>
  from === "head" ? layer === "predictions" : layer === from || layer.startsWith(`${from}_`);
