/**
 * Builds the book: pages from the sources and measurements, a site of them by vitepress, the API by TypeDoc.
 *   node script/build-docs.mjs            writes dist/docs
 *   node script/build-docs.mjs --pages    only the Markdown, in dist/book
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const pagesFolder = join(root, "dist/book");
const siteFolder = join(root, "dist/docs");

/** `import text from "./x.wgsl?raw"`, as in script/build.mjs. */
const rawText = {
  name: "raw-text",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\?raw$/ }, ({ path, resolveDir }) => ({
      path: resolve(resolveDir, path.slice(0, -"?raw".length)),
      namespace: "raw-text",
    }));
    onLoad({ filter: /.*/, namespace: "raw-text" }, ({ path }) => ({
      contents: readFileSync(path, "utf8"),
      loader: "text",
    }));
  },
};

/** Node 20 reads no TypeScript. The bundle lies in the repository, so that it finds its packages. */
async function generator() {
  const bundle = join(root, "dist", `book-${process.pid}.mjs`);
  await build({
    entryPoints: [join(root, "script/book/book.ts")],
    bundle: true,
    format: "esm",
    platform: "node",
    target: "es2022",
    external: ["webgpu", "@sparticuz/chromium", "@observablehq/plot", "linkedom"],
    plugins: [rawText],
    outfile: bundle,
    logLevel: "error",
  });
  const module = await import(pathToFileURL(bundle));
  rmSync(bundle);
  return module;
}

function program(path, args) {
  const { status } = spawnSync(process.execPath, [join(root, "node_modules", path), ...args], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (status !== 0) throw new Error(`${path} ended with exit code ${status}`);
}

function writePages({ pages, config }) {
  rmSync(pagesFolder, { recursive: true, force: true });
  for (const [path, text] of [...pages, [".vitepress/config.mjs", config]]) {
    const file = join(pagesFolder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  for (const folder of ["augmentation", "images", "robustness"])
    cpSync(join(root, "docs", folder), join(pagesFolder, folder), { recursive: true });
}

try {
  const { configOf, makeBook, readBookSources } = await generator();
  const book = await makeBook(readBookSources(root));
  writePages({ pages: book.pages, config: configOf(book) });
  console.log(`${book.pages.size} pages in dist/book`);
  if (!process.argv.includes("--pages")) {
    program("vitepress/bin/vitepress.js", ["build", pagesFolder, "--outDir", siteFolder]);
    program("typedoc/bin/typedoc", ["--options", "typedoc.json", "--out", join(siteFolder, "api")]);
    console.log("the site is in dist/docs: serve it with any file server");
  }
  process.exit(0);
} catch (error) {
  console.error(process.env.TEPAL_DEBUG ? error.stack : `docs: ${error.message}`);
  process.exit(1);
}
