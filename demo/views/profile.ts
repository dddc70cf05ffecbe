/** The plan of the network: its nodes as a graph, their times, and the WGSL of each kernel. */
import { compile } from "../../src/engine/compile.ts";
import type { Tensor } from "../../src/engine/graph.ts";
import type { Plan } from "../../src/engine/plan/plan.ts";
import type { NodeTime } from "../../src/engine/plan/profile.ts";
import { specialise } from "../../src/engine/shaderSource.ts";
import type { Page, View } from "../main.ts";
import { button, element } from "../ui/elements.ts";
import { text } from "../ui/strings.ts";

const SVG = "http://www.w3.org/2000/svg";
const ROW = 26;
const WIDTH = 360;

function svg<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string | number>>,
): SVGElementTagNameMap[K] {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

class ProfileView {
  readonly node = element("div");
  readonly #plan: Promise<Plan>;
  readonly #graph = element("section", { class: "card scroll" });
  readonly #table = element("section", { class: "card scroll", attributes: { tabindex: "0" } });
  readonly #source = element("section", { class: "card", attributes: { "aria-live": "polite", id: "kernel-source" } });

  constructor(private readonly page: Page) {
    const { classifier } = page.state.network;
    const { logits } = classifier.build(classifier.preprocess(classifier.pixelInput()));
    this.#plan = compile(
      classifier.device,
      { outputs: { logits: logits as Tensor } },
      { parameters: classifier.parameters },
    );
    const measure = button(text("measure"), () => void page.attempt(() => this.#measure()), "main");
    measure.id = "measure";
    this.node.append(
      element("p", { text: text("profileHint") }),
      element("div", { class: "row" }, measure),
      element("div", { class: "columns profile" }, this.#graph, this.#table),
      this.#source,
    );
    void page.attempt(async () => this.#drawGraph(await this.#plan, []));
  }

  async #measure(): Promise<void> {
    const plan = await this.#plan;
    this.page.say(text("computing"));
    const times = await plan.profile({ pixels: this.page.state.fitted() }, 3);
    this.#drawGraph(plan, times);
    this.#drawTable(plan, times);
    this.page.say(text("ready"));
  }

  #drawGraph(plan: Plan, times: readonly NodeTime[]): void {
    const { main } = plan.steps(1);
    const rows = new Map(main.map(({ node }, index) => [node, index]));
    const slowest = Math.max(...times.map(({ milliseconds }) => milliseconds), 0);
    const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${main.length * ROW}`, class: "plan" });
    const title = svg("title", {});
    title.textContent = text("planTitle");
    drawing.append(title);
    main.forEach(({ node }, index) => {
      for (const { node: source } of node.inputs) {
        const from = rows.get(plan.schedule.storageOf(source.outputs[0])?.node ?? source) ?? rows.get(source);
        // Values that jump over nodes, such as residual connections, bow to the side.
        if (from !== undefined && index - from > 1) drawing.append(arc(from, index));
      }
    });
    main.forEach(({ node, call }, index) => {
      const time = times[index]?.milliseconds;
      const hot = time !== undefined && time > slowest / 2;
      const group = svg("g", { class: hot ? "node hot" : "node", tabindex: 0, role: "button" });
      group.append(svg("rect", { x: 60, y: index * ROW + 2, width: WIDTH - 62, height: ROW - 6, rx: 4 }));
      const label = svg("text", { x: 68, y: index * ROW + 15 });
      const name = node.label ?? node.op.name;
      label.textContent = time === undefined ? name : `${name}: ${time.toFixed(2)} ms`;
      group.append(label);
      const show = (): void => this.#showSource(index, `${call.shader.name}.${call.entryPoint}`);
      group.addEventListener("click", show);
      group.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") show();
      });
      drawing.append(group);
    });
    this.#graph.replaceChildren(drawing);
  }

  #drawTable(plan: Plan, times: readonly NodeTime[]): void {
    const head = element("tr");
    for (const key of ["node", "kernel", "time"] as const) head.append(element("th", { text: text(key) }));
    head.append(element("th", { text: "GFLOP/s" }));
    const rows = times.map(({ name, kernel, milliseconds, flops }, index) => {
      const open = button(kernel, () => this.#showSource(index, kernel));
      const speed = milliseconds > 0 ? (flops / milliseconds / 1e6).toFixed(1) : "–";
      return element(
        "tr",
        {},
        element("td", { text: name.replace(/#\d+$/, "") }),
        element("td", {}, open),
        element("td", { text: `${milliseconds.toFixed(2)} ms`, class: "number" }),
        element("td", { text: speed }),
      );
    });
    const total = times.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
    const caption = element("caption", {
      text: text("dispatches", { count: plan.dispatches, milliseconds: total.toFixed(1) }),
    });
    const table = element("table", {}, caption, element("thead", {}, head), element("tbody", {}, ...rows));
    this.#table.replaceChildren(table);
  }

  #showSource(index: number, kernel: string): void {
    void this.page.attempt(async () => {
      const { call } = (await this.#plan).steps(1).main[index];
      const code = specialise(call.shader.code, call.entryPoint, { ...call.overrides });
      const title = element("h2", { text: `${text("source")}: ${kernel}` });
      const shown = element("pre", { text: code, attributes: { tabindex: "0" } });
      this.#source.replaceChildren(title, shown);
      // It stands below the plan and its times: whoever clicked is taken to it.
      title.scrollIntoView({ block: "start" });
      shown.focus({ preventScroll: true });
    });
  }

  close(): void {
    void this.#plan.then((plan) => plan.dispose());
  }
}

function arc(from: number, to: number): SVGPathElement {
  const [top, bottom] = [from * ROW + ROW / 2, to * ROW + ROW / 2];
  const bow = Math.max(6, 58 - 3 * (to - from));
  return svg("path", { d: `M60 ${top} C ${bow} ${top}, ${bow} ${bottom}, 60 ${bottom}` });
}

export const profileView = (page: Page): View => new ProfileView(page);
