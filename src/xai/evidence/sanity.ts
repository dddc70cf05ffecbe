import type { Explainer, RawHeatmap, Target } from "../explanation.ts";
import type { ExplainableModel } from "../model.ts";
import { RandomisedModel } from "./randomisation.ts";
import { meanOfKnown, spearman } from "./statistics.ts";

/**
 * A map that still orders the pixels this much like the original has not followed the weights (or the labels). Coarse maps of
 * unrelated networks correlate by chance with a deviation of about 0.4, so the limit stands well above what a mean of three
 * draws reaches, and well below the 1 of a map that never asks the network.
 */
export const sanityLimit = 0.7;

export interface RandomisationStage {
  /** How many layers, from the top, have lost their weights; the lowest of them. */
  readonly layers: number;
  readonly down: string;
  /** Spearman's correlation with the original map, mean over images and draws; null where a map is constant. */
  readonly rankCorrelation: number | null;
  /** The same of magnitudes: a map that only changes sign has not changed much. */
  readonly absoluteRankCorrelation: number | null;
}

export interface RandomisationEvidence {
  readonly stages: readonly RandomisationStage[];
  /** The correlation, in magnitude, that is left when no layer keeps its weights; 1 where no original map has any order. */
  readonly remaining: number;
  /** False for a map that does not depend on what the network has learned, such as the edges of the image. */
  readonly passed: boolean;
}

export interface SanityOptions {
  /** Stages of the cascade; the last one takes away every layer. Default 4. */
  readonly stages?: number;
  /** Random networks at the last stage, which decides; the others have one. Default 3. */
  readonly draws?: number;
  readonly seed?: number;
}

/** Makes the method under test for a model. */
export type ExplainerFactory = (model: ExplainableModel) => Promise<Explainer>;

/**
 * Cascading randomisation of the parameters from the top (Adebayo et al. 2018, "Sanity checks for saliency maps"): a method
 * that explains the network must give another map when the network forgets.
 * @param pixels [N, H, W, 3] of 0 to 255, one target each
 * @param originals the maps of the untouched model, where they are known already
 */
export async function cascadingRandomisation(
  create: ExplainerFactory,
  model: ExplainableModel,
  pixels: Float32Array,
  targets: readonly Target[],
  { stages = 4, draws = 3, seed = 0, originals }: SanityOptions & { readonly originals?: readonly RawHeatmap[] } = {},
): Promise<RandomisationEvidence> {
  using randomised = await RandomisedModel.create(model);
  using explainer = await create(randomised.model);
  const before = originals ?? (await explainer.explain(pixels, targets)).map(({ heatmap }) => heatmap);
  const { layers } = randomised;
  const count = Math.min(stages, layers.length);
  const results: RandomisationStage[] = [];
  for (let stage = 1; stage <= count; stage++) {
    const depth = Math.round((stage * layers.length) / count);
    const after: RawHeatmap[] = [];
    for (let draw = 0; draw < (stage === count ? draws : 1); draw++) {
      randomised.randomiseTop(depth, seed + draw);
      after.push(...(await explainer.explain(pixels, targets)).map(({ heatmap }) => heatmap));
    }
    const pairs = after.map((map, index) => [before[index % before.length], map] as const);
    results.push({ layers: depth, down: layers[depth - 1].label, ...meanCorrelations(pairs) });
  }
  return { stages: results, ...verdict(results[results.length - 1], before) };
}

export interface RandomLabelEvidence extends Pick<RandomisationStage, "rankCorrelation" | "absoluteRankCorrelation"> {
  readonly remaining: number;
  readonly passed: boolean;
}

/**
 * The random label test (Adebayo et al. 2018): maps of the model against those of one that was trained in the same way on
 * labels in a random order, and so had nothing to learn but by heart.
 * @param trained maps of the model, and `random` those of the other for the same images and targets
 */
export function randomLabelCheck(trained: readonly RawHeatmap[], random: readonly RawHeatmap[]): RandomLabelEvidence {
  const correlations = meanCorrelations(trained.map((map, index) => [map, random[index]] as const));
  return { ...correlations, ...verdict(correlations, trained) };
}

function meanCorrelations(
  pairs: readonly (readonly [RawHeatmap, RawHeatmap])[],
): Pick<RandomisationStage, "rankCorrelation" | "absoluteRankCorrelation"> {
  const magnitudes = ({ values }: RawHeatmap): Float32Array => values.map(Math.abs);
  return {
    rankCorrelation: meanOfKnown(pairs.map(([a, b]) => spearman(a.values, b.values))),
    absoluteRankCorrelation: meanOfKnown(pairs.map(([a, b]) => spearman(magnitudes(a), magnitudes(b)))),
  };
}

/** Says nothing of the network, whatever that forgets. */
const isConstant = ({ values }: RawHeatmap): boolean => values.every((value) => value === values[0]);

function verdict(
  { rankCorrelation }: Pick<RandomisationStage, "rankCorrelation">,
  originals: readonly RawHeatmap[],
): { remaining: number; passed: boolean } {
  const remaining = originals.every(isConstant) ? 1 : Math.abs(rankCorrelation ?? 0);
  return { remaining, passed: remaining < sanityLimit };
}
