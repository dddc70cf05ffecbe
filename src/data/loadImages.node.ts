/** Decodes chosen images of a data set at one size, on threads, with the broken ones by name. */
import { DataError } from "../engine/errors.ts";
import type { LabelledImages } from "./datasets.ts";
import { createDecoder, type DecoderOptions } from "./decodePool.node.ts";
import { toBytes } from "./images.ts";
import type { ImageContent, ImageDataset } from "./loaders.ts";

export interface LoadOptions extends DecoderOptions {
  /** Fail on the first broken photograph instead of skipping it. */
  strict?: boolean;
  onProgress?(done: number, total: number): void;
}

/** A photograph that was skipped, and why, in one line. */
export interface BrokenImage {
  path: string;
  reason: string;
}

export interface LoadedDataset {
  images: LabelledImages;
  broken: BrokenImage[];
}

/** A data set with a larger share of broken photographs is not used. */
export const MAX_BROKEN = 0.05;

/** Whether fitted pixels are whole numbers, which go to the GPU as bytes: a quarter of the memory and of the transfer. */
const areBytes = ({ imageSize }: ImageDataset, { height, width, resize }: LoadOptions): boolean =>
  resize === "aspect" || (imageSize?.height === height && imageSize.width === width);

/**
 * Decodes the images of `indices` (distinct, of `dataset.items`), in that order. Broken ones are skipped and returned by name.
 * Pixels are bytes where the resize gives whole numbers (`aspect`, or none at all), floats otherwise.
 * @throws DataError when more than 5 % are broken or missing; with `strict`, FileError at the first; what the data set throws
 */
export async function loadImages(
  dataset: ImageDataset,
  indices: readonly number[],
  options: LoadOptions,
): Promise<LoadedDataset> {
  const { height, width } = options;
  const size = height * width * 3;
  const pixels = areBytes(dataset, options)
    ? new Uint8Array(indices.length * size)
    : new Float32Array(indices.length * size);
  const loading = new Loading(dataset, indices, options);
  const decoder = createDecoder(options);
  try {
    for await (const result of decoder.decode(loading.contents())) {
      const place = loading.nextPlace();
      if ("error" in result) loading.refuse(place, result.error);
      else {
        pixels.set(pixels instanceof Uint8Array ? toBytes(result.pixels) : result.pixels, place * size);
        loading.accept(place);
      }
    }
  } finally {
    await decoder.close();
  }
  const kept = loading.finish();
  kept.forEach((from, to) => {
    if (from !== to) pixels.copyWithin(to * size, from * size, (from + 1) * size);
  });
  const items = kept.map((place) => dataset.items[indices[place]]);
  const images: LabelledImages = {
    classNames: [...dataset.classNames],
    names: items.map((item) => item.name),
    labels: Int32Array.from(items, (item) => item.label),
    ids: kept.map((place) => indices[place]),
    height,
    width,
    pixels: pixels.subarray(0, kept.length * size),
  };
  return { images, broken: loading.broken };
}

/** Which of the chosen images have come, in whatever order the data set reads them. */
export class Loading {
  readonly broken: BrokenImage[] = [];
  private readonly placeOf: ReadonlyMap<number, number>;
  private readonly asked: number[] = [];
  private readonly arrived = new Set<number>();
  private readonly accepted = new Set<number>();
  private taken = 0;

  constructor(
    private readonly dataset: ImageDataset,
    private readonly indices: readonly number[],
    private readonly options: LoadOptions,
  ) {
    this.placeOf = new Map(indices.map((index, place) => [index, place]));
  }

  async *contents(): AsyncGenerator<ImageContent> {
    const edge = Math.max(this.options.height, this.options.width);
    for await (const { index, content } of this.dataset.read(this.indices, edge)) {
      this.asked.push(this.placeOf.get(index)!);
      yield content;
    }
  }

  /** The place of the image that the decoder gives next: it keeps the order in which it was asked. */
  nextPlace(): number {
    return this.asked[this.taken++];
  }

  accept(place: number): void {
    this.accepted.add(place);
    this.arrive(place);
  }

  refuse(place: number, error: Error): void {
    if (this.options.strict) throw error;
    this.broken.push({ path: this.dataset.items[this.indices[place]].name, reason: error.message });
    this.refuseTooMany();
    this.arrive(place);
  }

  /** The places of the images that can be used, ascending. Throws DataError for images that never came. */
  finish(): number[] {
    this.indices.forEach((index, place) => {
      if (this.arrived.has(place)) return;
      const { name } = this.dataset.items[index];
      this.refuse(
        place,
        new DataError(`${name}: expected it in ${this.dataset.name}, found none; download the archive again`),
      );
    });
    return [...this.accepted].sort((a, b) => a - b);
  }

  private arrive(place: number): void {
    this.arrived.add(place);
    this.options.onProgress?.(this.arrived.size, this.indices.length);
  }

  /** Stops as soon as the broken ones are too many, instead of after the last photograph. */
  private refuseTooMany(): void {
    if (this.broken.length > MAX_BROKEN * this.indices.length)
      throw tooManyBroken(this.dataset.name, this.broken, this.indices.length);
  }
}

/** What is said of a data set with more than 5 % of broken images. */
export function tooManyBroken(name: string, broken: readonly BrokenImage[], count: number): DataError {
  const shown = broken
    .slice(0, 5)
    .map((image) => image.path)
    .join(", ");
  const names = broken.length > 5 ? `${shown} and ${broken.length - 5} more` : shown;
  return new DataError(
    `${name}: at most ${MAX_BROKEN * 100} % of the ${count} photographs may be broken, but these are: ${names}; replace or remove them (first: ${broken[0].reason})`,
  );
}
