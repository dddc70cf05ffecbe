/** The kernel book: a page for each shader, in the order of src/shaders/README.md. */
import {
  explainShader,
  gainText,
  type KernelExplanation,
  singleRung,
  tileText,
  typicalUses,
  useText,
} from "../../src/cli/kernels/explain.ts";
import { type KernelReport, laddersOf, rungsOf, shortName } from "../../src/cli/kernels/measured.ts";
import { type Placement, placements } from "../../src/cli/kernels/placement.ts";
import { FileError } from "../../src/engine/errors.ts";
import { headerOf, specialise } from "../../src/engine/shaderSource.ts";
import { threadDrawing } from "./drawings.ts";
import { bullets, code, details, prose, table } from "./markdown.ts";
import { plotLegend, rooflinePlot } from "./plots.ts";

export interface Chapter {
  readonly title: string;
  readonly shaders: readonly string[];
}

/**
 * The chapters of the reading order, each with its shaders.
 * @throws FileError where the order names a shader that is not there, or leaves one out.
 */
export function chaptersOf(readingOrder: string, shaders: ReadonlyMap<string, string>): Chapter[] {
  const steps = readingOrder.slice(readingOrder.indexOf("\n1. "), readingOrder.indexOf("To look closer"));
  const chapters = steps
    .split(/\n(?=\d+\. )/)
    .filter((step) => /^\d+\. /.test(step.trim()))
    .map((step) => ({
      title: /\*\*(.*?)\.?\*\*/.exec(step)?.[1] ?? "",
      shaders: [...step.matchAll(/`(\w+)`/g)].map(([, name]) => name),
    }));
  const named = chapters.flatMap((chapter) => chapter.shaders);
  const missing = named.find((name) => !shaders.has(name));
  if (missing)
    throw new FileError(`the book expects src/shaders/${missing}.wgsl, found none; restore it or its chapter`);
  const forgotten = [...shaders.keys()].find((name) => !named.includes(name));
  if (forgotten)
    throw new FileError(
      `${forgotten}.wgsl has no page in the book; name it in the reading order of src/shaders/README.md`,
    );
  return chapters;
}

/** The source of a use as the driver gets it, without the header comment. */
const sourceOf = ({ call }: Placement): string =>
  specialise(call.shader.code, call.entryPoint, call.overrides ?? {})
    .split("\n")
    .slice(headerOf(call.shader.code).length)
    .join("\n")
    .trim();

const section = (title: string, body: string): string => (body === "" ? "" : `## ${title}\n\n${body}\n`);

function ladderSection(report: KernelReport, { name, gains }: KernelExplanation): string {
  const ladders = laddersOf(report, name);
  if (ladders.length === 0) return "";
  const mine = gains.find(({ adapter }) => adapter === shortName(report.adapter))?.gains ?? [];
  const rows = ladders.map((ladder) => [
    ladder.op,
    ladder.layers > 1 ? `${ladder.layer} and ${ladder.layers - 1} more` : ladder.layer,
    ...[ladder.naive, ladder.between, ladder.fast].map((rung) =>
      rung ? `${rung.milliseconds.toFixed(2)} ms (${(100 * rung.roofline).toFixed(0)} %)` : "–",
    ),
    `${(ladder.naive.milliseconds / ladder.fast.milliseconds).toFixed(1)}×`,
  ]);
  const { processors, load, repeats } = report;
  return [
    bullets(mine.map(gainText)),
    `Measured on ${shortName(report.adapter)} with \`npm run bench -- kernels --json\`: medians of ${repeats} runs on ${processors} processors that were shared (load ${load.map((value) => value.toFixed(0)).join(" to ")}), so single figures carry noise. All rungs of a ladder give the same bits.`,
    `<figure>${rooflinePlot(report, name)}<figcaption>${plotLegend(report, name)}. Grey lines join the rungs of one layer; the roof is the adapter's measured copy and multiply-add rate.</figcaption></figure>`,
    details("Every layer", table(["op", "layer", "naive (of roofline)", "without subgroups", "fast", "gain"], rows)),
  ].join("\n\n");
}

/** The lowest rung of the ladders that a fast shader is on. */
function naiveSection({ name }: KernelExplanation, reports: readonly KernelReport[], known: Uses): string {
  const naive = reports.flatMap((report) => laddersOf(report, name).map((ladder) => rungsOf(ladder)[0].kernel));
  const [first] = [...new Set(naive)].filter((kernel) => !kernel.startsWith(`${name}.`));
  const [use] = (first && known.get(first)) || [];
  if (!use) return "";
  const shader = first.split(".")[0];
  return `The rung below states the formula and nothing else: [${shader}](./${shader}.md).\n\n${code("wgsl", entryOf(use))}`;
}

/** Only the function of the entry point. */
const entryOf = (use: Placement): string => {
  const source = sourceOf(use);
  return source.slice(source.lastIndexOf("@compute"));
};

type Uses = ReturnType<typeof placements>;

function useSections(uses: readonly Placement[]): string {
  return typicalUses(uses)
    .map((use) =>
      [
        `### ${use.call.entryPoint}`,
        `${prose(useText(use))}.`,
        `<figure>${threadDrawing(use)}</figure>`,
        details(`WGSL of ${use.call.entryPoint} after specialisation`, code("wgsl", sourceOf(use))),
      ].join("\n\n"),
    )
    .join("\n\n");
}

/**
 * The page of one shader.
 * @throws FileError where the header has no formula, layout or threads, or claims a gain over another file that no measurement shows.
 */
function kernelPage(name: string, wgsl: string, reports: readonly KernelReport[], known: Uses): string {
  const explanation = explainShader({ name, code: wgsl }, known);
  const { formula, layout, threads, cost, gain, notes, overrides, uses } = explanation;
  for (const [what, lines] of Object.entries({ formula, layout, threads }))
    if (lines.length === 0)
      throw new FileError(
        `${name}.wgsl: the book expects the ${what} in the first comment, found none; say it where the kernel begins`,
      );
  if (gain.some((claim) => /^Against \w+\.wgsl/.test(claim)) && !reports.some((one) => laddersOf(one, name).length > 0))
    throw new FileError(
      `${name}.wgsl claims a gain that docs/figures does not show; run npm run bench -- kernels --json and keep its output there`,
    );
  const settings = overrides.map((one) => [one.name, one.type, one.fallback ?? "required", one.meaning]);
  return [
    `# ${name}`,
    code("text", formula.join("\n")),
    section("Layout", bullets(layout.map(prose))),
    section("Threads", bullets(threads.map(prose))),
    section("Cost", bullets(cost.map(prose))),
    section("The naive kernel", naiveSection(explanation, reports, known)),
    section(
      "Rungs and gain",
      [bullets(gain.map(prose)), ...reports.map((report) => ladderSection(report, explanation))]
        .filter(Boolean)
        .join("\n\n") || singleRung,
    ),
    section("Notes", bullets(notes.map(prose))),
    section("Tiles and threads", useSections(uses)),
    uses.length === 0
      ? section("Source", code("wgsl", wgsl.split("\n").slice(headerOf(wgsl).length).join("\n").trim()))
      : "",
    section("Overrides", settings.length > 0 ? table(["name", "type", "default", "meaning"], settings) : ""),
    `In a terminal: \`npx tepal kernels ${name} --explain\`.\n`,
  ]
    .filter(Boolean)
    .join("\n\n");
}

/** Pages by path: `kernels/index.md` and `kernels/<shader>.md`. */
export function kernelPages(
  readingOrder: string,
  shaders: ReadonlyMap<string, string>,
  reports: readonly KernelReport[],
): { pages: Map<string, string>; chapters: Chapter[] } {
  const chapters = chaptersOf(readingOrder, shaders);
  const known = placements();
  const pages = new Map<string, string>();
  for (const [name, wgsl] of shaders) pages.set(`kernels/${name}.md`, kernelPage(name, wgsl, reports, known));
  const rows = (names: readonly string[]): string[][] =>
    names.map((name) => {
      const [use] = [...known].find(([kernel]) => kernel.startsWith(`${name}.`))?.[1] ?? [];
      return [`[${name}](./${name}.md)`, headerOf(shaders.get(name) ?? "")[0], use ? tileText(use) : "–"];
    });
  pages.set(
    "kernels/index.md",
    [
      "# The kernel book",
      "Every kernel is one file of complete WGSL. Its page gives the formula, the layout, what an invocation does, the rungs of its ladder with their gains, a drawing of tiles and threads, and the source after specialisation. Everything here is read from the sources and from measurements kept in the repository.",
      ...chapters.map(
        ({ title, shaders: names }, index) =>
          `## ${index + 1}. ${title}\n\n${table(["kernel", "in its own words", "typical tile"], rows(names))}`,
      ),
    ].join("\n\n"),
  );
  return { pages, chapters };
}
