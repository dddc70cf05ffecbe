import { gradients } from "../engine/autodiff.ts";
import { compile } from "../engine/compile.ts";
import type { Device } from "../engine/device.ts";
import { NonFiniteError } from "../engine/errors.ts";
import type { Graph, Node, Tensor } from "../engine/graph.ts";
import { add, multiply } from "../engine/ops/binary.ts";
import { clipByGlobalNorm } from "../engine/ops/clip.ts";
import { softCrossEntropy, sparseCrossEntropy } from "../engine/ops/losses.ts";
import { nonFiniteCount } from "../engine/ops/nonFinite.ts";
import { mean, sum } from "../engine/ops/reduce.ts";
import { logSoftmax } from "../engine/ops/softmax.ts";
import { fill, input, parameter } from "../engine/ops/sources.ts";
import { scale } from "../engine/ops/unary.ts";
import { accumulateUpdate, assignUpdate } from "../engine/ops/updates.ts";
import type { ParameterStore } from "../engine/parameters.ts";
import type { Plan, RunInputs } from "../engine/plan/plan.ts";
import { BATCH, type Shape, sizeOf } from "../engine/types.ts";
import { argmaxOfRow } from "./metrics.ts";
import { describeNonFinite } from "./nonFinite.ts";
import { type Optimiser, optimiserFeeds, optimiserInputs, optimiserUpdates } from "./optimisers.ts";

/** The part of a network that a training step reads. */
export interface TrainableNetwork {
  /** Scores before softmax [N, classes]. */
  readonly logits: Tensor;
  /** What is added to each sample's cross-entropy [N]. */
  readonly penalty?: Tensor;
  /** The parameters to change, by name. */
  readonly trainable: ReadonlyMap<string, Tensor>;
  /** Soft labels [N, classes] made of the input `labels`, in whose place they stand. */
  readonly targets?: Tensor;
  /** Updates of running statistics. */
  readonly statistics?: readonly Node[];
}

/** What a step does besides following the gradient of the cross-entropy. */
export interface StepOptions {
  /** Share of every label that is spread over all classes (Szegedy et al. 2016); default 0. */
  readonly labelSmoothing?: number;
  /** λ of the penalty λ·Σw² on kernels, not on biases nor batch normalisation, as Keras' `l2`; not part of the reported loss. Default 0. */
  readonly l2?: number;
  /** The largest norm of all gradients together (Keras' `global_clipnorm`); default none. */
  readonly clipNorm?: number;
  /** Batches whose gradients make one step, as one batch of all their samples would; default 1. */
  readonly accumulate?: number;
}

/** A whole step; or, where gradients are accumulated, a batch that only adds to them, and the last one, that applies them. */
export type StepPart = "step" | "collect" | "apply";

export interface TrainingGraph {
  /** Outputs `losses` [N], `logits` [N, classes], `nonFinite` [] and, where labels are soft, `targets` [N, classes]; updates of parameters, moments and running statistics. */
  readonly graph: Graph;
  /** The mean cross-entropy of the batch []. */
  readonly loss: Tensor;
  /** Its gradient with respect to each trainable parameter, by name. */
  readonly gradients: ReadonlyMap<string, Tensor>;
}

/** The class of each sample, i32 [N]. */
export const labelInput = (): Tensor => input("labels", [BATCH], "i32");

/** The address (seed, epoch, sample, op) from which dropout draws for each sample, i32 [N, 4]. */
export const addressInput = (): Tensor => input("address", [BATCH, 4], "i32");

/** Keeps the draws of dropout apart from other uses of the same seed. */
const DROPOUT_OP = 0x64726f70;

/** The values of `addressInput` for these samples. */
export function dropoutAddresses(indices: ArrayLike<number>, seed: number, epoch: number): Int32Array {
  const addresses = new Int32Array(4 * indices.length);
  for (let row = 0; row < indices.length; row++) addresses.set([seed, epoch, indices[row], DROPOUT_OP], 4 * row);
  return addresses;
}

const accumulatorOf = (name: string): string => `accumulated/${name}`;

/** Puts zeros for the accumulated gradients into the store. */
export function resetAccumulators(
  store: ParameterStore,
  shapes: Iterable<readonly [name: string, shape: Shape]>,
): void {
  for (const [name, shape] of shapes) store.set(accumulatorOf(name), new Float32Array(sizeOf(shape)), shape);
}

/** Frees the accumulated gradients; plans that use them must be disposed before. */
export function deleteAccumulators(store: ParameterStore, names: Iterable<string>): void {
  for (const name of names) store.delete(accumulatorOf(name));
}

/** −Σ_c t_c log softmax(logits)_c of each sample, where t spreads `smoothing` of the label over all classes. */
function crossEntropies({ logits, targets }: TrainableNetwork, smoothing: number): Tensor {
  const classes = logits.shape[1];
  if (targets)
    return softCrossEntropy(logits, smoothing ? scale(targets, 1 - smoothing, smoothing / classes) : targets);
  const sparse = sparseCrossEntropy(logits, labelInput());
  return smoothing ? add(scale(sparse, 1 - smoothing), scale(mean(logSoftmax(logits), [1]), -smoothing)) : sparse;
}

/** The loss whose gradient is taken: the mean of the batch, or its part of the mean over all batches of a step. */
const lossOf = (losses: Tensor, part: StepPart): Tensor =>
  part === "step" ? mean(losses, [0], false, "loss") : sum(multiply(losses, input("weight", [])), [0]);

/**
 * One step of training as a graph. Besides the network's own inputs it has `labels` i32 [N], the scalars of the optimiser and,
 * where gradients are accumulated, `weight` [], one over the number of samples of the whole step. Nothing that the optimiser
 * changes moves when a loss or a gradient is not finite.
 */
export function trainingGraph(
  network: TrainableNetwork,
  optimiser: Optimiser,
  { labelSmoothing = 0, l2 = 0, clipNorm }: StepOptions = {},
  part: StepPart = "step",
): TrainingGraph {
  const { logits, penalty, targets, trainable, statistics = [] } = network;
  const entropies = crossEntropies(network, labelSmoothing);
  const losses = penalty ? add(entropies, penalty) : entropies;
  const loss = lossOf(losses, part);
  const names = [...trainable.keys()];
  const collected = names.map((name) => parameter(accumulatorOf(name), (trainable.get(name) as Tensor).shape));
  const own = gradients(loss, [...trainable.values()]);
  const results = part === "apply" ? own.map((gradient, index) => add(collected[index], gradient)) : own;
  const nonFinite = [losses, ...results]
    .map((tensor) => nonFiniteCount(tensor))
    .reduce((total, count) => add(total, count));
  const outputs = { losses, logits, nonFinite, ...(targets ? { targets } : {}) };
  const byName = new Map(names.map((name, index) => [name, results[index]]));
  if (part === "collect") {
    const updates = own.map((gradient, index) => accumulateUpdate(collected[index], gradient));
    return { graph: { outputs, updates: [...updates, ...statistics] }, loss, gradients: byName };
  }
  const penalised = names.map((name, index) =>
    l2 > 0 && name.endsWith("/kernel")
      ? add(results[index], scale(trainable.get(name) as Tensor, 2 * l2))
      : results[index],
  );
  const used = clipNorm === undefined ? penalised : clipByGlobalNorm(penalised, clipNorm);
  const applied = new Map(names.map((name, index) => [name, used[index]]));
  const updates = optimiserUpdates(optimiser, trainable, applied, { ...optimiserInputs(optimiser), skip: nonFinite });
  if (part === "apply") updates.push(...collected.map((tensor) => assignUpdate(tensor, fill(tensor.type, 0))));
  return { graph: { outputs, updates: [...updates, ...statistics] }, loss, gradients: byName };
}

export interface StepResult {
  /** Loss of each sample before the update: its cross-entropy in nats, and the network's penalty where it has one. */
  readonly losses: Float32Array;
  /** [N, classes], before the update. */
  readonly logits: Float32Array;
  /** Mean of the losses. */
  readonly loss: number;
  /** Samples whose largest logit was that of their class; where labels are soft, of the class with the largest share. */
  readonly correct: number;
}

/** The place of a batch in a step that accumulates several: the samples of them all, and whether it is the last. */
export interface StepGroup {
  readonly samples: number;
  readonly isLast: boolean;
}

interface CompiledPart {
  readonly graph: Graph;
  readonly plan: Plan;
}

/** A compiled training step; the parameters, moments and accumulated gradients live in the store. */
export class TrainingStep {
  /** Steps of the optimiser done. */
  count = 0;

  private constructor(
    readonly optimiser: Optimiser,
    private readonly whole: CompiledPart,
    /** Only where gradients are accumulated: what all but the last batch of a step run. */
    private readonly collecting: CompiledPart | null,
  ) {}

  /**
   * The store must hold the moments (`resetMoments`) and, to accumulate, zeros (`resetAccumulators`).
   * @throws LimitError when a batch of `maxBatch` does not fit the memory; what the GPU reports.
   */
  static async create(
    device: Device,
    parameters: ParameterStore,
    network: TrainableNetwork,
    { optimiser, maxBatch, ...options }: StepOptions & { readonly optimiser: Optimiser; readonly maxBatch: number },
  ): Promise<TrainingStep> {
    const compiled = async (part: StepPart): Promise<CompiledPart> => {
      const { graph } = trainingGraph(network, optimiser, options, part);
      return { graph, plan: await compile(device, graph, { parameters, maxBatch }) };
    };
    const accumulates = (options.accumulate ?? 1) > 1;
    const whole = await compiled(accumulates ? "apply" : "step");
    try {
      return new TrainingStep(optimiser, whole, accumulates ? await compiled("collect") : null);
    } catch (error) {
      whole.plan.dispose();
      throw error;
    }
  }

  /**
   * One batch. `inputs` are the network's own; `labels` are below the number of classes. Without accumulation it is a step.
   * @throws NonFiniteError naming the first op whose result is not finite; the parameters are then as before the step.
   */
  async run(
    inputs: RunInputs,
    labels: Int32Array,
    learningRate: number,
    { samples, isLast }: StepGroup = { samples: labels.length, isLast: true },
  ): Promise<StepResult> {
    const part = isLast || !this.collecting ? this.whole : this.collecting;
    const given = { ...inputs, labels, ...(this.collecting ? { weight: Float32Array.of(1 / samples) } : {}) };
    const feeds = part === this.whole ? optimiserFeeds(this.optimiser, learningRate, this.count + 1) : {};
    const outputs = await part.plan.run({ ...given, ...feeds });
    if (outputs.nonFinite[0] !== 0) throw await this.#nonFiniteError(part, given);
    if (part === this.whole) this.count++;
    const { losses, logits, targets } = outputs as Record<string, Float32Array>;
    const classes = logits.length / labels.length;
    const truth = targets ? labels.map((_, row) => argmaxOfRow(targets, row, classes)) : labels;
    return measured(losses, logits, truth);
  }

  async #nonFiniteError({ graph, plan }: CompiledPart, inputs: RunInputs): Promise<NonFiniteError> {
    const { losses, logits, nonFinite } = graph.outputs;
    const { device, parameters } = plan;
    const found = await describeNonFinite(device, parameters, { losses, logits, nonFinite }, inputs);
    return new NonFiniteError(
      `step ${this.count + 1}: expected finite numbers, found ${found}; check the data or lower the learning rate`,
    );
  }

  dispose(): void {
    this.whole.plan.dispose();
    this.collecting?.plan.dispose();
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
