import { compile } from "../../engine/compile.ts";
import type { Device } from "../../engine/device.ts";
import { ShapeError } from "../../engine/errors.ts";
import { input } from "../../engine/ops/sources.ts";
import type { Plan } from "../../engine/plan/plan.ts";
import { BATCH } from "../../engine/types.ts";
import type { Augmentation } from "./augmentation.ts";
import type { BatchSample } from "./stages.ts";

/** Augments images that are wanted back on the host: for pictures and tests. Training builds the policy into its own graph. */
export class Augmenter {
  private constructor(
    readonly augmentation: Augmentation,
    readonly plan: Plan,
    readonly masks: boolean,
  ) {}

  /** `maxBatch`: samples per submission; mixing policies need whole batches within it. Default 16. */
  static async create(
    device: Device,
    augmentation: Augmentation,
    { maxBatch = 16, masks = false }: { readonly maxBatch?: number; readonly masks?: boolean } = {},
  ): Promise<Augmenter> {
    const { height, width } = augmentation.inputSize;
    const images = input("images", [BATCH, height, width, 3]);
    const built = augmentation.build({ images, masks: masks ? input("masks", [BATCH, height, width, 1]) : undefined });
    const outputs = { images: built.images, ...(built.masks ? { masks: built.masks } : {}) };
    const plan = await compile(device, { outputs }, { maxBatch });
    return new Augmenter(augmentation, plan, masks);
  }

  /**
   * @param images [N, H, W, 3] of 0 to 255
   * @param samples the address of each, and its partner where samples are mixed
   * @param masks [N, H, W, 1], when the augmenter was created for them
   * @throws ShapeError when lengths do not agree
   */
  async run(
    images: Float32Array,
    samples: readonly BatchSample[],
    masks?: Float32Array,
  ): Promise<{ images: Float32Array; masks?: Float32Array }> {
    const { height, width } = this.augmentation.inputSize;
    if (images.length !== samples.length * height * width * 3 || this.masks !== (masks !== undefined))
      throw new ShapeError(
        `expected ${samples.length} images of ${height}×${width}×3${this.masks ? " and their masks" : " without masks"}, found ${images.length} values`,
      );
    const result = await this.plan.run({ images, ...(masks ? { masks } : {}), ...this.augmentation.feeds(samples) });
    return { images: result.images as Float32Array, masks: result.masks as Float32Array | undefined };
  }

  dispose(): void {
    this.plan.dispose();
    this.plan.parameters.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
