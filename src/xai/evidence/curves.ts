import { compile } from "../../engine/compile.ts";
import { ShapeError } from "../../engine/errors.ts";
import type { Tensor } from "../../engine/graph.ts";
import { add, multiply, subtract } from "../../engine/ops/binary.ts";
import { reshape } from "../../engine/ops/reshape.ts";
import { input } from "../../engine/ops/sources.ts";
import { relu, scale } from "../../engine/ops/unary.ts";
import type { Plan } from "../../engine/plan/plan.ts";
import { permutation } from "../../engine/random.ts";
import { BATCH } from "../../engine/types.ts";
import { type Target, targetWeights } from "../explanation.ts";
import { type ExplainableModel, logitsOf, preprocess, type Score, targetScore } from "../model.ts";
import { areaUnderCurve, fallingOrder, mean } from "./statistics.ts";

/** The score as pixels change, most relevant first. */
export interface Curve {
  /** Share of the pixels that have changed, rising from 0 to 1. */
  readonly shares: Float64Array;
  readonly scores: Float64Array;
  /** By trapezoids. */
  readonly auc: number;
}

export interface CurveEvidence {
  /** From the fill to the image: a good map brings the score back early, so a larger area is better. */
  readonly insertion: Curve;
  /** From the image to the fill: a good map destroys the score early, so a smaller area is better. */
  readonly deletion: Curve;
}

export interface CurvesWithControls extends CurveEvidence {
  /** What orders that know nothing of the model reach: chance (mean of several orders), and a Gaussian at the centre. */
  readonly controls: { readonly random: CurveEvidence; readonly centre: CurveEvidence };
  readonly fill: string;
  readonly score: Score;
}

export interface CurveOptions {
  /** Evaluations of a curve beside its start; default 20. */
  readonly steps?: number;
  /** Default `prob`, as in the paper. */
  readonly score?: Score;
  readonly maxBatch?: number;
}

export interface CurveRequest {
  /** [H, W, 3] of 0 to 255. */
  readonly image: Float32Array;
  /** What the map explains: a class, a difference of two, or any sum. */
  readonly target: Target;
  /** One value a pixel [H, W]. */
  readonly relevance: ArrayLike<number>;
  /** What stands for a removed pixel, [H, W, 3] of 0 to 255, and what it is called. */
  readonly fill: Float32Array;
  readonly fillName: string;
}

/**
 * Insertion and deletion (Petsiuk, Das and Saenko 2018). The steps of a curve are the batch of one plan, which draws the mask
 * itself from each pixel's place in the order. Dispose it when done.
 */
export class InsertionDeletion {
  private constructor(
    private readonly plan: Plan,
    private readonly model: ExplainableModel,
    private readonly classes: number,
    readonly steps: number,
    readonly score: Score,
  ) {}

  /** @throws ShapeError for a number of steps that is not whole and positive */
  static async create(
    model: ExplainableModel,
    { steps = 20, score = "prob", maxBatch = 8 }: CurveOptions = {},
  ): Promise<InsertionDeletion> {
    if (!(Number.isInteger(steps) && steps >= 1))
      throw new ShapeError(`expected a whole number of steps of at least 1, found ${steps}`);
    const { scores, classes } = curveScores(model, score);
    const plan = await compile(model.device, { outputs: { scores } }, { parameters: model.parameters, maxBatch });
    return new InsertionDeletion(plan, model, classes, steps, score);
  }

  /** Both curves of one order of the pixels, which is a list of places, first to change first. */
  async curves(
    { image, fill, target }: Pick<CurveRequest, "image" | "fill" | "target">,
    order: ArrayLike<number>,
  ): Promise<CurveEvidence> {
    const places = new Float32Array(order.length);
    for (let place = 0; place < order.length; place++) places[order[place]] = place;
    const counts = Float32Array.from({ length: this.steps + 1 }, (_, step) =>
      Math.round((step * order.length) / this.steps),
    );
    const shares = Float64Array.from(counts, (count) => count / order.length);
    const targets = targetWeights([target], this.classes);
    const run = async (from: Float32Array, to: Float32Array): Promise<Curve> => {
      const { scores } = await this.plan.run({ from, to, places, counts, targets });
      return { shares, scores: Float64Array.from(scores), auc: areaUnderCurve(shares, scores) };
    };
    return { insertion: await run(fill, image), deletion: await run(image, fill) };
  }

  /**
   * The curves of a map beside those of the controls.
   * `randomOrders`: how many random orders the control averages; default 2
   * @throws ShapeError when sizes do not fit; NonFiniteError for a map that is not finite
   */
  async evaluate(
    request: CurveRequest,
    { seed = 0, randomOrders = 2 }: { readonly seed?: number; readonly randomOrders?: number } = {},
  ): Promise<CurvesWithControls> {
    const [height, width] = this.model.inputSize;
    const pixels = height * width;
    if (
      request.relevance.length !== pixels ||
      request.image.length !== 3 * pixels ||
      request.fill.length !== 3 * pixels
    )
      throw new ShapeError(
        `expected image, fill and map of ${height} × ${width} pixels, found ${request.image.length}, ${request.fill.length} and ${request.relevance.length} values`,
      );
    const own = await this.curves(request, fallingOrder(request.relevance));
    const random: CurveEvidence[] = [];
    for (let draw = 0; draw < randomOrders; draw++)
      random.push(await this.curves(request, permutation(pixels, seed, draw)));
    const centre = await this.curves(request, fallingOrder(centreGaussian(height, width)));
    const controls = { random: meanCurves(random), centre };
    return { ...own, controls, fill: request.fillName, score: this.score };
  }

  dispose(): void {
    this.plan.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A Gaussian at the centre, a quarter of each side wide: the map of somebody who only knows where photographers aim. [H, W] */
export const centreGaussian = (height: number, width: number): Float64Array =>
  Float64Array.from({ length: height * width }, (_, index) => {
    const y = (Math.floor(index / width) + 0.5) / height - 0.5;
    const x = ((index % width) + 0.5) / width - 0.5;
    return Math.exp(-8 * (x * x + y * y));
  });

/** The scores [N] of `from` with the first `counts[n]` pixels of the order replaced by those of `to`. */
function curveScores(model: ExplainableModel, score: Score): { scores: Tensor; classes: number } {
  const [height, width] = model.inputSize;
  const from = input("from", [1, height, width, 3]);
  const to = input("to", [1, height, width, 3]);
  const places = input("places", [1, height, width, 1]);
  const counts = reshape(input("counts", [BATCH]), [BATCH, 1, 1, 1]);
  // Counts and places are whole numbers, so clamp(count − place, 0, 1) is 1 exactly where place < count.
  const distance = subtract(counts, places);
  const changed = subtract(relu(distance), relu(scale(distance, 1, -1)));
  const pixels = add(multiply(subtract(to, from), changed), from);
  const logits = logitsOf(model.build(preprocess(model, pixels)));
  const classes = logits.shape[1];
  return { scores: targetScore(logits, input("targets", [1, classes]), score), classes };
}

function meanCurves(curves: readonly CurveEvidence[]): CurveEvidence {
  const averaged = (kind: keyof CurveEvidence): Curve => {
    const { shares } = curves[0][kind];
    const scores = shares.map((_, step) => mean(curves.map((curve) => curve[kind].scores[step])));
    return { shares, scores, auc: areaUnderCurve(shares, scores) };
  };
  return { insertion: averaged("insertion"), deletion: averaged("deletion") };
}
