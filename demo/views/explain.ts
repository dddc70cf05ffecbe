/** One picture: its classes, and why, by any method, class, layer and baseline. */

import { toBytes } from "../../src/data/images.ts";
import { petalSpecies } from "../../src/data/petals.ts";
import type { ClassScore } from "../../src/embed/imageClassifier.ts";
import { decodeFile } from "../../src/interop/decode.ts";
import type { BaselineChoice } from "../../src/xai/baselines.ts";
import type { Explanation, Method, MethodOptions, Target } from "../../src/xai/explanation.ts";
import { methodNamed, methodNames } from "../../src/xai/methods.ts";
import { type RgbImage, renderAttribution, renderOverlay } from "../../src/xai/overlay.ts";
import { drawnFlower } from "../flowers.ts";
import type { Page, View } from "../main.ts";
import { fineLayer } from "../state.ts";
import { button, choice, element, facts, nextFrame, pictureInput } from "../ui/elements.ts";
import { drawPicture, pictureCanvas } from "../ui/pictures.ts";
import { type TextKey, text } from "../ui/strings.ts";

const baselines: readonly TextKey[] = ["black", "grey", "white", "blur", "noise"];

/** Layers of MobileNetV2 that are maps and differ in size; others are reached by the library. */
const layers = ["out_relu", "block_13_expand_relu", fineLayer, "block_3_expand_relu"];

/** The exact CAM exists at the last layer alone. */
const choosesLayer = ({ name, family }: Method): boolean => family === "cam" && name !== "exactcam";

/** Blur IG starts from the blurred picture, whatever else is chosen. */
const choosesBaseline = ({ name, family }: Method): boolean => family === "path" && name !== "blur-ig";

class ExplainView {
  readonly node = element("div", { class: "columns" });
  readonly #photograph = pictureCanvas(text("photograph"));
  readonly #overlay = pictureCanvas(text("explanation"));
  readonly #classes = element("ul", { class: "classes" });
  readonly #evidence = element("div", { attributes: { "aria-live": "polite", id: "evidence" } });
  readonly #bar = element("progress", { attributes: { max: "1", "aria-label": text("explanation") } });
  readonly #work = element(
    "div",
    { class: "row work", attributes: { hidden: "" } },
    this.#bar,
    button(text("stop"), () => this.#controller.abort()),
  );
  #controller = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #scores: ClassScore[] = [];
  #method = "layercam";
  #layer = fineLayer;
  #baseline = "black";
  #versus = -1;
  #target = -1;
  #turn = 0;

  constructor(private readonly page: Page) {
    this.node.append(this.#inputCard(), this.#resultCard(), this.#choiceCard());
    void page.attempt(() => this.#take(page.state.picture));
  }

  #inputCard(): HTMLElement {
    const open = pictureInput(text("open"), false, ([file]) => void this.page.attempt(() => this.#takeFile(file)));
    const samples = element("div", { class: "samples" });
    for (let index = 0; index < petalSpecies.length; index++) {
      const label = petalSpecies[index];
      const sample = button("", () => void this.page.attempt(async () => this.#take(await drawnFlower(index))));
      sample.setAttribute("aria-label", label);
      samples.append(sample);
      void this.page.attempt(async () => sample.append(pictureCanvas(label, await drawnFlower(index))));
    }
    const drop = element("div", { class: "drop" }, element("p", { text: text("drop") }), open);
    drop.append(element("p", { text: text("samples") }), samples);
    drop.addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      const file = event.dataTransfer?.files[0];
      if (file) void this.page.attempt(() => this.#takeFile(file));
    });
    const figure = element("figure", {}, this.#photograph, element("figcaption", { text: text("photograph") }));
    return element("section", { class: "card" }, figure, drop, element("p", { class: "soft", text: text("knows") }));
  }

  #resultCard(): HTMLElement {
    const figure = element("figure", {}, this.#overlay, element("figcaption", { text: text("explanation") }));
    return element(
      "section",
      { class: "card" },
      figure,
      this.#work,
      element("h2", { text: text("evidence") }),
      this.#evidence,
    );
  }

  #choiceCard(): HTMLElement {
    const again = (): void => void this.page.attempt(() => this.#explain());
    const names = methodNames.map((name) => [name, methodNamed(name).title] as const);
    const method = choice(text("method"), names, this.#method, (value) => {
      this.#method = value;
      enable();
      again();
    });
    /** What has no influence on the method cannot be chosen. */
    const enable = (): void => {
      const chosen = methodNamed(this.#method);
      layer.querySelector("select")!.disabled = !choosesLayer(chosen);
      baseline.querySelector("select")!.disabled = !choosesBaseline(chosen);
    };
    const classNames = this.page.state.network.classNames.map((name, index) => [String(index), name] as const);
    const versus = choice(text("versus"), [["-1", text("nothing")], ...classNames], "-1", (value) => {
      this.#versus = Number(value);
      again();
    });
    const known = layers.map((name) => [name, name] as const);
    const layer = choice(text("layer"), [["", text("layerDefault")], ...known], this.#layer, (value) => {
      this.#layer = value;
      again();
    });
    const baseline = choice(
      text("baseline"),
      baselines.map((name) => [name, text(name)] as const),
      this.#baseline,
      (value) => {
        this.#baseline = value;
        again();
      },
    );
    enable();
    return element(
      "section",
      { class: "card" },
      method,
      versus,
      layer,
      baseline,
      element("h2", { text: text("classes") }),
      this.#classes,
    );
  }

  async #takeFile(file: File): Promise<void> {
    await this.#take(await decodeFile(file));
  }

  async #take(picture: RgbImage): Promise<void> {
    const { state } = this.page;
    state.picture = picture;
    // Fitting the picture and compiling the network are two tasks: together they would hold a slow processor.
    await nextFrame();
    drawPicture(this.#photograph, this.#seen());
    await nextFrame();
    this.#scores = await state.network.classify(picture, { top: state.network.classNames.length });
    this.#target = this.#scores[0].index;
    this.#drawClasses();
    await this.#explain();
  }

  /** What the network sees of the picture. */
  #seen(): RgbImage {
    const [height, width] = this.page.state.network.classifier.inputSize;
    return { width, height, data: toBytes(this.page.state.fitted()) };
  }

  #drawClasses(): void {
    const items = this.#scores.slice(0, 10).map(({ index, name, probability }) => {
      const pressed = { type: "button", "aria-pressed": String(index === this.#target) };
      const share = `${(100 * probability).toFixed(1)} %`;
      const choose = (): void => {
        this.#target = index;
        this.#drawClasses();
        void this.page.attempt(() => this.#explain());
      };
      const bar = element("button", { attributes: pressed, on: { click: choose } });
      bar.append(element("span", { text: name }), element("span", { text: share }));
      bar.style.setProperty("--share", `${100 * probability}%`);
      return element("li", {}, bar);
    });
    this.#classes.replaceChildren(...items);
  }

  /** The newest choice stops the work on the one before and waits for its end: an explainer does one thing at a time. */
  async #explain(): Promise<void> {
    const turn = ++this.#turn;
    this.#controller.abort();
    this.#controller = new AbortController();
    const { signal } = this.#controller;
    this.page.say(text("computing"));
    this.#bar.removeAttribute("value");
    this.#work.hidden = false;
    const before = this.#running;
    const run = before.then(nextFrame).then(() => (turn === this.#turn ? this.#run(signal) : null));
    this.#running = run.catch(() => undefined);
    try {
      const found = await run;
      if (!found || turn !== this.#turn) return;
      this.#draw(found.explanation, found.milliseconds);
      this.page.say(text("ready"));
    } catch (error) {
      if (!signal.aborted) throw error;
      if (turn === this.#turn) this.page.say(text("stopped"));
    } finally {
      if (turn === this.#turn) this.#work.hidden = true;
    }
  }

  close(): void {
    this.#turn++;
    this.#controller.abort();
  }

  async #run(signal: AbortSignal): Promise<{ explanation: Explanation; milliseconds: number }> {
    const { state } = this.page;
    const method = methodNamed(this.#method);
    const options: MethodOptions = {
      ...(this.#layer && choosesLayer(method) ? { layers: [this.#layer] } : {}),
      ...(choosesBaseline(method) ? { baselines: [this.#baseline as BaselineChoice] } : {}),
      ...(method.family === "path" ? { steps: 32 } : {}),
      signed: this.#versus >= 0,
    };
    const key = JSON.stringify([this.#method, options]);
    let explainer = state.explainers.get(key);
    if (!explainer) {
      explainer = method.create(state.network.classifier.explainable, options);
      state.explainers.set(key, explainer);
      explainer.catch(() => state.explainers.delete(key));
    }
    const target: Target =
      this.#versus >= 0 && this.#versus !== this.#target ? { class: this.#target, versus: this.#versus } : this.#target;
    const compiled = await explainer;
    const started = performance.now();
    const onProgress = (done: number, total: number): void => {
      this.#bar.value = done / total;
    };
    const [explanation] = await compiled.explain(state.fitted(), [target], { signal, onProgress });
    return { explanation, milliseconds: performance.now() - started };
  }

  #draw({ heatmap, attribution, status, cost, details }: Explanation, milliseconds: number): void {
    const [height, width] = this.page.state.network.classifier.inputSize;
    const picture = attribution
      ? renderAttribution(attribution, height, width)
      : renderOverlay(this.#seen(), positiveShare(heatmap));
    drawPicture(this.#overlay, picture);
    const statusText = { ok: "statusOk", "no positive evidence": "statusNone", "not converged": "statusOpen" } as const;
    const costText = text("costText", { ...cost, milliseconds: milliseconds.toFixed(0) });
    const size = `${heatmap.height} × ${heatmap.width}`;
    const coarse = Math.min(heatmap.height, heatmap.width) < 4 ? `${size}, ${text("coarse")}` : size;
    const pairs: [string, string][] = [
      [text("status"), text(statusText[status])],
      [text("mapSize"), coarse],
      [text("cost"), costText],
    ];
    const { relativeGap, evaluations } = details as { relativeGap?: number; evaluations?: number };
    if (typeof relativeGap === "number") pairs.push([text("gap"), `${(100 * relativeGap).toFixed(2)} %`]);
    if (typeof evaluations === "number") pairs.push([text("evaluations"), String(evaluations)]);
    this.#evidence.replaceChildren(facts(pairs));
  }
}

/** The positive part of a map divided by its peak. */
function positiveShare({ values, height, width }: { values: Float32Array; height: number; width: number }) {
  const peak = values.reduce((most, value) => Math.max(most, value), 0);
  return { height, width, values: values.map((value) => (peak > 0 ? Math.max(0, value) / peak : 0)) };
}

export const explainView = (page: Page): View => new ExplainView(page);
