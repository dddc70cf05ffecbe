import { ShapeError } from "../../engine/errors.ts";
import { baselinePixels, resolveBaseline } from "../baselines.ts";
import type { Explainer, Explanation, Method, MethodOptions, RawHeatmap, Target } from "../explanation.ts";
import type { ExplainableModel, Score } from "../model.ts";
import { upsampleHeatmap } from "../overlay.ts";
import { type CurvesWithControls, InsertionDeletion } from "./curves.ts";
import { type LocationEvidence, locationEvidence, type Mask } from "./location.ts";
import { type RoadEvidence, road } from "./road.ts";
import { cascadingRandomisation, type RandomisationEvidence, type SanityOptions } from "./sanity.ts";
import { Scorer } from "./scorer.ts";
import { maxSensitivity, type SensitivityEvidence, type SensitivityOptions } from "./sensitivity.ts";

/** What stands for a removed pixel: the image blurred beyond recognition, or its own mean colour. */
export const fills = ["blur", "mean"] as const;
export type Fill = (typeof fills)[number];

export interface CompletenessEvidence {
  /** |Σ attribution − (score of the image − score of the baseline)|, in units of the score. */
  readonly gap: number;
  /** As a share of the difference of the scores. */
  readonly relativeGap: number;
}

/** Everything that is measured of one map. */
export interface Evidence {
  readonly method: string;
  readonly target: Target;
  /** Of methods that attribute to pixels; null for maps that claim no sum. */
  readonly completeness: CompletenessEvidence | null;
  readonly curves: CurvesWithControls;
  readonly road: RoadEvidence;
  readonly randomisation: RandomisationEvidence;
  readonly sensitivity: SensitivityEvidence;
  /** Where a mask of the object is known. */
  readonly location: LocationEvidence | null;
  readonly cost: Explanation["cost"];
}

export interface EvidenceOptions extends MethodOptions {
  /** Steps of the insertion and deletion curves; default 20. */
  readonly curveSteps?: number;
  /** Default `blur`. */
  readonly fill?: Fill;
  /** What curves and ROAD are drawn of; default `prob`. */
  readonly curveScore?: Score;
  readonly sanity?: SanityOptions;
  readonly sensitivity?: SensitivityOptions;
  /** How the method runs where it must be repeated (randomised networks, neighbours of the image); default `repeatOptions`. */
  readonly repeat?: MethodOptions;
}

/** Repeated maps are compared with each other alone, so a path of fixed length and fewer draws do. */
export const repeatOptions = ({ family }: Method): MethodOptions =>
  family === "path"
    ? { rule: "gauss-legendre", steps: 12 }
    : family === "perturbation"
      ? { samples: 128 }
      : { samples: 8 };

/** Gathers the evidence for the maps of one method on one model; everything is compiled once. Dispose it when done. */
export class EvidenceBench {
  private constructor(
    readonly method: Method,
    private readonly model: ExplainableModel,
    private readonly options: EvidenceOptions,
    private readonly explainer: Explainer,
    private readonly repeater: Explainer,
    private readonly scorer: Scorer,
    private readonly insertionDeletion: InsertionDeletion,
  ) {}

  /** @throws GraphError for a model that the method cannot explain */
  static async create(model: ExplainableModel, method: Method, options: EvidenceOptions = {}): Promise<EvidenceBench> {
    const { maxBatch, curveSteps: steps, curveScore: score } = options;
    const scorer = await Scorer.create(model, maxBatch);
    const curves = await InsertionDeletion.create(model, { steps, score, maxBatch });
    const explainer = await method.create(model, options);
    const repeater = await method.create(model, EvidenceBench.#repeated(method, options));
    return new EvidenceBench(method, model, options, explainer, repeater, scorer, curves);
  }

  static #repeated(method: Method, { score, layers, seed, maxBatch, baselines, signed, repeat }: EvidenceOptions) {
    return { score, layers, seed, maxBatch, baselines, signed, ...(repeat ?? repeatOptions(method)) };
  }

  /** The map alone: image [H, W, 3] of 0 to 255. */
  async explain(image: Float32Array, target: Target): Promise<Explanation> {
    return (await this.explainer.explain(image, [target]))[0];
  }

  /**
   * The evidence for the map of one image.
   * @param image [H, W, 3] of 0 to 255
   * @throws ShapeError when image or mask have another size; NonFiniteError for a map that is not finite
   */
  async measure(image: Float32Array, target: Target, mask?: Mask): Promise<Evidence> {
    const [height, width] = this.model.inputSize;
    if (image.length !== height * width * 3)
      throw new ShapeError(`expected an image of ${height} × ${width} × 3 values, found ${image.length}`);
    return this.measureMap(await this.explain(image, target), image, target, mask);
  }

  /** The same for a map that was made already, by this method and options. */
  async measureMap(explanation: Explanation, image: Float32Array, target: Target, mask?: Mask): Promise<Evidence> {
    const { curveScore: score = "prob", fill = "blur", seed = 0, sanity, sensitivity } = this.options;
    const { heatmap } = explanation;
    const relevance = upsampleHeatmap(heatmap, ...this.model.inputSize);
    const request = { image, target, relevance, fill: this.#fill(fill, image), fillName: fill };
    const [repeated] = await this.repeater.explain(image, [target]);
    const original: RawHeatmap = repeated.heatmap;
    return {
      method: this.method.name,
      target,
      completeness: await this.#completeness(explanation, image, target),
      curves: await this.insertionDeletion.evaluate(request, { seed }),
      road: await road(this.scorer, image, target, relevance, { score, seed }),
      randomisation: await cascadingRandomisation(
        (model) => this.method.create(model, EvidenceBench.#repeated(this.method, this.options)),
        this.model,
        image,
        [target],
        { seed, ...sanity, originals: [original] },
      ),
      sensitivity: await maxSensitivity(this.repeater, image, target, { seed, ...sensitivity, original }),
      location: mask ? locationEvidence(heatmap, mask) : null,
      cost: explanation.cost,
    };
  }

  #fill(fill: Fill, image: Float32Array): Float32Array {
    if (fill === "blur") return resolveBaseline("blur", image, this.model);
    const means = [0, 1, 2].map((channel) => {
      let total = 0;
      for (let at = channel; at < image.length; at += 3) total += image[at];
      return total / (image.length / 3);
    });
    return image.map((_, at) => means[at % 3]);
  }

  /** What the method says itself, where it chose the baseline; else against black. */
  async #completeness(
    { attribution, details }: Explanation,
    image: Float32Array,
    target: Target,
  ): Promise<CompletenessEvidence | null> {
    const { completenessGap, relativeGap } = details;
    if (typeof completenessGap === "number" && typeof relativeGap === "number")
      return { gap: completenessGap, relativeGap };
    if (!attribution) return null;
    const black = baselinePixels("black", this.model.inputSize, this.model.preprocessing);
    const pixels = new Float32Array(2 * image.length);
    pixels.set(image);
    pixels.set(black, image.length);
    const scores = (await this.scorer.score(pixels, [target, target]))[this.options.score ?? "logit"];
    const difference = scores[0] - scores[1];
    const gap = Math.abs(attribution.reduce((sum, value) => sum + value, 0) - difference);
    return { gap, relativeGap: gap / Math.max(Math.abs(difference), 1e-12) };
  }

  dispose(): void {
    this.explainer.dispose();
    this.repeater.dispose();
    this.scorer.dispose();
    this.insertionDeletion.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
