// Builds the page of demo/ into dist/demo: any file server can serve that folder.
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build as esbuild } from "esbuild";
import { rawText } from "./rawText.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const files = ["index.html", "bench.html", "style.css", "icon.svg", "manifest.webmanifest"];
const scripts = ["main", "flowerWorker", "bench", "benchWorker"];

/** @param model the folder of the model that the page begins with */
export async function buildDemo({ target = join(root, "dist/demo"), model = join(root, "weights/petals") } = {}) {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const file of files) cpSync(join(root, "demo", file), join(target, file));
  for (const file of ["model.json", "model.safetensors"]) cpSync(join(model, file), join(target, "model", file));
  const common = {
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    plugins: [rawText()],
    logLevel: "error",
  };
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  await esbuild({
    ...common,
    entryPoints: scripts.map((name) => join(root, `demo/${name}.ts`)),
    outdir: target,
    define: { PACKAGE_VERSION: JSON.stringify(version) },
  });
  const names = readdirSync(target, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(target, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort();
  const hash = createHash("sha256");
  for (const name of names) hash.update(readFileSync(join(target, name)));
  const addresses = ["./", ...names.map((name) => `./${name}`)];
  await esbuild({
    ...common,
    entryPoints: [join(root, "demo/serviceWorker.ts")],
    outfile: join(target, "serviceWorker.js"),
    define: { FILES: JSON.stringify(addresses), VERSION: JSON.stringify(hash.digest("hex").slice(0, 12)) },
  });
  writeFileSync(join(target, ".nojekyll"), "");
  return target;
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  const target = await buildDemo(process.argv[2] ? { model: resolve(process.argv[2]) } : {});
  console.log(`built ${relative(root, target)}`);
}
