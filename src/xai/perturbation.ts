import { UsageError } from "../engine/errors.ts";
import { CounterRandom } from "../engine/random.ts";
import { resolveBaseline } from "./baselines.ts";
import { checkImages } from "./camPlan.ts";
import { type Explainer, type Explanation, type MethodOptions, partOf, type WorkOptions } from "./explanation.ts";
import { MaskedScores, type MaskedSubject } from "./maskedScores.ts";
import type { ExplainableModel } from "./model.ts";
import { upsampleHeatmap } from "./overlay.ts";

/** Masks that are asked for one by one, so that thousands of them need no memory. */
interface MaskSet {
  readonly count: number;
  /** Writes mask `index` [H, W]: 1 keeps the image, 0 hides it. */
  readonly fill: (index: number, mask: Float32Array) => void;
}

/**
 * The windows of Captum's Occlusion: as many strides as cover the image, the last ones cut off at its border.
 * @throws UsageError for a window or stride below 1 or a stride that leaves gaps.
 */
export function occlusionWindows([height, width]: readonly [number, number], window: number, stride: number): MaskSet {
  if (!(Number.isInteger(window) && Number.isInteger(stride) && stride >= 1 && stride <= window))
    throw new UsageError(`expected whole numbers 1 ≤ stride ≤ window, found stride ${stride} and window ${window}`);
  const along = (size: number): number => 1 + Math.ceil(Math.max(0, size - window) / stride);
  const columns = along(width);
  return {
    count: along(height) * columns,
    fill(index, mask) {
      mask.fill(1);
      const top = Math.floor(index / columns) * stride;
      const left = (index % columns) * stride;
      for (let y = top; y < Math.min(height, top + window); y++)
        mask.fill(0, y * width + left, y * width + Math.min(width, left + window));
    },
  };
}

/** How coarse the random masks of RISE are, and the share of cells that they keep. */
const riseCells = 8;
const riseKept = 0.5;

/**
 * The masks of RISE (Petsiuk et al. 2018): 8 × 8 cells kept with probability ½, up-sampled bilinearly to (8 + 1) cells'
 * size and cut out at a random place. Mask n is a pure function of the seed and n.
 */
export function riseMasks([height, width]: readonly [number, number], count: number, seed: number): MaskSet {
  const cell = [Math.ceil(height / riseCells), Math.ceil(width / riseCells)];
  return {
    count,
    fill(index, mask) {
      const random = new CounterRandom(seed, 0, index);
      const values = Float32Array.from({ length: riseCells ** 2 }, () => Number(random.uniform() < riseKept));
      const large = [(riseCells + 1) * cell[0], (riseCells + 1) * cell[1]];
      const grid = upsampleHeatmap({ values, height: riseCells, width: riseCells }, large[0], large[1]);
      const top = random.integer(cell[0]);
      const left = random.integer(cell[1]);
      for (let y = 0; y < height; y++) {
        const from = (top + y) * large[1] + left;
        mask.set(grid.subarray(from, from + width), y * width);
      }
    },
  };
}

async function scoreMasks(
  masked: MaskedScores,
  masks: MaskSet,
  subject: MaskedSubject,
  reference: number,
  { signal, onProgress }: WorkOptions,
): Promise<Float32Array> {
  const perMask = subject.image.length / 3;
  masked.reset();
  for (let start = 0; start < masks.count; start += masked.chunk) {
    signal?.throwIfAborted();
    const part = new Float32Array(Math.min(masked.chunk, masks.count - start) * perMask);
    for (let at = 0; at * perMask < part.length; at++)
      masks.fill(start + at, part.subarray(at * perMask, (at + 1) * perMask));
    await masked.add(subject, part, reference);
    onProgress?.(start + part.length / perMask, masks.count);
  }
  return masked.sum();
}

/** What a perturbation method makes of one image, as a map [H, W] and the forward passes it took. */
type MaskMethod = (
  masked: MaskedScores,
  subject: MaskedSubject,
  work: WorkOptions,
) => Promise<{ values: Float32Array; forwards: number; signed: boolean; details: Record<string, unknown> }>;

/** Explains image by image; what hides it is the first baseline, by default zero after preprocessing. */
async function maskExplainer(
  method: string,
  model: ExplainableModel,
  masked: MaskedScores,
  { baselines = ["zeros"], seed = 0 }: MethodOptions,
  run: MaskMethod,
): Promise<Explainer> {
  const [height, width] = model.inputSize;
  const dispose = (): void => masked.dispose();
  return {
    async explain(pixels, targets, work = {}) {
      checkImages(model, pixels, targets.length);
      const size = pixels.length / targets.length;
      const results: Explanation[] = [];
      for (const [index, target] of targets.entries()) {
        const image = pixels.subarray(index * size, (index + 1) * size);
        const baseline = resolveBaseline(baselines[0], image, model, seed);
        const part = partOf(work, index, targets.length);
        const { values, forwards, signed, details } = await run(masked, { image, baseline, target }, part);
        const heatmap = { height, width, values, signed };
        results.push({ method, target, heatmap, status: "ok", cost: { forwards, gradients: 0 }, details });
      }
      return results;
    },
    dispose,
    [Symbol.dispose]: dispose,
  };
}

/**
 * Occlusion (Zeiler and Fergus 2014) as Captum has it: how much the score falls when a window is hidden, averaged at each
 * place over the windows that cover it. The window is an eighth of the image's shorter side, `steps` windows side by side
 * overlap by half.
 */
export async function createOcclusion(model: ExplainableModel, options: MethodOptions = {}): Promise<Explainer> {
  const { score = "logit", maxBatch, steps = 8 } = options;
  const masked = await MaskedScores.create(model, { score, credit: "hidden", maxBatch });
  const window = Math.max(1, Math.floor(Math.min(...model.inputSize) / steps));
  const stride = Math.max(1, Math.ceil(window / 2));
  const masks = occlusionWindows(model.inputSize, window, stride);
  const [height, width] = model.inputSize;
  const covered = new Float32Array(height * width);
  const mask = new Float32Array(height * width);
  for (let index = 0; index < masks.count; index++) {
    masks.fill(index, mask);
    mask.forEach((kept, at) => {
      covered[at] += 1 - kept;
    });
  }
  return maskExplainer("occlusion", model, masked, options, async (plan, subject, work) => {
    const [whole] = await plan.add(subject, new Float32Array(height * width).fill(1));
    const change = await scoreMasks(plan, masks, subject, whole, work);
    const values = change.map((sum, at) => -sum / covered[at]);
    return { values, forwards: masks.count + 1, signed: true, details: { window, stride, score: whole } };
  });
}

/**
 * RISE (Petsiuk et al. 2018): the mean of random masks weighted by the score that each leaves, over the share kept. The
 * probability is scored unless told otherwise, as in the paper. `samples` masks, 1,000 by default.
 */
export async function createRise(model: ExplainableModel, options: MethodOptions = {}): Promise<Explainer> {
  const { score = "prob", maxBatch, samples = 1000, seed = 0 } = options;
  const masked = await MaskedScores.create(model, { score, credit: "kept", maxBatch });
  const masks = riseMasks(model.inputSize, samples, seed);
  return maskExplainer("rise", model, masked, options, async (plan, subject, work) => {
    const sum = await scoreMasks(plan, masks, subject, 0, work);
    const values = sum.map((value) => value / (samples * riseKept));
    return {
      values,
      forwards: samples,
      signed: values.some((value) => value < 0),
      details: { masks: samples, seed, floor: values.reduce((a, b) => Math.min(a, b), Infinity) },
    };
  });
}
