import { WeightsError } from "../engine/errors.ts";
import type { WeightTensor } from "./formats/weightSet.ts";
import { type InvertedResidual, mobileNetV2Table } from "./mobilenetV2Table.ts";

/** Channels that are kept, ascending. */
type Channels = readonly number[];

/** The rows of a tensor that these channels choose along each axis; `null` keeps an axis whole. */
export function selectChannels({ shape, data }: WeightTensor, axes: readonly (Channels | null)[]): WeightTensor {
  const chosen = shape.map((extent, axis) => axes[axis] ?? Array.from({ length: extent }, (_, index) => index));
  let rows: Float32Array = data as Float32Array;
  let outer = 1;
  let inner = data.length;
  shape.forEach((extent, axis) => {
    inner /= extent;
    const kept = chosen[axis];
    const next = new Float32Array(outer * kept.length * inner);
    for (let block = 0; block < outer; block++)
      kept.forEach((channel, place) => {
        const from = (block * extent + channel) * inner;
        next.set(rows.subarray(from, from + inner), (block * kept.length + place) * inner);
      });
    rows = next;
    outer *= kept.length;
  });
  return { shape: chosen.map(({ length }) => length), data: rows };
}

/** The `count` channels of the largest scores, ascending; of equal scores the first. */
function strongest(scores: ArrayLike<number>, count: number): Channels {
  return Array.from(scores, (score, channel) => ({ score, channel }))
    .sort((a, b) => b.score - a.score || a.channel - b.channel)
    .slice(0, count)
    .map(({ channel }) => channel)
    .sort((a, b) => a - b);
}

/**
 * First weights of a narrow MobileNetV2 from those of a wide one: of every layer the channels are kept whose batch normalisation
 * scales most, inside a block times the weights that read them (Liu et al. 2017, "network slimming"; Li et al. 2017 for the
 * norms). Channels that residual connections add are chosen together. A head is left out. The result has to be trained on: it
 * is a start, better than random numbers.
 * @param tensors weights of MobileNetV2 of `width.from` under canonical names.
 * @throws WeightsError when the weights are not MobileNetV2's of that width.
 */
export function narrowMobileNetV2(
  tensors: ReadonlyMap<string, WeightTensor>,
  width: { readonly from: number; readonly to: number },
): Map<string, WeightTensor> {
  const wide = mobileNetV2Table(width.from);
  const narrow = mobileNetV2Table(width.to);
  const narrowed = new Map<string, WeightTensor>();
  const find = (name: string): WeightTensor => {
    const tensor = tensors.get(name);
    if (!tensor) throw new WeightsError(`expected ${name} among the weights, found none; give those of MobileNetV2`);
    return tensor;
  };
  const keep = (name: string, axes: readonly (Channels | null)[]) =>
    narrowed.set(name, selectChannels(find(name), axes));
  const keepBatchNorm = (name: string, channels: Channels | null): void => {
    for (const variable of ["gamma", "beta", "moving_mean", "moving_variance"]) keep(`${name}/${variable}`, [channels]);
  };
  const gammas = (name: string): Float32Array => find(`${name}/gamma`).data.map(Math.abs) as Float32Array;

  let stream = strongest(gammas("bn_Conv1"), narrow.stem);
  keep("Conv1/kernel", [null, null, null, stream]);
  keepBatchNorm("bn_Conv1", stream);
  wide.blocks.forEach((block, index) => {
    const { name } = block;
    const { hidden: hiddenCount, output } = narrow.blocks[index];
    const expands = block.hidden !== block.input;
    const hidden = expands ? strongest(hiddenScores(find, gammas, name), hiddenCount) : stream;
    if (expands) {
      keep(`${name}_expand/kernel`, [null, null, stream, hidden]);
      keepBatchNorm(`${name}_expand_BN`, hidden);
    }
    keep(`${name}_depthwise/kernel`, [null, null, hidden]);
    keepBatchNorm(`${name}_depthwise_BN`, hidden);
    if (!isResidual(block)) stream = strongest(streamScores(gammas, wide.blocks, index), output);
    keep(`${name}_project/kernel`, [null, null, hidden, stream]);
    keepBatchNorm(`${name}_project_BN`, stream);
  });
  keep("Conv_1/kernel", [null, null, stream, null]);
  keepBatchNorm("Conv_1_bn", null);
  return narrowed;
}

const isResidual = ({ input, output, stride }: InvertedResidual): boolean => input === output && stride === 1;

/** How much each hidden channel of a block gives to its projection. */
function hiddenScores(
  find: (name: string) => WeightTensor,
  gammas: (name: string) => Float32Array,
  name: string,
): Float32Array {
  const { shape, data } = find(`${name}_project/kernel`);
  const outputs = shape[3];
  return gammas(`${name}_depthwise_BN`).map((gamma, channel) => {
    let norm = 0;
    for (let output = 0; output < outputs; output++) norm += Math.abs(data[channel * outputs + output]);
    return gamma * norm;
  });
}

/** How much each channel of a residual stream is written to, from the block at `start` until the next stream begins. */
function streamScores(
  gammas: (name: string) => Float32Array,
  blocks: readonly InvertedResidual[],
  start: number,
): Float32Array {
  const scores = gammas(`${blocks[start].name}_project_BN`).slice();
  for (let index = start + 1; index < blocks.length && isResidual(blocks[index]); index++)
    gammas(`${blocks[index].name}_project_BN`).forEach((gamma, channel) => {
      scores[channel] += gamma;
    });
  return scores;
}
