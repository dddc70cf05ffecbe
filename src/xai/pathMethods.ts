import { resolveBaseline } from "./baselines.ts";
import { BlurIntegratedGradients } from "./blurPath.ts";
import { checkImages } from "./camPlan.ts";
import {
  channelSum,
  type Explainer,
  type Explanation,
  type MethodOptions,
  partOf,
  type Target,
  type WorkOptions,
} from "./explanation.ts";
import { GuidedIntegratedGradients } from "./guidedPath.ts";
import { type Attribution, IntegratedGradients } from "./integratedGradients.ts";
import type { ExplainableModel } from "./model.ts";

type ExplainOne = (image: Float32Array, target: Target, work: WorkOptions) => Promise<readonly Attribution[]>;

/** The mean over baselines of their attributions: with many, expected gradients (Erion et al. 2021). */
function meanOf(attributions: readonly Attribution[]): Float32Array {
  const mean = new Float32Array(attributions[0].attribution.length);
  for (const { attribution } of attributions)
    attribution.forEach((value, at) => {
      mean[at] += value / attributions.length;
    });
  return mean;
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** Where paths from several baselines are averaged, so are their ends: completeness is asked of the mean. */
function describePaths(paths: readonly Attribution[], attribution: Float32Array): Record<string, unknown> {
  const image = paths[0].scores.image;
  const baseline = total(paths.map(({ scores }) => scores.baseline)) / paths.length;
  const completenessGap = Math.abs(total([...attribution]) - (image - baseline));
  const changes = paths.flatMap(({ mapChange }) => (mapChange === undefined ? [] : [mapChange]));
  return {
    completenessGap,
    relativeGap: completenessGap / Math.max(Math.abs(image - baseline), 1e-12),
    scores: { image, baseline },
    evaluations: total(paths.map(({ evaluations }) => evaluations)),
    ...(changes.length > 0 ? { mapChange: Math.max(...changes) } : {}),
  };
}

function pathExplainer(
  method: string,
  model: ExplainableModel,
  explainOne: ExplainOne,
  dispose: () => void,
): Explainer {
  return {
    async explain(pixels, targets, work = {}) {
      checkImages(model, pixels, targets.length);
      const size = pixels.length / targets.length;
      const results: Explanation[] = [];
      for (const [index, target] of targets.entries()) {
        const image = pixels.subarray(index * size, (index + 1) * size);
        const paths = await explainOne(image, target, partOf(work, index, targets.length));
        const attribution = paths.length === 1 ? paths[0].attribution : meanOf(paths);
        const details = describePaths(paths, attribution);
        results.push({
          method,
          target,
          heatmap: channelSum(attribution, model.inputSize),
          attribution,
          status: paths.some(({ converged }) => converged === false) ? "not converged" : "ok",
          cost: { forwards: 0, gradients: details.evaluations as number },
          details,
        });
      }
      return results;
    },
    dispose,
    [Symbol.dispose]: dispose,
  };
}

/** The attributions of an image for each baseline. */
async function fromBaselines(
  model: ExplainableModel,
  { baselines = ["black"], seed = 0 }: MethodOptions,
  image: Float32Array,
  work: WorkOptions,
  explain: (baseline: Float32Array, work: WorkOptions) => Promise<Attribution>,
): Promise<Attribution[]> {
  const results: Attribution[] = [];
  for (const [index, choice] of baselines.entries())
    results.push(
      await explain(resolveBaseline(choice, image, model, seed + index), partOf(work, index, baselines.length)),
    );
  return results;
}

/** Adaptive unless a rule, or a number of steps, is asked for. */
const withRule = (options: MethodOptions): MethodOptions => ({
  ...options,
  rule: options.rule ?? (options.steps === undefined ? "adaptive" : "gauss-legendre"),
});

/** Integrated Gradients, adaptive unless told otherwise, from one baseline or averaged over several. */
export async function createIntegratedGradients(
  model: ExplainableModel,
  options: MethodOptions = {},
): Promise<Explainer> {
  const method = await IntegratedGradients.create(model, withRule(options));
  const explainOne: ExplainOne = (image, target, work) =>
    fromBaselines(model, options, image, work, (baseline, part) => method.explain(image, baseline, target, part));
  return pathExplainer("ig", model, explainOne, () => method.dispose());
}

export async function createBlurIntegratedGradients(
  model: ExplainableModel,
  options: MethodOptions = {},
): Promise<Explainer> {
  const method = await BlurIntegratedGradients.create(model, withRule(options));
  const explainOne: ExplainOne = async (image, target, work) => [await method.explain(image, target, work)];
  return pathExplainer("blur-ig", model, explainOne, () => method.dispose());
}

export async function createGuidedIntegratedGradients(
  model: ExplainableModel,
  options: MethodOptions = {},
): Promise<Explainer> {
  const method = await GuidedIntegratedGradients.create(model, options);
  const explainOne: ExplainOne = (image, target, work) =>
    fromBaselines(model, options, image, work, (baseline, part) => method.explain(image, baseline, target, part));
  return pathExplainer("guided-ig", model, explainOne, () => method.dispose());
}
