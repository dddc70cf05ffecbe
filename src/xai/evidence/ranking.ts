import type { Evidence } from "./evidence.ts";
import { sanityLimit } from "./sanity.ts";
import { mean, meanOfKnown, ranks } from "./statistics.ts";

/** One method's evidence, mean over the images. Gains are over the random control: above 0 the map knows something. */
export interface MethodSummary {
  readonly method: string;
  readonly images: number;
  readonly insertionAuc: number;
  readonly insertionGain: number;
  readonly deletionAuc: number;
  readonly deletionGain: number;
  /** Insertion gain less that of the Gaussian at the centre. */
  readonly centreMargin: number;
  readonly road: number;
  /** Rank correlation that is left when the network has forgotten everything. */
  readonly remaining: number;
  readonly sane: boolean;
  readonly sensitivity: number | null;
  readonly relativeGap: number | null;
  /** Where masks are known. */
  readonly pointing: number | null;
  readonly relevanceMass: number | null;
  readonly intersectionOverUnion: number | null;
  /** Of one map. */
  readonly forwards: number;
  readonly gradients: number;
  readonly seconds: number;
}

export interface RankedMethod extends MethodSummary {
  /** From 1; methods that fail the sanity check come after those that pass. */
  readonly place: number;
  /** Mean of the ranks by each kind of evidence. */
  readonly meanRank: number;
}

/** The mean of one piece of evidence or more. `seconds` is what one map took. */
export function summarise(method: string, evidence: readonly Evidence[], seconds: number): MethodSummary {
  const average = (of: (each: Evidence) => number): number => mean(evidence.map(of));
  const known = (of: (each: Evidence) => number | null | undefined): number | null =>
    meanOfKnown(evidence.map((each) => of(each) ?? null));
  const left = known(({ randomisation }) => randomisation.stages[randomisation.stages.length - 1].rankCorrelation);
  const remaining = left === null ? average(({ randomisation }) => randomisation.remaining) : Math.abs(left);
  const insertionGain = average(({ curves }) => curves.insertion.auc - curves.controls.random.insertion.auc);
  const pointed = known(({ location }) => (location ? Number(location.pointingHit === true) : null));
  return {
    method,
    images: evidence.length,
    insertionAuc: average(({ curves }) => curves.insertion.auc),
    insertionGain,
    deletionAuc: average(({ curves }) => curves.deletion.auc),
    deletionGain: average(({ curves }) => curves.controls.random.deletion.auc - curves.deletion.auc),
    centreMargin: average(({ curves }) => curves.insertion.auc - curves.controls.centre.insertion.auc),
    road: average((each) => each.road.combined),
    remaining,
    sane: remaining < sanityLimit,
    sensitivity: known((each) => each.sensitivity.maximum),
    relativeGap: known(({ completeness }) => completeness?.relativeGap),
    pointing: pointed,
    relevanceMass: known(({ location }) => location?.relevanceMass),
    intersectionOverUnion: known(({ location }) => location?.intersectionOverUnion),
    forwards: average(({ cost }) => cost.forwards),
    gradients: average(({ cost }) => cost.gradients),
    seconds,
  };
}

/** What counts in the ranking, and whether more is better. Cost is shown beside it and does not count. */
const criteria: readonly (readonly [of: (summary: MethodSummary) => number | null, more: boolean])[] = [
  [({ insertionGain }) => insertionGain, true],
  [({ deletionGain }) => deletionGain, true],
  [(summary) => summary.road, true],
  [({ remaining }) => remaining, false],
  [({ sensitivity }) => sensitivity, false],
  [({ pointing }) => pointing, true],
  [({ relevanceMass }) => relevanceMass, true],
  [({ intersectionOverUnion }) => intersectionOverUnion, true],
];

/** Methods by the mean of their ranks, best first; a criterion that nobody has is left out, one that a method lacks ranks it last. */
export function rankMethods(summaries: readonly MethodSummary[]): RankedMethod[] {
  const totals = summaries.map(() => [] as number[]);
  for (const [of, more] of criteria) {
    const values = summaries.map(of);
    if (values.every((value) => value === null)) continue;
    const costs = values.map((value) => (value === null ? Number.MAX_VALUE : more ? -value : value));
    ranks(costs).forEach((rank, index) => {
      totals[index].push(rank);
    });
  }
  return summaries
    .map((summary, index) => ({ ...summary, place: 0, meanRank: mean(totals[index]) }))
    .sort((a, b) => Number(b.sane) - Number(a.sane) || a.meanRank - b.meanRank || a.method.localeCompare(b.method))
    .map((ranked, index) => ({ ...ranked, place: index + 1 }));
}
