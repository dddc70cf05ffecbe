/** The benchmark's page: chosen workloads, their times as they come, and the report as a file. */
import type { BenchReport } from "../bench/print.ts";
import { type Kind, type Workload, workloads } from "../bench/workloads.ts";
import type { BenchMessage, BenchRequest } from "./benchWorker.ts";
import { button, download, element } from "./ui/elements.ts";
import { followLanguage, type TextKey, text } from "./ui/strings.ts";

const ROUNDS = 15;

const titles: Record<Kind, TextKey> = {
  forward: "forward",
  inputGradient: "inputGradient",
  integratedGradients: "integratedGradients",
  gradCam: "gradCam",
  headStep: "headStep",
  fineTuneStep: "fineTuneStep",
  augment: "augmentBatch",
};

interface Row {
  readonly chosen: HTMLInputElement;
  readonly title: HTMLElement;
  readonly median: HTMLElement;
  readonly p95: HTMLElement;
}

const find = (id: string): HTMLElement => document.getElementById(id) as HTMLElement;

const say = (message: string): void => {
  find("status").textContent = message;
};

class BenchPage {
  readonly #rows = new Map<string, Row>();
  readonly #bar = element("progress", { attributes: { max: "1", value: "0" } });
  readonly #adapter = element("p", { attributes: { id: "adapter" } });
  #worker: Worker | null = null;
  #report: BenchReport | null = null;

  constructor() {
    for (const { name } of workloads) {
      const chosen = element("input", { attributes: { type: "checkbox", checked: "", id: `run-${name}` } });
      const [title, median, p95] = [element("span"), element("td"), element("td")];
      this.#rows.set(name, { chosen, title, median, p95 });
    }
  }

  draw(): void {
    for (const workload of workloads) this.#row(workload).title.textContent = titleOf(workload);
    this.#bar.setAttribute("aria-label", text("measure"));
    const start = button(text("benchStart"), () => this.#start(), "main");
    const stop = button(text("stop"), () => this.#stop());
    const save = button(text("benchSave"), () => this.#save());
    start.id = "bench-start";
    save.id = "bench-save";
    start.disabled = this.#worker !== null;
    stop.disabled = this.#worker === null;
    save.disabled = this.#report === null;
    const head = element("tr");
    for (const key of ["workload", "median", "p95"] as const)
      head.append(element("th", { text: text(key), attributes: { scope: "col" } }));
    const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...this.#lines()));
    const card = element("section", { class: "card" }, element("p", { text: text("benchHint", { rounds: ROUNDS }) }));
    card.append(this.#adapter, element("div", { class: "row" }, start, stop, save), this.#bar, table);
    find("panel").replaceChildren(card);
  }

  #row({ name }: Pick<Workload, "name">): Row {
    return this.#rows.get(name) as Row;
  }

  #lines(): HTMLElement[] {
    return workloads.map((workload) => {
      const { chosen, title, median, p95 } = this.#row(workload);
      const label = element("label", { class: "workload", attributes: { for: chosen.id } });
      label.append(chosen, element("span", {}, element("code", { text: workload.name }), title));
      return element("tr", {}, element("td", {}, label), median, p95);
    });
  }

  #start(): void {
    const names = workloads.map(({ name }) => name).filter((name) => this.#row({ name }).chosen.checked);
    if (names.length === 0) {
      say(text("benchNone"));
      return;
    }
    for (const name of names) this.#row({ name }).median.textContent = this.#row({ name }).p95.textContent = "";
    this.#report = null;
    this.#bar.value = 0;
    const worker = new Worker("./benchWorker.js", { type: "module" });
    this.#worker = worker;
    worker.addEventListener("message", ({ data }: MessageEvent<BenchMessage>) => this.#take(data, names));
    worker.addEventListener("error", ({ message }) => this.#take({ kind: "error", message }, names));
    worker.postMessage({ names, rounds: ROUNDS } satisfies BenchRequest);
    say(text("computing"));
    this.draw();
  }

  #take(message: BenchMessage, names: readonly string[]): void {
    switch (message.kind) {
      case "adapter": {
        const said = text("benchAdapter", { adapter: message.adapter });
        this.#adapter.textContent = message.software ? `${said}. ${text("benchSoftware")}` : said;
        return;
      }
      case "round": {
        const { name, round } = message;
        this.#bar.value = (names.indexOf(name) + round / (ROUNDS + 1)) / names.length;
        say(text(round === 0 ? "benchPreparing" : "benchRound", { name, round, rounds: ROUNDS }));
        return;
      }
      case "result": {
        const { name, tepal } = message.result;
        this.#bar.value = (names.indexOf(name) + 1) / names.length;
        this.#row({ name }).median.textContent = tepal.median.toFixed(2);
        this.#row({ name }).p95.textContent = tepal.p95.toFixed(2);
        return;
      }
      case "done":
        this.#report = message.report;
        this.#end(text("benchDone", { count: names.length }));
        return;
      case "error":
        this.#end(text("failed") + message.message);
        return;
      default:
        message satisfies never;
    }
  }

  #stop(): void {
    this.#bar.value = 0;
    this.#end(text("stopped"));
  }

  /** The worker goes with its device and all that it holds. */
  #end(said: string): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.draw();
    say(said);
  }

  #save(): void {
    const json = `${JSON.stringify(this.#report, null, 2)}\n`;
    download("tepal-bench.json", new Blob([json], { type: "application/json" }));
  }
}

const titleOf = ({ kind, batch, size }: Workload): string => text(titles[kind], { batch, size });

const page = new BenchPage();
followLanguage(find("language") as HTMLSelectElement, () => page.draw());
page.draw();
