/** A head for classes of the visitor's own, on the frozen network, from a few pictures each. */
import { petalSpecies } from "../../src/data/petals.ts";
import { ImageClassifier } from "../../src/embed/imageClassifier.ts";
import { decodeFile } from "../../src/interop/decode.ts";
import { createClassifier } from "../../src/nn/classifier.ts";
import { computeFeatures, featureChannels } from "../../src/nn/features.ts";
import { serializeModel } from "../../src/nn/formats/model.ts";
import { trainHead } from "../../src/nn/headTraining.ts";
import { hostSource } from "../../src/nn/pixelSource.ts";
import type { RgbImage } from "../../src/xai/overlay.ts";
import { drawnFlower } from "../flowers.ts";
import type { Page, View } from "../main.ts";
import { openCamera } from "../ui/camera.ts";
import { button, download, element, pictureInput } from "../ui/elements.ts";
import { pictureCanvas } from "../ui/pictures.ts";
import { text } from "../ui/strings.ts";

interface Collection {
  name: string;
  readonly pictures: RgbImage[];
}

const SEED = 1;
const EPOCHS = 40;

class TrainView {
  readonly node = element("div", { class: "columns" });
  readonly #rows = element("div");
  readonly #result = element("section", { class: "card", attributes: { "aria-live": "polite", id: "trained" } });
  readonly #bar = element("progress", { attributes: { max: "1", value: "0", "aria-label": text("train") } });
  readonly #classes: Collection[] = [
    { name: "", pictures: [] },
    { name: "", pictures: [] },
  ];
  #trained: ImageClassifier | null = null;

  constructor(private readonly page: Page) {
    const add = button(text("addClass"), () => {
      this.#classes.push({ name: "", pictures: [] });
      this.#drawRows();
    });
    const fill = button(text("samplesForTraining"), () => void page.attempt(() => this.#fillWithFlowers()));
    const train = button(text("trainNow"), () => void page.attempt(() => this.#train()), "main");
    train.id = "train-now";
    const card = element("section", { class: "card" }, element("p", { text: text("trainHint") }), this.#rows);
    card.append(element("div", { class: "row" }, add, fill, train), this.#bar);
    this.#result.append(element("p", { class: "soft", text: text("notTrained") }));
    this.node.append(card, this.#result);
    this.#drawRows();
  }

  #drawRows(): void {
    this.#rows.replaceChildren(...this.#classes.map((collection) => this.#row(collection)));
  }

  #row(collection: Collection): HTMLElement {
    const name = element("input", {
      attributes: { type: "text", "aria-label": text("className"), placeholder: text("className") },
      on: {
        input: () => {
          collection.name = name.value.trim();
        },
      },
    });
    name.value = collection.name;
    const count = element("span", { text: text("pictures", { count: collection.pictures.length }) });
    const thumbnails = element("div", { class: "thumbnails" });
    const show = (pictures: readonly RgbImage[]): void => {
      count.textContent = text("pictures", { count: collection.pictures.length });
      thumbnails.append(...pictures.map((picture) => pictureCanvas(collection.name || text("photograph"), picture)));
    };
    const take = (pictures: RgbImage[]): void => {
      collection.pictures.push(...pictures);
      show(pictures);
    };
    show(collection.pictures);
    const add = pictureInput(
      text("addPictures"),
      true,
      (files) => void this.page.attempt(async () => take(await Promise.all(files.map((file) => decodeFile(file))))),
    );
    const shoot = button(text("takePicture"), () => void this.page.attempt(async () => take([await takePicture()])));
    return element(
      "div",
      { class: "collection" },
      name,
      element("div", { class: "row" }, add, shoot, count),
      thumbnails,
    );
  }

  /** Three pictures of two species each: something to try without a camera. */
  async #fillWithFlowers(): Promise<void> {
    this.#classes.length = 0;
    for (const species of [0, 3]) {
      const collection: Collection = { name: petalSpecies[species], pictures: [] };
      for (let copy = 1; copy <= 3; copy++) {
        collection.pictures.push(await drawnFlower(species + petalSpecies.length * copy, "train"));
      }
      this.#classes.push(collection);
    }
    this.#drawRows();
  }

  async #train(): Promise<void> {
    const names = this.#classes.map(({ name }) => name);
    const complete = this.#classes.every(({ name, pictures }) => name !== "" && pictures.length > 0);
    if (!complete || names.length < 2 || new Set(names).size < names.length) throw new Error(text("needPictures"));
    const started = performance.now();
    const { classifier } = this.page.state.network;
    const pictures = this.#classes.flatMap((collection) => collection.pictures);
    const labels = Int32Array.from(this.#classes.flatMap((collection, index) => collection.pictures.map(() => index)));
    const fitted = pictures.map((picture) => this.page.state.fitted(picture));
    const source = hostSource({
      count: pictures.length,
      batch: (indices) => joined(Array.from(indices, (index) => fitted[index])),
    });
    const features = await computeFeatures(classifier, source, { batch: 4 });
    const rows = { features, labels };
    const data = { channels: featureChannels(classifier), classes: names.length, train: rows, validation: rows };
    const head = await trainHead(classifier.device, data, {
      epochs: EPOCHS,
      batch: 8,
      learningRate: 5e-3,
      seed: SEED,
      onEpoch: ({ epoch, loss }) => {
        this.#bar.value = epoch / EPOCHS;
        this.page.say(text("training", { epoch, epochs: EPOCHS, loss: loss.toFixed(3) }));
      },
    });
    await this.#keep(names, head.tensors);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const accuracy = `${(100 * head.best.valAccuracy).toFixed(0)} %`;
    this.#showResult(text("trained", { seconds, accuracy }));
  }

  /** The frozen network with the new head, as a classifier of its own on the same device. */
  async #keep(classNames: readonly string[], head: Awaited<ReturnType<typeof trainHead>>["tensors"]): Promise<void> {
    const { classifier } = this.page.state.network;
    const frozen = [...(await classifier.tensors())].filter(([name]) => !name.startsWith("predictions/"));
    const { architecture, preprocessing, device } = classifier;
    const made = createClassifier(device, {
      architecture: { ...architecture, classes: classNames.length },
      preprocessing,
      classNames,
      tensors: new Map([...frozen, ...head]),
    });
    const old = this.#trained;
    this.#trained = ImageClassifier.from(made);
    if (old && old !== this.page.state.network) await old.dispose();
  }

  #showResult(sentence: string): void {
    const prediction = element("div", { attributes: { id: "prediction" } });
    const predict = pictureInput(
      text("predict"),
      false,
      ([file]) => void this.page.attempt(async () => this.#predict(await decodeFile(file), prediction)),
    );
    const save = button(text("save"), () => void this.page.attempt(() => this.#save()));
    save.id = "save-model";
    const use = button(
      text("useTrained"),
      () =>
        void this.page.attempt(async () => {
          await this.page.state.replace(this.#trained as ImageClassifier);
          this.page.say(text("ready"));
        }),
    );
    const row = element("div", { class: "row" }, predict, save, use);
    this.#result.replaceChildren(element("p", { text: sentence }), row, prediction);
    this.page.say(text("ready"));
  }

  async #predict(picture: RgbImage, where: HTMLElement): Promise<void> {
    const [best] = await (this.#trained as ImageClassifier).classify(picture, { top: 1 });
    const said = `${best.name}, ${(100 * best.probability).toFixed(0)} %`;
    where.replaceChildren(pictureCanvas(said, picture), element("p", { text: said }));
  }

  async #save(): Promise<void> {
    const { classifier } = this.#trained as ImageClassifier;
    const manifest = classifier.manifest({ seed: SEED });
    const { json, safetensors } = await serializeModel({ manifest, tensors: await classifier.tensors() });
    download("model.json", new Blob([json], { type: "application/json" }));
    download("model.safetensors", new Blob([new Uint8Array(safetensors)], { type: "application/octet-stream" }));
    this.page.say(text("saved"));
  }
}

function joined(images: readonly Float32Array[]): Float32Array {
  const pixels = new Float32Array(images.reduce((sum, { length }) => sum + length, 0));
  images.forEach((image, row) => {
    pixels.set(image, row * image.length);
  });
  return pixels;
}

/** One frame of the camera, as a picture. */
async function takePicture(): Promise<RgbImage> {
  const camera = await openCamera().catch((error: Error) => {
    throw new Error(text("noCamera", { reason: error.message }));
  });
  try {
    const canvas = new OffscreenCanvas(camera.video.videoWidth, camera.video.videoHeight);
    canvas.getContext("2d")?.drawImage(camera.video, 0, 0);
    return await decodeFile(await canvas.convertToBlob());
  } finally {
    camera.close();
  }
}

export const trainView = (page: Page): View => new TrainView(page);
