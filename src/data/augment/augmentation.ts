import { DataError, ShapeError } from "../../engine/errors.ts";
import type { Tensor } from "../../engine/graph.ts";
import { affineWarp } from "../../engine/ops/affine.ts";
import { input } from "../../engine/ops/sources.ts";
import { BATCH, formatType, sizeOf, type TypedArray, typedArray } from "../../engine/types.ts";
import type { ImageSize } from "../images.ts";
import { compose, type Matrix } from "./affine.ts";
import { assemble, type Resampling } from "./assemble.ts";
import type { Mode } from "./layer.ts";
import { type Drawn, drawParameters, type SampleAddress } from "./parameters.ts";
import type { Policy } from "./policy.ts";
import type { BatchSample, Stage } from "./stages.ts";

export interface AugmentationOptions extends ImageSize {
  /** Whose laws the parameters follow; default `documented`. */
  readonly mode?: Mode;
  /** Default `fused`: one interpolation for neighbouring geometric layers. */
  readonly resample?: Resampling;
}

/** What is augmented together: images [N, H, W, 3] of 0 to 255, masks [N, H, W, C], one-hot labels [N, K]. */
export interface AugmentedTensors {
  readonly images: Tensor;
  readonly masks?: Tensor;
  readonly labels?: Tensor;
}

/**
 * A policy for images of one size: a part of a graph (`build`) and the values of its inputs for a batch (`feeds`). The graph
 * belongs to the policy alone; what an image gets depends on its address alone.
 */
export class Augmentation {
  readonly policy: Policy;
  readonly mode: Mode;
  readonly resample: Resampling;
  /** Of the images that go in, and of those that come out. */
  readonly inputSize: ImageSize;
  readonly outputSize: ImageSize;
  readonly #stages: readonly Stage[];

  constructor(policy: Policy, { height, width, mode = "documented", resample = "fused" }: AugmentationOptions) {
    const { stages, size } = assemble(policy, { height, width, mode, resample });
    this.policy = policy;
    this.mode = mode;
    this.resample = resample;
    this.inputSize = { height, width };
    this.outputSize = size;
    this.#stages = stages;
  }

  /** True when samples are mixed: batches must then hold pairs (`batchPartners`). */
  get mixes(): boolean {
    return this.#stages.some(({ labels }) => labels !== undefined);
  }

  /** What is drawn for an image, layer by layer; plain data. */
  draw(address: SampleAddress): Drawn {
    return drawParameters(this.policy, address, this.mode);
  }

  /**
   * The augmented images, with masks resampled to the nearest pixel, and labels mixed as the images are.
   * @param prefix of the names of the graph's new inputs
   * @throws ShapeError when the images are not of this augmentation's size
   */
  build({ images, masks, labels }: AugmentedTensors, prefix = "augment"): AugmentedTensors {
    const { height, width } = this.inputSize;
    const [, ...rest] = images.shape;
    if (rest.join() !== [height, width, 3].join())
      throw new ShapeError(`expected images [N, ${height}, ${width}, 3] to augment, found ${formatType(images.type)}`);
    let result: AugmentedTensors = { images, masks, labels };
    this.#stages.forEach((stage, index) => {
      const values = stage.inputs.map(({ shape, dtype }, place) =>
        input(`${prefix}/${index}/${place}`, [BATCH, ...shape], dtype),
      );
      const { warp } = stage;
      result = {
        images: stage.build(result.images, values),
        masks:
          result.masks && warp
            ? affineWarp(result.masks, values[0], {
                ...warp.to,
                fill: warp.fill,
                fillValue: 0,
                interpolation: "nearest",
              })
            : result.masks,
        labels: result.labels && stage.labels ? stage.labels(result.labels, values) : result.labels,
      };
    });
    return result;
  }

  /**
   * The values of those inputs for a batch, in its order.
   * With `labels`, labels were built too, `prefix` as for `build`
   * @throws DataError for an address that is not of whole numbers, or when samples are mixed and one has no partner in the batch
   */
  feeds(
    samples: readonly BatchSample[],
    { prefix = "augment", labels = false }: { readonly prefix?: string; readonly labels?: boolean } = {},
  ): Record<string, TypedArray> {
    const drawn = samples.map((sample) => sample.drawn ?? this.draw(sample));
    if (
      this.mixes &&
      !samples.every(({ partner }) => partner !== undefined && partner >= 0 && partner < samples.length)
    )
      throw new DataError(`${this.policy.name} mixes samples: give each a partner in the batch, as batchPartners does`);
    const feeds: Record<string, TypedArray> = {};
    this.#stages.forEach((stage, index) => {
      stage.inputs.forEach(({ shape, dtype, forLabels, row }, place) => {
        if (forLabels && !labels) return;
        const size = sizeOf(shape);
        const values = typedArray(dtype ?? "f32", size * samples.length);
        samples.forEach((sample, at) => {
          values.set(row(drawn[at], sample), at * size);
        });
        feeds[`${prefix}/${index}/${place}`] = values;
      });
    });
    return feeds;
  }

  /** The weight of an image's own label: 1 where nothing is mixed. */
  ownShare(address: SampleAddress): number {
    const drawn = this.draw(address);
    return this.#stages.reduce((share, { ownShare }) => share * (ownShare?.(drawn) ?? 1), 1);
  }

  /** The whole geometric part of an image: maps its augmented pixels to positions in the original. */
  matrix(address: SampleAddress): Matrix {
    const drawn = this.draw(address);
    return compose(...this.#stages.flatMap(({ warp }) => (warp ? [warp.matrix(drawn)] : [])));
  }
}
