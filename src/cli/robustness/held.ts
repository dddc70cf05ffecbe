import type { LabelledImages } from "../../data/datasets.ts";
import { toBytes } from "../../data/images.ts";
import type { Photographs } from "../storedSource.ts";

/** Images in memory as bytes at the network's size, as files would hold them: each is corrupted many times. */
export async function heldImages(
  images: Photographs,
  classNames: readonly string[],
  indices: readonly number[] = [...images.labels.keys()],
): Promise<LabelledImages> {
  const { height, width } = images;
  const perImage = height * width * 3;
  const pixels = new Uint8Array(indices.length * perImage);
  for (const [place, index] of indices.entries()) pixels.set(toBytes(await images.pixels(index)), place * perImage);
  return {
    classNames: [...classNames],
    names: indices.map((index) => images.names[index]),
    labels: Int32Array.from(indices, (index) => images.labels[index]),
    ids: indices.map((index) => images.ids[index]),
    height,
    width,
    pixels,
  };
}
