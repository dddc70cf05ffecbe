import type { Classifier } from "../../nn/classifier.ts";
import { argmaxOfRow } from "../../nn/metrics.ts";
import type { MistakeAnswer } from "../../report/answers.ts";
import type { ExplainedImage, Mistake, RgbImage } from "../../report/types.ts";
import { baselinePixels } from "../../xai/baselines.ts";
import { IntegratedGradients } from "../../xai/integratedGradients.ts";
import { renderAttribution, renderHeatmap, renderOverlay, upsampleHeatmap } from "../../xai/overlay.ts";
import type { Terminal } from "../terminal.ts";
import { PlaceMaps, placeMapOf } from "./maps.ts";
import { imageOf, type Material } from "./material.ts";

/** What the network said of the test images. */
export interface TestPredictions {
  readonly logits: Float32Array;
  readonly probabilities: Float32Array;
  readonly predicted: Int32Array;
}

export interface ExplanationSettings {
  /** Test images to explain, and the most mistakes to show. */
  readonly count: number;
  /** The most evaluations of Integrated Gradients for one image. */
  readonly steps: number;
}

export interface ExplainedTest {
  readonly explanations: readonly ExplainedImage[];
  readonly mistakes: readonly Mistake[];
  /** The surest mistake; null where there is none. */
  readonly mistake: MistakeAnswer | null;
}

const rule = "adaptive";
const baseline = "grey";

export function testPredictions(logits: Float32Array, classes: number): TestPredictions {
  const count = logits.length / classes;
  const predicted = Int32Array.from({ length: count }, (_, row) => argmaxOfRow(logits, row, classes));
  const probabilities = new Float32Array(logits.length);
  for (let row = 0; row < count; row++) {
    const values = logits.subarray(row * classes, (row + 1) * classes);
    const largest = values[predicted[row]];
    const total = values.reduce((sum, value) => sum + Math.exp(value - largest), 0);
    probabilities.set(
      values.map((value) => Math.exp(value - largest) / total),
      row * classes,
    );
  }
  return { logits, probabilities, predicted };
}

/** Images to explain, one class after the other in the order of the test part, so that every class is seen. */
export function chooseImages(labels: Int32Array, classes: number, count: number): number[] {
  const byClass = Array.from({ length: classes }, (_, label) =>
    [...labels.keys()].filter((index) => labels[index] === label),
  );
  const chosen: number[] = [];
  for (let round = 0; chosen.length < Math.min(count, labels.length); round++)
    for (const images of byClass) if (round < images.length && chosen.length < count) chosen.push(images[round]);
  return chosen;
}

/** Explains test images by a class activation map and Integrated Gradients, and mistakes by the map for both classes. */
export async function explainTest(
  classifier: Classifier,
  material: Material,
  test: TestPredictions,
  { count, steps }: ExplanationSettings,
  terminal: Terminal,
): Promise<ExplainedTest> {
  const { labels } = material.test;
  const classes = material.classNames.length;
  const chosen = chooseImages(labels, classes, count);
  const confidence = (index: number): number => test.probabilities[index * classes + test.predicted[index]];
  const wrong = [...labels.keys()].filter((index) => test.predicted[index] !== labels[index]);
  const shown = wrong.sort((a, b) => confidence(b) - confidence(a)).slice(0, count);
  const place = placeMapOf(classifier);
  using maps = await PlaceMaps.create(classifier, place);
  using coarse = place.layers ? await PlaceMaps.create(classifier, { name: "GradCAM" }) : null;
  using gradients = await IntegratedGradients.create(classifier.explainable, { maxEvaluations: steps, rule });
  const progress = terminal.progress("explaining test images", chosen.length + shown.length);
  const explainer = new Explainer(classifier, material, test, { maps, coarse }, gradients);
  const explanations: ExplainedImage[] = [];
  for (const index of chosen) {
    explanations.push(await explainer.explain(index));
    progress.update(explanations.length);
  }
  const mistakes: Mistake[] = [];
  for (const index of shown) {
    mistakes.push(await explainer.mistake(index));
    progress.update(chosen.length + mistakes.length);
  }
  progress.finish();
  const mistake = shown.length > 0 ? await explainer.mistakeAnswer(shown[0]) : null;
  return { explanations, mistakes, mistake };
}

interface MapOfImage {
  readonly values: Float32Array;
  readonly heatmap: RgbImage;
  readonly overlay: RgbImage;
  readonly status: string;
}

class Explainer {
  constructor(
    private readonly classifier: Classifier,
    private readonly material: Material,
    private readonly predictions: TestPredictions,
    private readonly plans: { readonly maps: PlaceMaps; readonly coarse: PlaceMaps | null },
    private readonly gradients: IntegratedGradients,
  ) {}

  async explain(index: number): Promise<ExplainedImage> {
    const { height, width } = this.material.test;
    const predicted = this.predictions.predicted[index];
    const { values, heatmap, overlay, status } = await this.#map(index, predicted);
    const { coarse } = this.plans;
    const pixels = await this.material.test.pixels(index);
    const origin = baselinePixels(baseline, [height, width], this.classifier.preprocessing);
    const { attribution, completenessGap, evaluations } = await this.gradients.explain(pixels, origin, predicted);
    const mask = this.#mask(index);
    const perPixel = Float32Array.from({ length: height * width }, (_, at) =>
      Math.abs(attribution[3 * at] + attribution[3 * at + 1] + attribution[3 * at + 2]),
    );
    return {
      ...this.#caption(index),
      image: await imageOf(this.material.test, index),
      predictedProbability: this.#probability(index, predicted),
      ...(coarse ? { coarse: (await this.#map(index, predicted, coarse)).overlay } : {}),
      gradcam: {
        ...(coarse ? {} : { heatmap }),
        overlay,
        status,
        ...(mask && status === "ok" ? maskFigures(values, mask) : {}),
      },
      integratedGradients: {
        image: renderAttribution(attribution, height, width),
        completenessGap,
        steps: evaluations,
        rule,
        baseline,
        ...(mask ? { massInMask: massInside(perPixel, mask) } : {}),
      },
    };
  }

  async mistake(index: number): Promise<Mistake> {
    const predicted = this.predictions.predicted[index];
    const forPredicted = await this.#map(index, predicted);
    const forActual = await this.#map(index, this.material.test.labels[index]);
    return {
      ...this.#caption(index),
      image: await imageOf(this.material.test, index),
      probability: this.#probability(index, predicted),
      gradcamPredicted: forPredicted.overlay,
      gradcamActual: forActual.overlay,
    };
  }

  /** What the maps of a mistake have in common, and whether their peaks lie on the object. */
  async mistakeAnswer(index: number): Promise<MistakeAnswer> {
    const [predicted, actual] = [this.predictions.predicted[index], this.material.test.labels[index]];
    const maps = [await this.#map(index, predicted), await this.#map(index, actual)];
    const mask = this.#mask(index);
    const [predictedOnObject, actualOnObject] = maps.map(({ values, status }) =>
      mask && status === "ok" ? mask[argmaxOfRow(values, 0, values.length)] > 0 : null,
    );
    return {
      ...this.#caption(index),
      probability: this.#probability(index, predicted),
      actualProbability: this.#probability(index, actual),
      overlap: overlapOf(maps[0].values, maps[1].values),
      predictedOnObject,
      actualOnObject,
    };
  }

  #caption(index: number): { name: string; predicted: string; actual: string } {
    const { classNames, test } = this.material;
    return {
      name: test.names[index],
      predicted: classNames[this.predictions.predicted[index]],
      actual: classNames[test.labels[index]],
    };
  }

  #probability(index: number, label: number): number {
    return this.predictions.probabilities[index * this.material.classNames.length + label];
  }

  /** The mask of a test image, where there is one. */
  #mask(index: number): Uint8Array | undefined {
    const { testMasks, test } = this.material;
    const size = test.height * test.width;
    return testMasks?.subarray(index * size, (index + 1) * size);
  }

  /** The map for one class at the image's size: as numbers, as a picture of its own, and over the image. */
  async #map(index: number, label: number, maps = this.plans.maps): Promise<MapOfImage> {
    const { test } = this.material;
    const heat = await maps.explain(await test.pixels(index), label);
    return {
      values: upsampleHeatmap(heat, test.height, test.width),
      heatmap: renderHeatmap(heat, { height: test.height, width: test.width }),
      overlay: renderOverlay(await imageOf(test, index), heat),
      status: heat.status,
    };
  }
}

/** Where the peak of a map lies (Zhang et al. 2018, pointing game), and its share inside the mask. */
function maskFigures(
  heatmap: Float32Array,
  mask: Uint8Array,
): { pointingHit: boolean; massInMask: number; maskArea: number } {
  const peak = argmaxOfRow(heatmap, 0, heatmap.length);
  const covered = mask.reduce((sum, value) => sum + (value > 0 ? 1 : 0), 0);
  return { pointingHit: mask[peak] > 0, massInMask: massInside(heatmap, mask), maskArea: covered / mask.length };
}

/** Σ min / Σ max: 1 for equal maps, 0 for maps that share nothing. */
function overlapOf(first: Float32Array, second: Float32Array): number {
  let [common, joint] = [0, 0];
  first.forEach((value, at) => {
    common += Math.min(value, second[at]);
    joint += Math.max(value, second[at]);
  });
  return joint > 0 ? common / joint : 0;
}

function massInside(values: Float32Array, mask: Uint8Array): number {
  let inside = 0;
  let total = 0;
  values.forEach((value, index) => {
    total += value;
    if (mask[index] > 0) inside += value;
  });
  return inside / total;
}
