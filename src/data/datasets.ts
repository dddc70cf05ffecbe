/** Labelled pictures of one size in memory: what training reads, whatever they came from. */
export interface LabelledImages {
  classNames: string[];
  /** One name an image, e.g. `daisy/100080576.jpg`. */
  names: string[];
  /** Index into `classNames` of each image. */
  labels: Int32Array;
  height: number;
  width: number;
  /** The number of each image in its data set: part of the address of what augmentation draws for it. */
  ids: readonly number[];
  /** [N, height, width, 3], values 0 to 255. */
  pixels: Uint8Array | Float32Array;
}

/** The images of the given indices, in that order, copied. */
export function selectImages(images: LabelledImages, indices: ArrayLike<number>): LabelledImages {
  const order = Array.from(indices);
  return {
    ...images,
    names: order.map((index) => images.names[index]),
    labels: Int32Array.from(order, (index) => images.labels[index]),
    ids: order.map((index) => images.ids[index]),
    pixels: gatherPixels(images, order),
  };
}

/** A batch [indices.length, height, width, 3] of 0 to 255 as the images are stored: bytes stay bytes. */
export function gatherPixels(images: LabelledImages, indices: ArrayLike<number>): Uint8Array | Float32Array {
  const size = images.height * images.width * 3;
  const length = indices.length * size;
  const pixels = images.pixels instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length);
  for (let place = 0; place < indices.length; place++) {
    const start = indices[place] * size;
    pixels.set(images.pixels.subarray(start, start + size), place * size);
  }
  return pixels;
}

/** A batch as float32 [indices.length, height, width, 3], values 0 to 255; written into `target` when one is given. */
export function batchPixels(images: LabelledImages, indices: ArrayLike<number>, target?: Float32Array): Float32Array {
  const size = images.height * images.width * 3;
  const batch = target ?? new Float32Array(indices.length * size);
  for (let place = 0; place < indices.length; place++) {
    const start = indices[place] * size;
    batch.set(images.pixels.subarray(start, start + size), place * size);
  }
  return batch;
}

/** How many images each class has. */
export function countByClass(labels: ArrayLike<number>, classCount: number): number[] {
  const counts = new Array<number>(classCount).fill(0);
  for (let i = 0; i < labels.length; i++) counts[labels[i]]++;
  return counts;
}
