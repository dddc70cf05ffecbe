import { compile } from "../../engine/compile.ts";
import type { Device } from "../../engine/device.ts";
import { DataError, ShapeError } from "../../engine/errors.ts";
import { input } from "../../engine/ops/sources.ts";
import type { Plan } from "../../engine/plan/plan.ts";
import { BATCH } from "../../engine/types.ts";
import { type Image, toBytes } from "../images.ts";
import type { Corruption } from "./corruption.ts";
import type { CorruptionAddress } from "./family.ts";

/** Encodes and decodes an image as JPEG of a quality from 1 to 100. */
export type JpegRoundTrip = (image: Image, quality: number) => Promise<Image>;

export interface CorrupterOptions {
  /** Samples per submission; default 16. */
  readonly maxBatch?: number;
  /** What `jpeg` needs; `jpeg.node.ts` has one for Node. */
  readonly jpeg?: JpegRoundTrip;
}

/** Corrupts images that are wanted on the host as bytes, as a file would hold them. */
export class Corrupter {
  private constructor(
    readonly corruption: Corruption,
    readonly plan: Plan | null,
    readonly jpeg: JpegRoundTrip | null,
  ) {}

  /** @throws DataError when a codec is needed and none is given; what the GPU reports. */
  static async create(
    device: Device,
    corruption: Corruption,
    { maxBatch = 16, jpeg }: CorrupterOptions = {},
  ): Promise<Corrupter> {
    if (corruption.family.kind === "codec") {
      if (!jpeg) throw new DataError(`${corruption.name} needs a codec, found none; give the option jpeg`);
      return new Corrupter(corruption, null, jpeg);
    }
    const { height, width } = corruption.size;
    const images = corruption.build(input("images", [BATCH, height, width, 3]));
    return new Corrupter(corruption, await compile(device, { outputs: { images } }, { maxBatch }), null);
  }

  /**
   * @param images [N, H, W, 3] of 0 to 255
   * @param samples the address of each
   * @returns the corrupted images, rounded to bytes
   * @throws ShapeError when lengths do not agree
   */
  async run(images: Uint8Array | Float32Array, samples: readonly CorruptionAddress[]): Promise<Uint8Array> {
    const { height, width } = this.corruption.size;
    if (images.length !== samples.length * height * width * 3)
      throw new ShapeError(
        `expected ${samples.length} images of ${height}×${width}×3, found ${images.length} values; give an address for each image`,
      );
    if (!this.plan) return this.#encode(images);
    const inputs = { images: Float32Array.from(images), ...this.corruption.feeds(samples) };
    const { images: corrupted } = await this.plan.run(inputs);
    return toBytes(corrupted as Float32Array);
  }

  async #encode(images: Uint8Array | Float32Array): Promise<Uint8Array> {
    const { size, settings } = this.corruption;
    const result = images instanceof Uint8Array ? images.slice() : toBytes(images);
    const perImage = size.height * size.width * 3;
    for (let start = 0; start < result.length; start += perImage) {
      const image: Image = { ...size, data: result.slice(start, start + perImage) };
      const { data } = await (this.jpeg as JpegRoundTrip)(image, Math.round(settings.quality));
      result.set(data, start);
    }
    return result;
  }

  dispose(): void {
    this.plan?.dispose();
    this.plan?.parameters.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
