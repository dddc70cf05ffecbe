/** Pictures of a store as a network's source: bytes go to the GPU as they are, and one op of the plan brings them to size. */
import type { ImageStore } from "../data/imageStore.node.ts";
import { fitPacked, type PackedPicture, packedTaps } from "../data/packed.ts";
import type { FilterTaps } from "../data/resize.ts";
import { ShapeError } from "../engine/errors.ts";
import { resample } from "../engine/ops/resample.ts";
import { input } from "../engine/ops/sources.ts";
import type { RunInputs } from "../engine/plan/plan.ts";
import { BATCH } from "../engine/types.ts";
import type { AddressedSource } from "./policy.ts";

/** A part of a data set as commands use it. */
export interface Photographs extends AddressedSource {
  /** One name an image, e.g. `daisy/100080576.jpg`. */
  readonly names: readonly string[];
  readonly height: number;
  readonly width: number;
  /** One image at the network's size: float32 [height, width, 3] of 0 to 255. */
  pixels(index: number): Promise<Float32Array>;
  /** Ends what reads the images. */
  close(): Promise<void>;
}

/** The slot of each picture: whole words, so that a batch can be cut anywhere. */
const slotOf = ({ bounds }: ImageStore): number => 4 * Math.ceil(bounds.bytes / 4);

/** Writes the lines of one picture of a batch: short ones are padded with weights of zero. */
class BatchLines {
  readonly first: Int32Array;
  readonly weights: Int32Array;

  constructor(
    count: number,
    readonly length: number,
    readonly taps: number,
  ) {
    this.first = new Int32Array(count * length);
    this.weights = new Int32Array(count * length * taps);
  }

  put(at: number, { start, weights, taps }: FilterTaps): void {
    this.first.set(start, at * this.length);
    for (let line = 0; line < this.length; line++)
      this.weights.set(weights.subarray(line * taps, (line + 1) * taps), (at * this.length + line) * this.taps);
  }
}

/** The inputs of a batch of packed pictures. */
function packBatch(store: ImageStore, pictures: readonly PackedPicture[]): RunInputs {
  const { height, width } = store.target;
  const { taps } = store.bounds;
  const slot = slotOf(store);
  const bytes = new Uint8Array(pictures.length * slot);
  const rows = new BatchLines(pictures.length, height, taps);
  const columns = new BatchLines(pictures.length, width, taps);
  pictures.forEach((picture, at) => {
    bytes.set(picture.data, at * slot);
    const lines = packedTaps(picture, store.target);
    rows.put(at, lines.rows);
    columns.put(at, lines.columns);
  });
  return {
    pixels: bytes,
    "pixels/widths": Int32Array.from(pictures, (picture) => picture.width),
    "pixels/firstRows": rows.first,
    "pixels/rowWeights": rows.weights,
    "pixels/firstColumns": columns.first,
    "pixels/columnWeights": columns.weights,
  };
}

function resampled(store: ImageStore, height: number, width: number) {
  const { taps } = store.bounds;
  const whole = (name: string, ...shape: number[]) => input(`pixels/${name}`, [BATCH, ...shape], "i32");
  return resample(
    input("pixels", [BATCH, slotOf(store)], "u8"),
    {
      widths: whole("widths"),
      rows: { first: whole("firstRows", height), weights: whole("rowWeights", height, taps) },
      columns: { first: whole("firstColumns", width), weights: whole("columnWeights", width, taps) },
    },
    store.target.resize === "aspect",
  );
}

/** The images of a store at these places. Where all have the network's size already, their bytes are the pixels. */
export function storedSource(store: ImageStore, places: readonly number[]): Photographs {
  const { height, width } = store.target;
  return {
    count: places.length,
    labels: Int32Array.from(places, (place) => store.labels[place]),
    ids: places.map((place) => store.ids[place]),
    names: places.map((place) => store.names[place]),
    height,
    width,
    async pixels(index) {
      const [picture] = await store.pictures([places[index]]);
      return fitPacked(picture, store.target);
    },
    close: () => store.close(),
    build([wantedHeight, wantedWidth], labels) {
      if (wantedHeight !== height || wantedWidth !== width)
        throw new ShapeError(
          `expected images for ${wantedHeight} × ${wantedWidth}, found a store for ${height} × ${width}; open it for that size`,
        );
      const pixels = store.isFitted
        ? input("pixels", [BATCH, height, width, 3], "u8")
        : resampled(store, height, width);
      return { pixels, labels };
    },
    async inputs(indices) {
      const pictures = await store.pictures(Array.from(indices, (index) => places[index]));
      if (!store.isFitted) return packBatch(store, pictures);
      return { pixels: new Uint8Array(Buffer.concat(pictures.map(({ data }) => data))) };
    },
  };
}
