/** What every data set is, wherever its images lie: names, classes, official parts, and a way to read images in turn. */
import type { Image, ImageSize } from "./images.ts";

export type PartName = "train" | "validation" | "test";

export const PART_NAMES: readonly PartName[] = ["train", "validation", "test"];

/** An image before it is brought to a size: the path of a file, the bytes of one, or pixels. `name` is shown in errors. */
export type ImageContent =
  | string
  | { readonly name: string; readonly bytes: Uint8Array }
  | { readonly name: string; readonly image: Image };

/** What errors and reports call an image. */
export const contentName = (content: ImageContent): string => (typeof content === "string" ? content : content.name);

export interface DatasetItem {
  /** Relative to the data set, with `/`, e.g. `daisy/100080576.jpg`. */
  readonly name: string;
  /** Index into `classNames`. */
  readonly label: number;
}

export interface ImageDataset {
  /** `flowers102`, or the folder or file that it was opened from. */
  readonly name: string;
  readonly classNames: readonly string[];
  readonly items: readonly DatasetItem[];
  /** The publisher's parts as indices of `items`, ascending and disjoint; absent where there are none. */
  readonly parts?: Partial<Readonly<Record<PartName, readonly number[]>>>;
  /** The size of every image, where it is one and known. */
  readonly imageSize?: ImageSize;
  /**
   * The images of these indices, each once, in the order that is cheapest to read. One that the data set promises but lacks
   * is left out. `edge` is what they will be resized to: images that are drawn are drawn at it rather than enlarged.
   */
  read(
    indices: readonly number[],
    edge?: number,
  ): AsyncIterable<{ readonly index: number; readonly content: ImageContent }>;
}
