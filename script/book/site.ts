/** What vitepress needs to know: the order of the pages. */
import type { Book } from "./book.ts";

const guide = [
  ["From photograph to explained prediction", "guide/photograph"],
  ["The practical, with its mistakes", "guide/practical"],
  ["From graph to plan", "guide/compiler"],
  ["Add an op in three files", "guide/add-an-op"],
  ["Which names are stable", "guide/stability"],
] as const;

const reference = [
  ["Performance", "performance"],
  ["Data", "data"],
  ["Augmentation", "augmentation"],
  ["Robustness", "robustness"],
  ["Decisions", "decisions/index"],
] as const;

const linked = (entries: readonly (readonly [string, string])[]) =>
  entries.map(([text, page]) => ({ text, link: `/${page.replace(/index$/, "")}` }));

/** The configuration of vitepress, as the text of a module. Dead links fail its build. */
export function configOf({ chapters }: Pick<Book, "chapters">): string {
  const config = {
    title: "Tepal",
    description: "A tensor engine on WebGPU, explained by what runs",
    cleanUrls: false,
    // Braces in the documents are sets and formulas, not attributes.
    markdown: { attrs: { disable: true } },
    themeConfig: {
      search: { provider: "local" },
      outline: [2, 3],
      nav: [
        { text: "Guide", link: "/guide/photograph" },
        { text: "Kernels", link: "/kernels/" },
        { text: "Decisions", link: "/decisions/" },
        { text: "API", link: "/api/index.html", target: "_self" },
      ],
      sidebar: [
        { text: "Guide", items: linked(guide) },
        { text: "Reference", items: linked(reference) },
        { text: "The kernel book", link: "/kernels/" },
        ...chapters.map(({ title, shaders }) => ({
          text: title,
          collapsed: true,
          items: shaders.map((name) => ({ text: name, link: `/kernels/${name}` })),
        })),
      ],
    },
    // TypeDoc writes the API beside the pages after they are built.
    ignoreDeadLinks: ["/api/index.html", "/api/index"],
  };
  return `export default ${JSON.stringify(config, null, 2)};\n`;
}
