import type { Node, Tensor } from "../engine/graph.ts";
import type { Shape } from "../engine/types.ts";

/** A classifier as nodes of a graph. */
export interface Network {
  /** The last spatial activation [N, h, w, C]: where class activation maps look by default. */
  readonly features: Tensor;
  /** Its mean over height and width [N, C]: what a head is trained on. */
  readonly pooled: Tensor;
  /** Scores before softmax [N, classes]; null without a head. */
  readonly logits: Tensor | null;
  /** Names and shapes of everything that weights must hold. */
  readonly parameters: ReadonlyMap<string, Shape>;
  readonly trainable: ReadonlyMap<string, Tensor>;
  /** Updates of running statistics; empty unless batch normalisation is in training mode. */
  readonly statistics: readonly Node[];
}
