import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { type Book, type BookSources, makeBook, readBookSources } from "../../script/book/book.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
let sources: BookSources;
let book: Book;

beforeAll(async () => {
  sources = readBookSources(root);
  book = await makeBook(sources);
}, 120_000);

const without = <V>(map: ReadonlyMap<string, V>, key: string): Map<string, V> => {
  const copy = new Map(map);
  expect(copy.delete(key), key).toBe(true);
  return copy;
};

describe("the book", () => {
  it("has a page for every shader, with its formula and its source or a use", () => {
    expect(sources.shaders.size).toBeGreaterThan(30);
    for (const name of sources.shaders.keys()) {
      const page = book.pages.get(`kernels/${name}.md`) ?? "";
      expect(page, name).toMatch(/^# \w+\n\n```text\n.*\S/);
      expect(page, name).toMatch(/```wgsl\n[\s\S]*\bfn \w+/);
      for (const title of ["Layout", "Threads", "Rungs and gain"])
        expect(page, name).toMatch(new RegExp(`^## ${title}\\n\\n\\S`, "m"));
    }
  });

  it("shows the rungs of a ladder, tiles, and source without overrides", () => {
    const page = book.pages.get("kernels/matmulTiled.md") ?? "";
    expect(page).toContain("## The naive kernel");
    expect(page).toContain("8 × 8 outputs per invocation");
    expect(page).toContain('aria-label="roofline of matmulTiled');
    expect(page).not.toMatch(/^override /m);
  });

  it("compiles its running example: fusion leaves fewer dispatches, and slabs fewer bytes than a buffer each", () => {
    const page = book.pages.get("guide/compiler.md") ?? "";
    const rowOf = (name: string) =>
      new RegExp(`^\\| ${name} \\|(.*)\\|$`, "m").exec(page)?.[1].split("|").map(Number.parseFloat) ?? [];
    const [lowering, fusion] = [rowOf("lowering"), rowOf("fusion")];
    expect(fusion[1]).toBeLessThan(lowering[1]);
    expect(fusion[3]).toBeLessThan(fusion[4]);
    expect(page).not.toContain("<!--");
  });
});

describe("a book whose source is missing is not made", () => {
  const cases: readonly (readonly [
    what: string,
    change: (from: BookSources) => Partial<BookSources>,
    message: RegExp,
  ])[] = [
    ["a shader", (from) => ({ shaders: without(from.shaders, "matmul") }), /matmul\.wgsl/],
    [
      "a shader's chapter",
      (from) => ({ readingOrder: from.readingOrder.replace("`matmul`", "") }),
      /matmul\.wgsl has no page/,
    ],
    [
      "a formula",
      (from) => ({ shaders: new Map([...from.shaders, ["fill", "// Nothing.\n"]]) }),
      /fill\.wgsl.*formula/,
    ],
    ["the measurements", () => ({ measurements: [] }), /claims a gain/],
    ["a chapter", (from) => ({ documents: without(from.documents, "guide/compiler.md") }), /guide\/compiler\.md/],
    ["a section", () => ({ contributing: "# Contributing\n" }), /Add an op in three files/],
  ];
  it.each(cases)("%s", async (_, change, message) => {
    await expect(makeBook({ ...sources, ...change(sources) })).rejects.toThrow(message);
  });

  it("a figure that a page names", async () => {
    const text = sources.documents.get("guide/compiler.md")?.replace("figure: slabs", "figure: plates") ?? "";
    const documents = new Map([...sources.documents, ["guide/compiler.md", text]]);
    await expect(makeBook({ ...sources, documents })).rejects.toThrow(/figure plates/);
  }, 120_000);
});
