/** The page: loads the network, shows a view at a time, and says in plain words what does not work. */
import { ImageClassifier } from "../src/embed/imageClassifier.ts";
import { DeviceError } from "../src/engine/errors.ts";
import { drawnFlower, firstFlower } from "./flowers.ts";
import { State } from "./state.ts";
import { button, element, nextFrame } from "./ui/elements.ts";
import { followLanguage, type TextKey, text } from "./ui/strings.ts";
import { augmentView } from "./views/augment.ts";
import { explainView } from "./views/explain.ts";
import { liveView } from "./views/live.ts";
import { profileView } from "./views/profile.ts";
import { trainView } from "./views/train.ts";

export interface View {
  readonly node: Node;
  /** Stops what the view began: cameras, timers, plans. */
  close?(): void;
}

export interface Page {
  readonly state: State;
  /** Says something in the line that screen readers follow. */
  say(message: string): void;
  /** Runs work and shows its error, if any, instead of losing it. */
  attempt(work: () => Promise<void>): Promise<void>;
}

const views: readonly (readonly [TextKey, (page: Page) => View])[] = [
  ["explain", explainView],
  ["live", liveView],
  ["augment", augmentView],
  ["train", trainView],
  ["profile", profileView],
];

const find = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;

const say = (message: string): void => {
  find("status").textContent = message;
};

const complain = (error: unknown): void => say(text("failed") + (error as Error).message);

async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    complain(error);
  }
}

/** The tabs, by the pattern of the ARIA Authoring Practices: arrows move, Tab leaves. */
class Tabs {
  #open: View | null = null;
  #chosen = 0;

  constructor(private readonly page: Page) {}

  draw(): void {
    const tabs = views.map(([key], index) =>
      element("button", {
        text: text(key),
        attributes: {
          type: "button",
          role: "tab",
          id: `tab-${key}`,
          "aria-controls": "panel",
          "aria-selected": String(index === this.#chosen),
          tabindex: index === this.#chosen ? "0" : "-1",
        },
        on: {
          click: () => this.choose(index),
          keydown: (event) => this.#move((event as KeyboardEvent).key),
        },
      }),
    );
    find("tabs").replaceChildren(...tabs);
    this.#show();
  }

  choose(index: number): void {
    this.#chosen = index;
    this.draw();
    find(`tab-${views[index][0]}`).focus();
  }

  #move(key: string): void {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (step) this.choose((this.#chosen + step + views.length) % views.length);
  }

  #show(): void {
    this.#open?.close?.();
    const [key, create] = views[this.#chosen];
    this.#open = create(this.page);
    const panel = find("panel");
    panel.setAttribute("aria-labelledby", `tab-${key}`);
    panel.replaceChildren(this.#open.node);
  }
}

function showMissingGpu(error: DeviceError): void {
  const again = button(text("reload"), () => location.reload());
  const card = element("section", { class: "card error", attributes: { id: "no-webgpu" } });
  card.append(
    element("h2", { text: text("noGpuTitle") }),
    element("p", { text: text("noGpu") }),
    element("p", { text: error.message }),
    again,
  );
  find("panel").replaceChildren(card);
}

async function start(): Promise<void> {
  let tabs: Tabs | null = null;
  let missing: DeviceError | null = null;
  followLanguage(find<HTMLSelectElement>("language"), () => {
    tabs?.draw();
    if (missing) showMissingGpu(missing);
  });
  say(text("loading"));
  try {
    const [network, picture] = await Promise.all([ImageClassifier.load("./model/"), drawnFlower(firstFlower)]);
    const state = new State(network, picture);
    // For the console of whoever is curious, and for the page's tests.
    Object.defineProperty(globalThis, "network", { get: () => state.network });
    network.device.lost.then(() => say(text("deviceLost")));
    tabs = new Tabs({ state, say, attempt });
    // What loaded the network and what draws the page are two tasks: together they would hold a slow processor.
    await nextFrame();
    tabs.draw();
    say(text("ready"));
    document.body.dataset.ready = "true";
    performance.mark("ready");
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    missing = error;
    say("");
    showMissingGpu(error);
  }
}

start().catch(complain);
if ("serviceWorker" in navigator) navigator.serviceWorker.register("./serviceWorker.js").catch(() => undefined);
