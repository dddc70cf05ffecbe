import { type AdaptiveOptions, integrateAdaptively, type PanelSums, usualEvaluations } from "./adaptive.ts";
import type { WorkOptions } from "./explanation.ts";
import type { Quadrature } from "./quadrature.ts";

export interface PathIntegral {
  /** ∫ gradient dα. */
  readonly integral: Float32Array;
  readonly scores: { readonly image: number; readonly baseline: number };
  readonly evaluations: number;
  /** Adaptive rule: whether it met its tolerances; the relative distance between its last two maps. */
  readonly converged?: boolean;
  readonly mapChange?: number;
}

/** What `integratePath` hands to each addition: a rule of fixed length adds once, an adaptive one counts on. */
export function pathWork(rule: Quadrature | null, { maxEvaluations }: AdaptiveOptions, work: WorkOptions) {
  const { signal, onProgress } = work;
  if (rule) return (): WorkOptions => work;
  let before = 0;
  return (points: number): WorkOptions => {
    const start = before;
    before += points;
    return {
      signal,
      onProgress: onProgress && ((done) => onProgress(start + done, maxEvaluations ?? usualEvaluations)),
    };
  };
}

/** The integral of a path's gradients by a rule of fixed length, or adaptively where there is none; `direction` turns it into the map. */
export const integratePath = (
  sums: PanelSums,
  rule: Quadrature | null,
  direction: Float32Array,
  options: AdaptiveOptions,
): Promise<PathIntegral> => (rule ? integrate(sums, rule) : integrateAdaptively(sums, direction, options));

/** A rule of fixed length. The ends, whose scores completeness needs, are points of weight 0 where the rule leaves them out. */
async function integrate(sums: PanelSums, { nodes, weights }: Quadrature): Promise<PathIntegral> {
  const missing = [0, 1].filter((end) => !nodes.includes(end));
  const alphas = Float32Array.from([...nodes, ...missing]);
  const padded = new Float32Array(alphas.length);
  padded.set(weights);
  const scores = await sums.add(alphas, padded);
  const [baseline, image] = [0, 1].map((end) => scores[alphas.indexOf(end)]);
  return { integral: await sums.read(), scores: { baseline, image }, evaluations: alphas.length };
}

/** An attribution with what completeness says of it: Σ attribution should be the difference of the scores. */
export function withGap(attribution: Float32Array, scores: PathIntegral["scores"]) {
  const difference = scores.image - scores.baseline;
  const completenessGap = Math.abs(attribution.reduce((sum, value) => sum + value, 0) - difference);
  const relativeGap = completenessGap / Math.max(Math.abs(difference), 1e-12);
  return { attribution, completenessGap, relativeGap, scores };
}
