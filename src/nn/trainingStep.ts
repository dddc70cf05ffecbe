import { gradients } from "../engine/autodiff.ts";
import { compile } from "../engine/compile.ts";
import type { Device } from "../engine/device.ts";
import { NonFiniteError } from "../engine/errors.ts";
import type { Graph, Node, Tensor } from "../engine/graph.ts";
import { add } from "../engine/ops/binary.ts";
import { sparseCrossEntropy } from "../engine/ops/losses.ts";
import { nonFiniteCount } from "../engine/ops/nonFinite.ts";
import { mean } from "../engine/ops/reduce.ts";
import { input } from "../engine/ops/sources.ts";
import type { ParameterStore } from "../engine/parameters.ts";
import type { Plan, RunInputs } from "../engine/plan/plan.ts";
import { BATCH } from "../engine/types.ts";
import { argmaxOfRow } from "./metrics.ts";
import { describeNonFinite } from "./nonFinite.ts";
import { type Optimiser, optimiserUpdates } from "./optimisers.ts";

/** The part of a network that a training step reads. */
export interface TrainableNetwork {
  /** Scores before softmax [N, classes]. */
  readonly logits: Tensor;
  /** What is added to each sample's cross-entropy [N]. */
  readonly penalty?: Tensor;
  /** The parameters to change, by name. */
  readonly trainable: ReadonlyMap<string, Tensor>;
  /** Updates of running statistics. */
  readonly statistics?: readonly Node[];
}

export interface TrainingGraph {
  /** Outputs `losses` [N], `logits` [N, classes] and `nonFinite` []; updates of parameters, moments and running statistics. */
  readonly graph: Graph;
  /** The mean cross-entropy of the batch []. */
  readonly loss: Tensor;
  /** Its gradient with respect to each trainable parameter, by name. */
  readonly gradients: ReadonlyMap<string, Tensor>;
}

/**
 * One step of training as a graph. Besides the network's own inputs it has `labels` i32 [N] and `rate` [], the scalar of the
 * optimiser. Nothing that the optimiser changes moves when a loss or a gradient is not finite.
 */
export function trainingGraph(network: TrainableNetwork, optimiser: Optimiser): TrainingGraph {
  const { logits, penalty, trainable, statistics = [] } = network;
  const crossEntropies = sparseCrossEntropy(logits, input("labels", [BATCH], "i32"));
  const losses = penalty ? add(crossEntropies, penalty) : crossEntropies;
  const loss = mean(losses, [0], false, "loss");
  const names = [...trainable.keys()];
  const results = gradients(loss, [...trainable.values()]);
  const byName = new Map(names.map((name, index) => [name, results[index]]));
  const nonFinite = [losses, ...results]
    .map((tensor) => nonFiniteCount(tensor))
    .reduce((sum, count) => add(sum, count));
  const updates = optimiserUpdates(optimiser, trainable, byName, { rate: input("rate", []), skip: nonFinite });
  const graph: Graph = { outputs: { losses, logits, nonFinite }, updates: [...updates, ...statistics] };
  return { graph, loss, gradients: byName };
}

export interface StepResult {
  /** Loss of each sample before the update: its cross-entropy in nats, and the network's penalty where it has one. */
  readonly losses: Float32Array;
  /** [N, classes], before the update. */
  readonly logits: Float32Array;
  /** Mean of the losses. */
  readonly loss: number;
  /** Samples whose largest logit was that of their class. */
  readonly correct: number;
}

/** A compiled training step; the parameters, and the moments that `resetMoments` makes, live in the store. */
export class TrainingStep {
  /** Steps done. */
  count = 0;
  #graph: Graph;
  #plan: Plan;

  private constructor(
    readonly optimiser: Optimiser,
    graph: Graph,
    plan: Plan,
  ) {
    this.#graph = graph;
    this.#plan = plan;
  }

  /** @throws LimitError when a batch of `maxBatch` does not fit the memory; what the GPU reports. */
  static async create(
    device: Device,
    parameters: ParameterStore,
    network: TrainableNetwork,
    { optimiser, maxBatch }: { readonly optimiser: Optimiser; readonly maxBatch: number },
  ): Promise<TrainingStep> {
    const { graph } = trainingGraph(network, optimiser);
    return new TrainingStep(optimiser, graph, await compile(device, graph, { parameters, maxBatch }));
  }

  /**
   * One step on a batch. `inputs` are the network's own; `labels` are below the number of classes.
   * @throws NonFiniteError naming the first op whose result is not finite; the parameters are then as before the step.
   */
  async run(inputs: RunInputs, labels: Int32Array, learningRate: number): Promise<StepResult> {
    const rate = Float32Array.of(this.optimiser.rate(learningRate, this.count + 1));
    const outputs = await this.#plan.run({ ...inputs, labels, rate });
    if (outputs.nonFinite[0] !== 0) throw await this.#nonFiniteError({ ...inputs, labels });
    this.count++;
    return measured(outputs.losses as Float32Array, outputs.logits as Float32Array, labels);
  }

  async #nonFiniteError(inputs: RunInputs): Promise<NonFiniteError> {
    const { losses, logits, nonFinite } = this.#graph.outputs;
    const { device, parameters } = this.#plan;
    const found = await describeNonFinite(device, parameters, { losses, logits, nonFinite }, inputs);
    return new NonFiniteError(
      `step ${this.count + 1}: expected finite numbers, found ${found}; check the data or lower the learning rate`,
    );
  }

  dispose(): void {
    this.#plan.dispose();
  }
}

function measured(losses: Float32Array, logits: Float32Array, labels: Int32Array): StepResult {
  const classes = logits.length / labels.length;
  let correct = 0;
  let total = 0;
  for (let row = 0; row < labels.length; row++) {
    total += losses[row];
    if (argmaxOfRow(logits, row, classes) === labels[row]) correct++;
  }
  return { losses, logits, loss: total / labels.length, correct };
}
