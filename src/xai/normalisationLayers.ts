import type { Node, Tensor } from "../engine/graph.ts";
import { batchNormCoefficientsOp } from "../engine/ops/channel.ts";
import type { ParameterStore } from "../engine/parameters.ts";

/** A batch normalisation with fixed statistics, as it stands in a graph. */
export interface NormalisationLayer {
  readonly label: string;
  /** What it normalises, [N, h, w, C]. */
  readonly input: Tensor;
  readonly output: Tensor;
  /** The clipped activation that reads it, where there is one. */
  readonly activation?: Tensor;
  readonly epsilon: number;
  /** Names of the parameters. */
  readonly names: { readonly gamma: string; readonly beta: string; readonly mean: string; readonly variance: string };
}

/** What the training set looked like to one layer, channel by channel. */
export interface NormalisationStatistics {
  readonly gamma: Float32Array;
  readonly beta: Float32Array;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
}

/** The normalisations of spatial maps among nodes in topological order, from the image to the logits. */
export function normalisationLayers(nodes: readonly Node[]): NormalisationLayer[] {
  const users = new Map<Tensor, Node[]>();
  for (const node of nodes) for (const each of node.inputs) users.set(each, [...(users.get(each) ?? []), node]);
  return nodes.flatMap((node) => {
    const affine = node.op.traits.channelAffine;
    const coefficients = affine && node.inputs[affine.scale].node;
    if (coefficients?.op !== batchNormCoefficientsOp || node.outputs[0].shape.length !== 4) return [];
    const parameters = coefficients.inputs.map((each) => each.node);
    if (!parameters.every(({ op }) => op.traits.source === "parameter")) return [];
    const [gamma, beta, mean, variance] = parameters.map(({ attributes }) => attributes.name as string);
    const output = node.outputs[0];
    const activation = users.get(output)?.find(({ op }) => op.traits.epilogue?.stage === "relu6");
    const label = node.label ?? `normalisation ${node.id}`;
    const { epsilon } = coefficients.attributes;
    const names = { gamma, beta, mean, variance };
    return [{ label, input: node.inputs[0], output, activation: activation?.outputs[0], epsilon, names }];
  });
}

export async function readStatistics(
  { names }: NormalisationLayer,
  parameters: ParameterStore,
): Promise<NormalisationStatistics> {
  const read = async (name: string): Promise<Float32Array> => (await parameters.get(name)) as Float32Array;
  return {
    gamma: await read(names.gamma),
    beta: await read(names.beta),
    mean: await read(names.mean),
    variance: await read(names.variance),
  };
}

/**
 * How far what a layer sees of one image is from what it should see: the divergence KL(N(m, s²) ‖ N(μ, σ²)) in nats, mean over
 * the channels, with the image's mean m and variance s² and the layer's moving μ and σ², both variances with the layer's ε.
 */
export function normalisationMismatch(
  observed: { readonly mean: ArrayLike<number>; readonly variance: ArrayLike<number> },
  { mean, variance }: NormalisationStatistics,
  epsilon: number,
): number {
  let total = 0;
  for (let channel = 0; channel < mean.length; channel++) {
    const expected = variance[channel] + epsilon;
    const ratio = (observed.variance[channel] + epsilon) / expected;
    total += (ratio + (observed.mean[channel] - mean[channel]) ** 2 / expected - 1 - Math.log(ratio)) / 2;
  }
  return total / mean.length;
}
