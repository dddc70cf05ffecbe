/** An augmentation by hand, with the explanation following and brought back. */

import { Augmentation } from "../../src/data/augment/augmentation.ts";
import { Augmenter } from "../../src/data/augment/augmenter.ts";
import { invertHeatmap } from "../../src/data/augment/heatmap.ts";
import type { Drawn } from "../../src/data/augment/parameters.ts";
import { PolicyBuilder } from "../../src/data/augment/policy.ts";
import { toBytes } from "../../src/data/images.ts";
import type { Explainer } from "../../src/xai/explanation.ts";
import { methodNamed } from "../../src/xai/methods.ts";
import { renderOverlay } from "../../src/xai/overlay.ts";
import type { Page, View } from "../main.ts";
import { fineLayer } from "../state.ts";
import { button, element, slider } from "../ui/elements.ts";
import { drawPicture, pictureCanvas } from "../ui/pictures.ts";
import { type TextKey, text } from "../ui/strings.ts";

/** Every layer that a slider moves; what they draw is replaced by the sliders' values. */
const policy = new PolicyBuilder("playground")
  .add("rotation")
  .add("zoom")
  .add("translation")
  .add("brightness")
  .add("contrast")
  .add("saturation")
  .add("blur")
  .add("noise")
  .build();

const sliders = [
  ["rotation", { min: -180, max: 180, step: 1, value: 0 }],
  ["zoom", { min: 0.5, max: 2, step: 0.05, value: 1 }],
  ["right", { min: -0.4, max: 0.4, step: 0.02, value: 0 }],
  ["down", { min: -0.4, max: 0.4, step: 0.02, value: 0 }],
  ["brightness", { min: -0.6, max: 0.6, step: 0.02, value: 0 }],
  ["contrast", { min: 0, max: 2, step: 0.05, value: 1 }],
  ["saturation", { min: 0, max: 2, step: 0.05, value: 1 }],
  ["blurring", { min: 0, max: 3, step: 0.1, value: 0 }],
  ["noisiness", { min: 0, max: 60, step: 1, value: 0 }],
] as const satisfies readonly (readonly [TextKey, object])[];

type Name = (typeof sliders)[number][0];

const neutral = (): Record<Name, number> =>
  Object.fromEntries(sliders.map(([name, { value }]) => [name, value])) as Record<Name, number>;

/** The sliders' values as what the layers would have drawn. */
function drawnOf(values: Record<Name, number>): Drawn {
  const seen = 1 / values.zoom;
  return [
    { angle: (values.rotation * Math.PI) / 180 },
    { height: seen, width: seen },
    { down: values.down, right: values.right },
    { delta: 255 * values.brightness },
    { factor: values.contrast },
    { factor: values.saturation },
    { sigma: values.blurring },
    { sigma: values.noisiness },
  ];
}

/** A policy whose geometry is the sliders': `invertHeatmap` asks it for the matrix of an address. */
class HandAugmentation extends Augmentation {
  values = neutral();
  override draw(): Drawn {
    return drawnOf(this.values);
  }
}

const address = { seed: 0, epoch: 0, id: 0 };

class AugmentView {
  readonly node = element("div", { class: "columns" });
  readonly #augmented = pictureCanvas(text("augmented"));
  readonly #original = pictureCanvas(text("broughtBack"));
  readonly #label = element("p", { class: "verdict", attributes: { "aria-live": "polite", id: "augment-class" } });
  readonly #sliders = element("section", { class: "card" });
  readonly #augmentation: HandAugmentation;
  #compiled: Promise<{ augmenter: Augmenter; explainer: Explainer }> | null = null;
  #busy = false;
  #again = false;
  #closed = false;

  constructor(private readonly page: Page) {
    const [height, width] = page.state.network.classifier.inputSize;
    this.#augmentation = new HandAugmentation(policy, { height, width });
    const captions = (canvas: HTMLCanvasElement, key: TextKey): HTMLElement =>
      element("figure", {}, canvas, element("figcaption", { text: text(key) }));
    const pictures = element("section", { class: "card" });
    pictures.append(
      this.#label,
      element(
        "div",
        { class: "pair" },
        captions(this.#augmented, "augmented"),
        captions(this.#original, "broughtBack"),
      ),
    );
    this.node.append(pictures, this.#sliders);
    this.#drawSliders();
    this.#update();
  }

  #drawSliders(): void {
    this.#augmentation.values = neutral();
    const fields = sliders.map(([name, range]) =>
      slider(text(name), range, (value) => {
        this.#augmentation.values[name] = value;
        this.#update();
      }),
    );
    const reset = button(text("reset"), () => {
      this.#drawSliders();
      this.#update();
    });
    this.#sliders.replaceChildren(element("p", { text: text("augmentHint") }), ...fields, reset);
  }

  /** Draws the newest values; what came while the last drawing ran is drawn once after it. */
  #update(): void {
    this.#again = true;
    if (this.#busy) return;
    this.#busy = true;
    void this.page
      .attempt(async () => {
        while (this.#again && !this.#closed) {
          this.#again = false;
          await this.#draw();
        }
      })
      .finally(() => {
        this.#busy = false;
      });
  }

  #compile(): Promise<{ augmenter: Augmenter; explainer: Explainer }> {
    const { classifier } = this.page.state.network;
    this.#compiled ??= (async () => ({
      augmenter: await Augmenter.create(classifier.device, this.#augmentation, { maxBatch: 1 }),
      explainer: await methodNamed("layercam").create(classifier.explainable, { layers: [fineLayer] }),
    }))();
    return this.#compiled;
  }

  async #draw(): Promise<void> {
    const { state } = this.page;
    const [height, width] = state.network.classifier.inputSize;
    const { augmenter, explainer } = await this.#compile();
    const pixels = state.fitted();
    const drawn = this.#augmentation.draw();
    const { images } = await augmenter.run(pixels, [{ ...address, drawn }]);
    const { probabilities } = await state.network.classifier.predict(images);
    const best = probabilities.indexOf(Math.max(...probabilities));
    const [{ heatmap }] = await explainer.explain(images, [best]);
    const peak = Math.max(...heatmap.values, Number.MIN_VALUE);
    const shares = { ...heatmap, values: heatmap.values.map((value) => value / peak) };
    const back = { values: invertHeatmap(shares, this.#augmentation, address), height, width };
    drawPicture(this.#augmented, renderOverlay({ height, width, data: toBytes(images) }, shares));
    drawPicture(this.#original, renderOverlay({ height, width, data: toBytes(pixels) }, back));
    this.#label.textContent = `${state.network.classNames[best]}, ${(100 * probabilities[best]).toFixed(0)} %`;
  }

  close(): void {
    this.#closed = true;
    void this.#compiled?.then(({ augmenter, explainer }) => {
      augmenter.dispose();
      explainer.dispose();
    });
  }
}

export const augmentView = (page: Page): View => new AugmentView(page);
