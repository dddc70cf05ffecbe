/** Where the maps lie on many test images, and whether they show what decides. */
import { gatherPixels } from "../../data/datasets.ts";
import type { Classifier } from "../../nn/classifier.ts";
import type { Looking } from "../../report/answers.ts";
import { resolveBaseline } from "../../xai/baselines.ts";
import { type CurvesWithControls, InsertionDeletion } from "../../xai/evidence/curves.ts";
import { locationEvidence } from "../../xai/evidence/location.ts";
import { upsampleHeatmap } from "../../xai/overlay.ts";
import { heldImages } from "../robustness/held.ts";
import type { Terminal } from "../terminal.ts";
import { chooseImages, type TestPredictions } from "./explaining.ts";
import { PlaceMaps, placeMapOf } from "./maps.ts";
import type { Material } from "./material.ts";

export interface LookingOptions {
  /** Images whose maps are compared with their outlines. */
  readonly mapped: number;
  /** Images whose maps are tested by insertion and deletion. */
  readonly curved: number;
  readonly seed: number;
}

const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

export async function measureLooking(
  classifier: Classifier,
  material: Material,
  { predicted }: TestPredictions,
  { mapped, curved, seed }: LookingOptions,
  terminal: Terminal,
): Promise<Looking> {
  const { test, testMasks, classNames } = material;
  const { height, width } = test;
  const chosen = chooseImages(test.labels, classNames.length, mapped);
  const images = await heldImages(test, classNames, chosen);
  const place = placeMapOf(classifier);
  using maps = await PlaceMaps.create(classifier, place);
  using coarse = place.layers && testMasks ? await PlaceMaps.create(classifier, { name: "GradCAM" }) : null;
  using curves = await InsertionDeletion.create(classifier.explainable);
  const progress = terminal.progress("testing the maps", chosen.length + Math.min(curved, chosen.length));
  const located = [];
  let coarseHits = 0;
  const measured: CurvesWithControls[] = [];
  for (const [at, index] of chosen.entries()) {
    const pixels = Float32Array.from(gatherPixels(images, [at]));
    const classIndex = predicted[index];
    const map = await maps.explain(pixels, classIndex);
    if (testMasks) {
      const values = testMasks.subarray(index * height * width, (index + 1) * height * width);
      const mask = { values, height, width };
      located.push({ right: classIndex === test.labels[index], ...locationEvidence(map, mask) });
      if (coarse && locationEvidence(await coarse.explain(pixels, classIndex), mask).peakInside) coarseHits++;
    }
    if (at < curved) {
      const fill = resolveBaseline("blur", pixels, classifier.explainable);
      const relevance = upsampleHeatmap(map, height, width);
      measured.push(
        await curves.evaluate({ image: pixels, target: classIndex, relevance, fill, fillName: "blur" }, { seed }),
      );
    }
    progress.update(at + 1 + measured.length);
  }
  progress.finish();
  return {
    masks: testMasks ? masksOf(located) : null,
    coarse: coarse ? { count: located.length, hits: coarseHits } : null,
    curves: curvesOf(measured),
  };
}

type Located = ReturnType<typeof locationEvidence> & { readonly right: boolean };

function masksOf(located: readonly Located[]): Looking["masks"] {
  const shown = located.filter(({ peakInside }) => peakInside !== null);
  if (shown.length === 0) return null;
  const right = shown.filter((each) => each.right);
  return {
    count: shown.length,
    hits: shown.filter(({ peakInside }) => peakInside).length,
    mass: meanOf(shown.map(({ relevanceMass }) => relevanceMass ?? 0)),
    area: meanOf(shown.map(({ maskArea }) => maskArea)),
    rightAnswers: right.length,
    rightBeside: right.filter(({ peakInside }) => !peakInside).length,
  };
}

const curvesOf = (measured: readonly CurvesWithControls[]): Looking["curves"] => ({
  images: measured.length,
  insertion: meanOf(measured.map(({ insertion }) => insertion.auc)),
  randomInsertion: meanOf(measured.map(({ controls }) => controls.random.insertion.auc)),
  deletion: meanOf(measured.map(({ deletion }) => deletion.auc)),
  randomDeletion: meanOf(measured.map(({ controls }) => controls.random.deletion.auc)),
});
