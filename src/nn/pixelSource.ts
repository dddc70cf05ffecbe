/** Where a network's pixels come from: a part of a graph that makes them, and the values of that part's inputs for a batch. */
import type { Tensor } from "../engine/graph.ts";
import { input } from "../engine/ops/sources.ts";
import type { RunInputs } from "../engine/plan/plan.ts";
import { BATCH } from "../engine/types.ts";
import type { Pixels, PixelType } from "./classifier.ts";

/** Where a batch stands in training: besides the samples, all that what is drawn for them may depend on. */
export interface BatchPlace {
  /** From 1; 0 outside of training. */
  readonly epoch: number;
  /** Place of the batch's first sample in the order of the epoch. */
  readonly first: number;
}

/** What a source makes, as nodes. */
export interface SourcedTensors {
  /** [N, H, W, 3] of 0 to 255, u8 or f32. */
  readonly pixels: Tensor;
  /** One-hot or mixed labels [N, classes], where they were asked for. */
  readonly labels?: Tensor;
}

/** Images that can be fetched by number, wherever they lie and whatever is done to them on the GPU. */
export interface PixelSource {
  readonly count: number;
  /** True when samples of a batch are mixed with each other, so that their labels are mixed too. */
  readonly mixes?: boolean;
  /**
   * The part of the graph that makes the pixels at a network's input size.
   * @param labels one-hot [N, classes]; mixed as the images are
   */
  build(inputSize: readonly [height: number, width: number], labels?: Tensor): SourcedTensors;
  /** The values of that part's inputs for these images, in this order. */
  inputs(indices: ArrayLike<number>, place: BatchPlace): RunInputs | Promise<RunInputs>;
}

/** A pixel source with the class of each image. */
export interface LabelledPixelSource extends PixelSource {
  readonly labels: Int32Array;
}

/** Images that come ready from the host. */
export interface HostPixels {
  readonly count: number;
  /** What `batch` gives: bytes, a quarter of the transfer, or floats; default `f32`. */
  readonly dtype?: PixelType;
  /** Pixels of these images in this order, [indices.length, H, W, 3], values 0 to 255, at the network's input size. */
  batch(indices: ArrayLike<number>): Pixels | Promise<Pixels>;
}

/** Host images as a source: the only input is `pixels`. */
export const hostSource = <T extends HostPixels>(host: T): T & PixelSource => ({
  ...host,
  build: ([height, width], labels) => ({ pixels: input("pixels", [BATCH, height, width, 3], host.dtype), labels }),
  inputs: async (indices) => ({ pixels: await host.batch(indices) }),
});

/** Samples with the inputs that were made for them. */
export interface FetchedBatch {
  readonly indices: Uint32Array;
  /** Place of the first in `order`. */
  readonly start: number;
  readonly inputs: RunInputs;
}

/**
 * The samples of `order` in runs of `size`, each with what `fetch` gives; the next run is fetched while the caller works on one,
 * so that at most two are held.
 */
export async function* fetchAhead(
  order: Uint32Array,
  size: number,
  fetch: (indices: Uint32Array, start: number) => RunInputs | Promise<RunInputs>,
): AsyncGenerator<FetchedBatch> {
  const begin = async (start: number): Promise<FetchedBatch> => {
    const indices = order.subarray(start, start + size);
    return { indices, start, inputs: await fetch(indices, start) };
  };
  let next = begin(0);
  for (let start = 0; start < order.length; start += size) {
    const current = await next;
    if (start + size < order.length) {
      next = begin(start + size);
      // Awaited in the next round; the caller may stop before.
      next.catch(() => undefined);
    }
    yield current;
  }
}

/** All images of a source from first to last, as for measuring: epoch 0. */
export const batchesOf = (source: PixelSource, size: number): AsyncGenerator<FetchedBatch> =>
  fetchAhead(
    Uint32Array.from({ length: source.count }, (_, index) => index),
    size,
    (indices, first) => source.inputs(indices, { epoch: 0, first }),
  );
