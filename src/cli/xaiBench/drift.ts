import { identity } from "../../data/augment/affine.ts";
import { Augmentation } from "../../data/augment/augmentation.ts";
import { Augmenter } from "../../data/augment/augmenter.ts";
import { invertHeatmap } from "../../data/augment/heatmap.ts";
import type { SampleAddress } from "../../data/augment/parameters.ts";
import { PolicyBuilder } from "../../data/augment/policy.ts";
import { Corrupter } from "../../data/corruptions/corrupter.ts";
import { Corruption, corruptionNames } from "../../data/corruptions/corruption.ts";
import { jpegRoundTrip } from "../../data/corruptions/jpeg.node.ts";
import { severities } from "../../data/corruptions/severities.ts";
import type { Classifier } from "../../nn/classifier.ts";
import { type DriftRow, driftRow, type MapDrift, mapDrift } from "../../xai/evidence/drift.ts";
import type { Explainer, RawHeatmap } from "../../xai/explanation.ts";
import { type Heatmap, upsampleHeatmap } from "../../xai/overlay.ts";
import type { Terminal } from "../terminal.ts";
import { type BenchImage, predictedClasses } from "./material.ts";

/** The augmentations under which maps are followed, each alone. */
const augmentations: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  flip: { vertical: false },
  rotation: { factor: 0.08 },
  zoom: { height: 0.2 },
  translation: { height: 0.1, width: 0.1 },
  brightness: { factor: 0.2 },
  contrast: { factor: 0.3 },
};

/** Every second draw of a flip leaves the picture as it is: the first of some epochs whose draw moves it. */
function movingAddress(augmentation: Augmentation, address: SampleAddress): SampleAddress {
  const moves = (other: SampleAddress): boolean =>
    augmentation.matrix(other).some((value, place) => value !== identity[place]);
  for (let epoch = 0; epoch < 32; epoch++) if (moves({ ...address, epoch })) return { ...address, epoch };
  return address;
}

/** An image changed, and how its map comes back to the original's places. */
interface Changed {
  readonly pixels: Float32Array;
  readonly back: (map: Heatmap) => { readonly map: Heatmap; readonly visible?: ArrayLike<number> };
}

/** How one method's maps move under augmentations, warped back, and under corruptions, beside the drop in accuracy. */
export class DriftStudy {
  private constructor(
    private readonly classifier: Classifier,
    private readonly explainer: Explainer,
    private readonly images: readonly BenchImage[],
    private readonly originals: readonly Heatmap[],
    private readonly seed: number,
  ) {}

  static async create(
    classifier: Classifier,
    explainer: Explainer,
    images: readonly BenchImage[],
    seed: number,
  ): Promise<DriftStudy> {
    const originals: Heatmap[] = [];
    for (const { pixels, predicted } of images)
      originals.push(atPixels((await explainer.explain(pixels, [predicted]))[0].heatmap, classifier.inputSize));
    return new DriftStudy(classifier, explainer, images, originals, seed);
  }

  /** One row for each augmentation, and for each corruption and severity. */
  async run(terminal: Terminal, chosenSeverities: readonly number[] = severities): Promise<DriftRow[]> {
    const rows: DriftRow[] = [];
    const total = Object.keys(augmentations).length + corruptionNames.length * chosenSeverities.length;
    const progress = terminal.progress("following maps through changes", total);
    for (const name of Object.keys(augmentations)) {
      rows.push(await this.#row({ name }, await this.#augmented(name)));
      progress.update(rows.length);
    }
    for (const name of corruptionNames)
      for (const severity of chosenSeverities) {
        rows.push(await this.#row({ name, severity }, await this.#corrupted(name, severity)));
        progress.update(rows.length);
      }
    progress.finish();
    return rows;
  }

  async #row(which: { name: string; severity?: number }, changed: readonly Changed[]): Promise<DriftRow> {
    const drifts: MapDrift[] = [];
    for (const [index, { pixels, back }] of changed.entries()) {
      const [{ heatmap }] = await this.explainer.explain(pixels, [this.images[index].predicted]);
      const { map, visible } = back(heatmap);
      drifts.push(mapDrift(this.originals[index], map, visible));
    }
    const after = await predictedClasses(
      this.classifier,
      changed.map(({ pixels }) => pixels),
    );
    return driftRow(which, drifts, {
      before: this.images.map(({ predicted, label }) => predicted === label),
      after: this.images.map(({ label }, index) => after[index] === label),
    });
  }

  async #augmented(name: string): Promise<Changed[]> {
    const [height, width] = this.classifier.inputSize;
    const policy = new PolicyBuilder(name).add(name, augmentations[name]).build();
    const augmentation = new Augmentation(policy, { height, width });
    using augmenter = await Augmenter.create(this.classifier.device, augmentation);
    const changed: Changed[] = [];
    for (const [id, { pixels }] of this.images.entries()) {
      const address = movingAddress(augmentation, { seed: this.seed, epoch: 0, id });
      const result = await augmenter.run(pixels, [address]);
      const everywhere = { values: new Float32Array(height * width).fill(1), height, width };
      changed.push({
        pixels: result.images,
        back: (map) => ({
          map: { values: invertHeatmap(map, augmentation, address), height, width },
          visible: invertHeatmap(everywhere, augmentation, address),
        }),
      });
    }
    return changed;
  }

  async #corrupted(name: string, severity: number): Promise<Changed[]> {
    const [height, width] = this.classifier.inputSize;
    const corruption = new Corruption({ name, severity, height, width });
    using corrupter = await Corrupter.create(this.classifier.device, corruption, { jpeg: jpegRoundTrip });
    const changed: Changed[] = [];
    for (const [id, { pixels }] of this.images.entries()) {
      const result = await corrupter.run(pixels, [{ seed: this.seed, id }]);
      changed.push({ pixels: Float32Array.from(result), back: (map) => ({ map }) });
    }
    return changed;
  }
}

const atPixels = (map: RawHeatmap, [height, width]: readonly [number, number]): Heatmap => ({
  values: upsampleHeatmap(map, height, width),
  height,
  width,
});
