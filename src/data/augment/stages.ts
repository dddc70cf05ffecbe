import type { Tensor } from "../../engine/graph.ts";
import { affineWarp, type FillMode } from "../../engine/ops/affine.ts";
import { add, multiply } from "../../engine/ops/binary.ts";
import { erase, noise } from "../../engine/ops/erase.ts";
import { separableFilter, sharpen } from "../../engine/ops/filters.ts";
import { equalise, histogram, lookUp } from "../../engine/ops/histogram.ts";
import { levelCodes, levelTable } from "../../engine/ops/levels.ts";
import { cutMix, mixUp } from "../../engine/ops/mix.ts";
import { type PhotometricStep, photometric } from "../../engine/ops/photometric.ts";
import type { ImageSize } from "../images.ts";
import { compose, type Matrix, warpRow } from "./affine.ts";
import type { Drawn, SampleAddress } from "./parameters.ts";

/** One sample of a batch; `partner` is the place in the batch of the one that is mixed into it. */
export interface BatchSample extends SampleAddress {
  readonly partner?: number;
  /** Parameters to use instead of those that the address gives, in the order of the policy's layers. */
  readonly drawn?: Drawn;
}

/** A graph input whose rows, one for each sample, follow from what was drawn. */
export interface StageInput {
  /** Without the batch. */
  readonly shape: readonly number[];
  readonly dtype?: "i32";
  /** Read by the labels alone. */
  readonly forLabels?: boolean;
  row(drawn: Drawn, sample: BatchSample): ArrayLike<number>;
}

/** A resampling: also what masks and heatmaps need. */
export interface Warp {
  matrix(drawn: Drawn): Matrix;
  readonly fill: FillMode;
  readonly fillValue: number;
  readonly to: ImageSize;
}

/** A part of the graph with the inputs that it brings. */
export interface Stage {
  readonly inputs: readonly StageInput[];
  build(x: Tensor, inputs: readonly Tensor[]): Tensor;
  readonly warp?: Warp;
  /** How the one-hot labels [N, K] change with the images. */
  readonly labels?: (labels: Tensor, inputs: readonly Tensor[]) => Tensor;
  /** The weight of a sample's own label where labels are mixed. */
  readonly ownShare?: (drawn: Drawn) => number;
}

/** A step of a photometric program, and which kinds it may be. */
interface Step {
  readonly row: (drawn: Drawn) => readonly [number, number];
  readonly kinds: readonly PhotometricStep[];
}

export const warpStage = (warp: Warp): Stage => ({
  inputs: [{ shape: [8], row: (drawn) => warpRow(warp.matrix(drawn)) }],
  build: (x, [matrix]) => affineWarp(x, matrix, { ...warp.to, fill: warp.fill, fillValue: warp.fillValue }),
  warp,
});

const programStage = (steps: readonly Step[], contrast: boolean): Stage => ({
  inputs: [{ shape: [steps.length, 2], row: (drawn) => steps.flatMap(({ row }) => row(drawn)) }],
  build: (x, [program]) => photometric(x, program, { contrast, steps: steps.flatMap(({ kinds }) => kinds) }),
});

export const equaliseStage = (active: (drawn: Drawn) => number): Stage => ({
  inputs: [{ shape: [], row: (drawn) => [active(drawn)] }],
  build: (x, [switched]) => equalise(x, switched),
});

/** Steps on the levels of images whose `program` has one: of pairs (code of `levelCodes`, whole amount), `steps` of them. */
export const levelsStage = (steps: number, program: (drawn: Drawn) => readonly number[]): Stage => ({
  inputs: [
    {
      shape: [],
      row: (drawn) => [Number(program(drawn).some((_, at, all) => at % 2 === 0 && all[at] !== levelCodes.nothing))],
    },
    { shape: [steps, 2], dtype: "i32", row: program },
  ],
  build: (x, [switched, programs]) => lookUp(x, levelTable(histogram(x), programs), switched),
});

export const sharpenStage = (amount: (drawn: Drawn) => number): Stage => ({
  inputs: [{ shape: [], row: (drawn) => [amount(drawn)] }],
  build: (x, [amounts]) => sharpen(x, amounts),
});

/** The weights of a Gaussian of standard deviation σ over 2·radius + 1 pixels; all on the middle one for σ = 0. */
export function gaussianWeights(sigma: number, radius: number): number[] {
  const weights = Array.from({ length: 2 * radius + 1 }, (_, tap) =>
    tap === radius ? 1 : sigma > 0 ? Math.exp(-((tap - radius) ** 2) / (2 * sigma * sigma)) : 0,
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

export const blurStage = (sigma: (drawn: Drawn) => number, largest: number): Stage => {
  const radius = Math.max(1, Math.ceil(3 * largest));
  return {
    inputs: [{ shape: [2 * radius + 1], row: (drawn) => gaussianWeights(sigma(drawn), radius) }],
    build: (x, [weights]) => separableFilter(x, weights),
  };
};

export const noiseStage = (sigma: (drawn: Drawn) => number, op: number): Stage => ({
  inputs: [
    { shape: [], row: (drawn) => [sigma(drawn)] },
    { shape: [4], dtype: "i32", row: (_, { seed, epoch, id }) => [seed, epoch, id, op].map((word) => word | 0) },
  ],
  build: (x, [sigmas, addresses]) => noise(x, sigmas, addresses),
});

/** A box in whole pixels: top, left, height, width. */
export type Box = readonly [number, number, number, number];

export const eraseStage = (box: (drawn: Drawn) => Box, colour: (drawn: Drawn) => readonly number[]): Stage => ({
  inputs: [
    { shape: [4], row: box },
    { shape: [3], row: colour },
  ],
  build: (x, [boxes, colours]) => erase(x, boxes, colours),
});

const partnerInput: StageInput = { shape: [], dtype: "i32", row: (_, { partner }) => [partner ?? -1] };

/** Each value in the box is clip(σ·z), z normal at its own address: the noise is drawn on black, then cut out. */
export const eraseWithNoiseStage = (
  box: (drawn: Drawn) => Box,
  sigma: (drawn: Drawn) => number,
  op: number,
  { height, width }: ImageSize,
): Stage => {
  const noisy = noiseStage(sigma, op);
  return {
    inputs: [
      { shape: [4], row: box },
      { shape: [4], row: () => [0, 0, height, width] },
      { shape: [3], row: () => [0, 0, 0] },
      ...noisy.inputs,
    ],
    build: (x, [boxes, whole, black, ...rest]) => erase(x, boxes, noisy.build(erase(x, whole, black), rest)),
  };
};

export const mixUpStage = (lambda: (drawn: Drawn) => number): Stage => ({
  inputs: [partnerInput, { shape: [], row: (drawn) => [lambda(drawn)] }],
  build: (x, [partner, lambdas]) => mixUp(x, partner, lambdas),
  labels: (labels, [partner, lambdas]) => mixUp(labels, partner, lambdas),
  ownShare: lambda,
});

export const cutMixStage = (box: (drawn: Drawn) => Box, ownShare: (drawn: Drawn) => number): Stage => ({
  inputs: [partnerInput, { shape: [4], row: box }, { shape: [], forLabels: true, row: (drawn) => [ownShare(drawn)] }],
  build: (x, [partner, boxes]) => cutMix(x, partner, boxes),
  labels: (labels, [partner, , shares]) => mixUp(labels, partner, shares),
  ownShare,
});

/** y = Σ weights[n, i] · branch_i(x), where branch 0 is x itself. */
export function branchesStage(branches: readonly (readonly Stage[])[], weights: (drawn: Drawn) => number[]): Stage {
  const inputs = branches.flatMap((stages) => stages.flatMap((stage) => stage.inputs));
  const weightInputs = Array.from(
    { length: branches.length + 1 },
    (_, index): StageInput => ({
      shape: [1, 1, 1],
      row: (drawn) => [weights(drawn)[index]],
    }),
  );
  return {
    inputs: [...weightInputs, ...inputs],
    build: (x, tensors) => {
      let next = weightInputs.length;
      let total = multiply(x, tensors[0]);
      branches.forEach((stages, index) => {
        let y = x;
        for (const stage of stages) {
          y = stage.build(y, tensors.slice(next, next + stage.inputs.length));
          next += stage.inputs.length;
        }
        total = add(total, multiply(y, tensors[index + 1]));
      });
      return total;
    },
  };
}

/** Collects stages, joining neighbouring matrices into one resampling and neighbouring colour steps into one program. */
export class StageList {
  readonly stages: Stage[] = [];
  #matrices: ((drawn: Drawn) => Matrix)[] = [];
  /** The border rule of the matrices that have gathered; undefined while all of them stay inside the image. */
  #fill: FillMode | undefined;
  #steps: Step[] = [];
  #aboutMean = false;

  constructor(
    public size: ImageSize,
    readonly border: { readonly fill: FillMode; readonly fillValue: number },
  ) {}

  /** Layers of one border rule are one resampling; `fill` is undefined for one that needs none. */
  addMatrix(matrix: (drawn: Drawn) => Matrix, to: ImageSize, fill?: FillMode): void {
    this.#flushSteps();
    if (fill !== undefined && this.#fill !== undefined && fill !== this.#fill) this.flushMatrices();
    this.#fill ??= fill;
    this.#matrices.push(matrix);
    this.size = to;
  }

  /** A step about the mean begins a program: the mean is that of the program's input. */
  addStep(step: Step, aboutMean: boolean): void {
    this.flushMatrices();
    if (aboutMean) this.#flushSteps();
    this.#aboutMean ||= aboutMean;
    this.#steps.push(step);
  }

  addStage(stage: Stage): void {
    this.flush();
    this.stages.push(stage);
  }

  /** Resamples what has gathered. */
  flushMatrices(): void {
    if (this.#matrices.length === 0) return;
    const matrices = this.#matrices;
    const fill = this.#fill ?? this.border.fill;
    const matrix = (drawn: Drawn): Matrix => compose(...matrices.map((each) => each(drawn)));
    this.stages.push(warpStage({ matrix, fill, fillValue: this.border.fillValue, to: this.size }));
    this.#matrices = [];
    this.#fill = undefined;
  }

  #flushSteps(): void {
    if (this.#steps.length === 0) return;
    this.stages.push(programStage(this.#steps, this.#aboutMean));
    this.#steps = [];
    this.#aboutMean = false;
  }

  flush(): void {
    this.flushMatrices();
    this.#flushSteps();
  }
}
