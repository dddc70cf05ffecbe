// Bundles the sources into dist/. Files are replaced one by one and only when they changed, so a program that is running
// from dist/ while somebody else builds keeps working.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build as esbuild } from "esbuild";
import { buildDemo } from "./build-demo.mjs";
import { rawText } from "./rawText.mjs";

export const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const stamp = join(dist, ".build-stamp");
/** Chunks of earlier builds stay this long for the programs that were started from them. */
const STALE_CHUNK_MS = 10 * 60 * 1000;
const external = ["webgpu", "@sparticuz/chromium"];
const codecs = ["jpeg", "webp"];

const nodeEntries = {
  node: "src/node.ts",
  cli: "src/cli/main.ts",
  decodeWorker: "src/data/decodeWorker.node.ts",
};

const common = {
  absWorkingDir: root,
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  outdir: "dist",
  external,
  loader: { ".wgsl": "text" },
  metafile: true,
  write: false,
  logLevel: "silent",
};

// Packages in CommonJS call `require`, which modules do not have.
const banner = {
  js: 'import { createRequire as createRequireOf } from "node:module"; const require = createRequireOf(import.meta.url);',
};

function configurations() {
  const list = [];
  if (existsSync(join(root, "src/index.ts"))) {
    const entryPoints = { index: "src/index.ts" };
    const plugins = [rawText({ comments: false })];
    list.push({ ...common, plugins, platform: "neutral", chunkNames: "chunk-core-[hash]", entryPoints });
  }
  const present = Object.entries(nodeEntries).filter(([, path]) => existsSync(join(root, path)));
  if (present.length > 0) {
    const entryPoints = Object.fromEntries(present);
    const plugins = [rawText()];
    list.push({ ...common, plugins, platform: "node", chunkNames: "chunk-[hash]", entryPoints, banner });
  }
  return list;
}

function replaceFile(path, contents) {
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}

function copyCodecs() {
  for (const codec of codecs) {
    for (const part of ["dec", "enc"]) {
      const from = join(root, "node_modules/@jsquash", codec, "codec", part);
      const names = existsSync(from) ? readdirSync(from).filter((name) => name.endsWith(".wasm")) : [];
      for (const name of names) replaceFile(join(dist, "wasm", name), readFileSync(join(from, name)));
    }
  }
}

/** Chunks lie beside the entry points, so that `import.meta.url` has the same folder in both. */
const isChunk = (path) => basename(path).startsWith("chunk-");

function removeStaleChunks(written) {
  for (const path of readdirSync(dist).map((name) => join(dist, name))) {
    const stale = isChunk(path) && !written.has(path) && Date.now() - statSync(path).mtimeMs > STALE_CHUNK_MS;
    if (stale) rmSync(path, { force: true });
  }
}

/** The packages whose code went into the bundles, as folders under node_modules. */
function bundledPackages(metafiles) {
  const packages = new Set(codecs.map((codec) => `node_modules/@jsquash/${codec}`));
  for (const input of metafiles.flatMap((metafile) => Object.keys(metafile.inputs))) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match) packages.add(match[1]);
  }
  return [...packages].sort();
}

function licenceText(folder) {
  const manifest = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
  const files = readdirSync(join(root, folder)).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name));
  const texts = files
    .filter((name) => statSync(join(root, folder, name)).isFile())
    .map((name) => readFileSync(join(root, folder, name), "utf8").trim());
  const title = `${manifest.name} ${manifest.version} (${manifest.license ?? "see below"})`;
  return [title, "-".repeat(title.length), ...texts].join("\n");
}

function writeLicences(metafiles) {
  const parts = bundledPackages(metafiles).map(licenceText);
  const head = "The files of this folder contain parts of these packages.";
  replaceFile(join(dist, "LICENSES.txt"), Buffer.from(`${[head, ...parts].join("\n\n")}\n`));
}

/** Builds everything whose source exists; gives the paths of the written files, relative to the repository. */
export async function build() {
  const started = new Date();
  mkdirSync(dist, { recursive: true });
  const results = await Promise.all(configurations().map((options) => esbuild(options)));
  const files = results.flatMap((result) => result.outputFiles);
  // Chunks first: an entry point never names one that is not there yet.
  files.sort((a, b) => Number(isChunk(b.path)) - Number(isChunk(a.path)));
  for (const file of files) replaceFile(file.path, Buffer.from(file.contents));
  copyCodecs();
  writeLicences(results.map((result) => result.metafile));
  removeStaleChunks(new Set(files.map((file) => file.path)));
  writeFileSync(stamp, "");
  // A file that is saved while the build runs must be newer than the stamp.
  utimesSync(stamp, started, started);
  return files.map((file) => relative(root, file.path));
}

function newest(folder) {
  let time = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) time = Math.max(time, statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs);
  }
  return time;
}

/** Builds when a source, this script or the list of packages is newer than dist/. */
export async function buildIfStale() {
  if (existsSync(stamp)) {
    const sources = [fileURLToPath(import.meta.url), join(root, "package-lock.json")];
    const time = Math.max(newest(join(root, "src")), ...sources.map((path) => statSync(path).mtimeMs));
    if (time < statSync(stamp).mtimeMs) return;
  }
  await build();
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  const start = performance.now();
  try {
    const files = await build();
    files.push(`${relative(root, await buildDemo())}/`);
    const entries = files.filter((path) => !isChunk(path));
    console.log(`built ${entries.join(", ")} in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  } catch (error) {
    const { formatMessages } = await import("esbuild");
    const lines = error.errors ? await formatMessages(error.errors, { kind: "error" }) : [String(error.stack)];
    console.error(lines.join("\n"));
    process.exitCode = 1;
  }
}
