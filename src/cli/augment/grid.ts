import type { Augmentation } from "../../data/augment/augmentation.ts";
import { Augmenter } from "../../data/augment/augmenter.ts";
import { type Drawn, formatAddress, type SampleAddress } from "../../data/augment/parameters.ts";
import type { BatchSample } from "../../data/augment/stages.ts";
import { type Image, toImage } from "../../data/images.ts";
import type { Device } from "../../engine/device.ts";
import type { Cell, SheetRow } from "../drawing/sheet.ts";

export interface AugmentedImage {
  readonly address: SampleAddress;
  readonly parameters: Drawn;
  readonly image: Image;
}

/** Ids of partners stand apart from those of the images that they are mixed into. */
const partnerId = (id: number): number => (id + 2 ** 31) % 2 ** 32;

/** One image at several addresses; where the policy mixes samples, `other` is the partner of each. */
export async function augmentAt(
  device: Device,
  augmentation: Augmentation,
  { image, other }: { readonly image: Image; readonly other?: Image },
  addresses: readonly SampleAddress[],
): Promise<AugmentedImage[]> {
  const { outputSize } = augmentation;
  const step = other ? 2 : 1;
  using augmenter = await Augmenter.create(device, augmentation, { maxBatch: step });
  const perImage = outputSize.height * outputSize.width * 3;
  const results: AugmentedImage[] = [];
  for (const address of addresses) {
    const pixels = new Float32Array(step * image.data.length);
    pixels.set(image.data);
    if (other) pixels.set(other.data, image.data.length);
    const samples: BatchSample[] = other
      ? [
          { ...address, partner: 1 },
          { ...address, id: partnerId(address.id), partner: 0 },
        ]
      : [address];
    const { images } = await augmenter.run(pixels, samples);
    const made = toImage(images.subarray(0, perImage), outputSize);
    results.push({ address, parameters: augmentation.draw(address), image: made });
  }
  return results;
}

/** How much of an image is its own where samples are mixed. */
function mixLabel(augmentation: Augmentation, { address }: AugmentedImage): string {
  const share = Math.round(100 * augmentation.ownShare(address));
  return `${share}% + ${100 - share}%`;
}

/** The originals, then the augmented images, in rows of `columns`; each with the address that makes it again. */
export function gridRows(
  augmentation: Augmentation,
  originals: readonly Cell[],
  made: readonly AugmentedImage[],
  columns: number,
): SheetRow[] {
  const cells: Cell[] = [
    ...originals,
    ...made.map((each) => ({
      image: each.image,
      label: augmentation.mixes ? mixLabel(augmentation, each) : formatAddress(each.address),
    })),
  ];
  return Array.from({ length: Math.ceil(cells.length / columns) }, (_, row) => ({
    cells: cells.slice(row * columns, (row + 1) * columns),
  }));
}
