/** The whole book as Markdown, from the sources, the measurements and the documents of the repository. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type KernelReport, measurements } from "../../src/cli/kernels/measured.ts";
import { FileError } from "../../src/engine/errors.ts";
import { type CompilerExample, compilerExample, type Stage, shownBlock } from "./compiler.ts";
import { slabDrawing } from "./drawings.ts";
import { type Chapter, kernelPages } from "./kernelPages.ts";
import { code, table } from "./markdown.ts";

export interface BookSources {
  /** WGSL by name, and the order to read it in. */
  readonly shaders: ReadonlyMap<string, string>;
  readonly readingOrder: string;
  readonly measurements: readonly KernelReport[];
  /** Markdown of `docs/`, by path in it. */
  readonly documents: ReadonlyMap<string, string>;
  readonly contributing: string;
  /** Reads a file that a page shows, by its path in the repository. */
  readonly readSource: (path: string) => string;
}

export interface Book {
  readonly pages: ReadonlyMap<string, string>;
  readonly chapters: readonly Chapter[];
}

const namesIn = (folder: string, ending: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .sort();

/** Reads what the book is made of from a checkout. */
export function readBookSources(root: string): BookSources {
  const read = (path: string): string => readFileSync(join(root, path), "utf8");
  const documents = ["", "decisions/", "guide/"].flatMap((folder) =>
    namesIn(join(root, "docs", folder), ".md").map((name): [string, string] => [
      `${folder}${name}`,
      read(`docs/${folder}${name}`),
    ]),
  );
  return {
    shaders: new Map(
      namesIn(join(root, "src/shaders"), ".wgsl").map((name) => [
        name.replace(".wgsl", ""),
        read(`src/shaders/${name}`),
      ]),
    ),
    readingOrder: read("src/shaders/README.md"),
    measurements,
    documents: new Map(documents),
    contributing: read("CONTRIBUTING.md"),
    readSource: (path) => {
      if (!existsSync(join(root, path)))
        throw new FileError(`a page shows ${path}, which is not there; restore it or the page`);
      return read(path);
    },
  };
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(2)} MiB`;

const stageTable = (stages: readonly Stage[]): string =>
  table(
    ["after", "nodes", "dispatches", "when parameters change", "slabs", "a buffer each", "lower bound"],
    stages.map(({ name, nodes, dispatches, prologue, slabs, separate, lowerBound }) => [
      name,
      String(nodes),
      String(dispatches),
      String(prologue),
      ...[slabs, separate, lowerBound].map(mebibytes),
    ]),
  );

/** What the compiler's chapter shows, by the names that its text uses. */
function compilerFigures(example: CompilerExample): Map<string, string> {
  const { inference, backward, explain, slabs, uses, dispatches } = example;
  const blocks = inference.filter(({ block }, index) => block.join() !== inference[index - 1]?.block.join());
  return new Map([
    ["inference-stages", stageTable(inference)],
    ["backward-stages", stageTable(backward)],
    [
      "block",
      blocks
        .map(
          ({ name, block }) =>
            `After ${name}, ${block.length} nodes of \`${shownBlock}\`:\n\n${code("text", block.join("\n"))}`,
        )
        .join("\n\n"),
    ],
    ["slabs", `<figure>${slabDrawing(slabs, uses, dispatches)}</figure>`],
    ["explain", code("text", explain)],
  ]);
}

/**
 * Puts figures (`<!-- figure: slabs -->`) and files (`<!-- file: examples/x.mjs -->`) in their places.
 * @throws FileError for a figure that nothing makes, or a file that is not there.
 */
function fill(path: string, text: string, figures: ReadonlyMap<string, string>, readSource: BookSources["readSource"]) {
  return text
    .replace(/^<!-- figure: (\S+) -->$/gm, (_, name: string) => {
      const figure = figures.get(name);
      if (figure === undefined)
        throw new FileError(
          `docs/${path} shows the figure ${name}, which nothing makes; it can have ${[...figures.keys()].join(", ")}`,
        );
      return figure;
    })
    .replace(/^<!-- file: (\S+) -->$/gm, (_, file: string) => {
      const language = /\.m?[jt]s$/.test(file) ? "js" : /\.html$/.test(file) ? "html" : "text";
      return code(language, readSource(file).trim());
    });
}

/** The part of CONTRIBUTING that a page of its own shows. */
function sectionOf(text: string, title: string): string {
  const start = text.indexOf(`\n## ${title}\n`);
  if (start < 0)
    throw new FileError(`the book expects "## ${title}" in CONTRIBUTING.md, found none; restore the section`);
  const rest = text.slice(start + 1);
  const end = rest.indexOf("\n## ", 3);
  return rest.slice(0, end < 0 ? undefined : end).replace(/^## /, "# ");
}

const titleOf = (text: string): string => /^# (.*)$/m.exec(text)?.[1] ?? "";

function decisionIndex(documents: BookSources["documents"]): string {
  const rows = [...documents]
    .filter(([path]) => path.startsWith("decisions/"))
    .map(([path, text]) => [path.slice(10, 13), `[${titleOf(text).replace(/^\d+[.:]? */, "")}](./${path.slice(10)})`]);
  return `# Decisions\n\nChoices that somebody may question: what, why, what was measured, what was rejected.\n\n${table(["number", "decision"], rows)}\n`;
}

function homePage(chapters: readonly Chapter[]): string {
  const kernels = chapters.reduce((sum, { shaders }) => sum + shaders.length, 0);
  return [
    "# Tepal",
    "A tensor engine written from nothing on WebGPU, that trains, classifies and explains.",
    "![Three drawn flowers, each with what the network looked at, by three methods](./images/explanations.png)",
    "- [From photograph to explained prediction](./guide/photograph.md)",
    "- [The practical, step by step, with its mistakes](./guide/practical.md)",
    "- [How the compiler turns a graph into a plan](./guide/compiler.md)",
    `- [The kernel book](./kernels/index.md): ${kernels} kernels with formula, layout, threads, tile, gain and source`,
    "- [Add an op in three files](./guide/add-an-op.md)",
    "- [Which names are stable](./guide/stability.md)",
    "- [Performance](./performance.md), [data](./data.md), [augmentation](./augmentation.md), [robustness](./robustness.md), [decisions](./decisions/index.md)",
    "",
    "This site is generated from what runs: formulas from the comments of the WGSL, plans by compiling, gains from measurements kept in the repository.",
  ]
    .join("\n")
    .replace(/\n(?=A tensor|!\[|- \[From)/g, "\n\n");
}

/** What every edition must have, beside a page for each kernel. */
const requiredPages = [
  "guide/photograph.md",
  "guide/practical.md",
  "guide/compiler.md",
  "guide/stability.md",
  "performance.md",
  "data.md",
  "augmentation.md",
  "robustness.md",
];

/**
 * Makes every page. Nothing is left out in silence.
 * @throws FileError for a shader without a chapter or a formula, a claimed gain without a measurement, a figure, file or page that is missing.
 */
export async function makeBook(sources: BookSources): Promise<Book> {
  const { documents, contributing, readSource } = sources;
  const missing = requiredPages.find((path) => !documents.has(path));
  if (missing) throw new FileError(`the book expects docs/${missing}, found none; restore it`);
  const { pages, chapters } = kernelPages(sources.readingOrder, sources.shaders, sources.measurements);
  const figures = compilerFigures(await compilerExample());
  for (const [path, text] of documents) pages.set(path, fill(path, text, figures, readSource));
  pages.set("index.md", homePage(chapters));
  pages.set("decisions/index.md", decisionIndex(documents));
  pages.set("guide/add-an-op.md", sectionOf(contributing, "Add an op in three files"));
  return { pages, chapters };
}

export { configOf } from "./site.ts";
