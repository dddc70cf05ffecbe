// npm run test:package: the packed package in an empty project, as somebody who installs it finds it. Publishing rules, types, the
// README's example, every program of examples/, and the page bundled by esbuild and by Vite in headless Chromium.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import sparticuz from "@sparticuz/chromium";
import { build as esbuild } from "esbuild";
import { chromium } from "playwright-core";
import { build as vite } from "vite";

const root = fileURLToPath(new URL("..", import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const project = mkdtempSync(join(tmpdir(), "tepal-package-"));
const inProject = (...parts) => join(project, ...parts);
const run = (command, args, cwd = project) =>
  execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** Bytes of all files under a folder. */
function bytesOf(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

function pack() {
  const packed = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", project], root).replace(/^[^[]*/, ""));
  return inProject(packed[0].filename);
}

function publishingRules(tarball) {
  const bin = (name) => join(root, "node_modules/.bin", name);
  run(bin("publint"), ["--strict", tarball], root);
  run(bin("attw"), ["--profile", "esm-only", tarball], root);
  return "publint --strict and attw --profile esm-only are clean";
}

function install(tarball) {
  writeFileSync(inProject("package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }));
  run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", tarball]);
  const alone = bytesOf(inProject("node_modules"));
  if (readdirSync(inProject("node_modules")).filter((name) => !name.startsWith(".")).length !== 1)
    throw new Error("expected the package alone, found others installed with it");
  const peers = Object.entries(manifest.peerDependencies).map(([name, version]) => `${name}@${version}`);
  run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", ...peers]);
  return `${megabytes(alone)} in node_modules alone, ${megabytes(bytesOf(inProject("node_modules")))} with Dawn and the software adapter`;
}

function readmeExample() {
  const example = /```js\n([\s\S]*?)```/.exec(readFileSync(join(root, "README.md"), "utf8"))[1];
  writeFileSync(inProject("readme.mjs"), example);
  const output = run("node", ["readme.mjs"]);
  if (!/\d+ dispatches/.test(output)) throw new Error(`expected the plan in words, found: ${output.slice(0, 300)}`);
  return "the README's example runs";
}

function types() {
  const lines = [
    'import { BATCH, compile, type Device, ImageClassifier, input, relu6 } from "tepal";',
    'import { loadImageClassifier, openDevice } from "tepal/node";',
    "const device: Device = await openDevice();",
    'const y = relu6(input("x", [BATCH, 4]));',
    "const { y: values } = await (await compile(device, { outputs: { y } })).run({ x: new Float32Array(4) });",
    'const flowers: ImageClassifier = await loadImageClassifier("model", { device });',
    "const best: number = (await flowers.classify(new Uint8Array(8)))[0].probability + values.length;",
    "export { best };",
  ];
  writeFileSync(inProject("types.ts"), lines.join("\n"));
  const shared = { strict: true, noEmit: true, skipLibCheck: true, target: "es2022", types: [] };
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  for (const [module, resolution] of [
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ]) {
    const compilerOptions = { ...shared, module, moduleResolution: resolution };
    writeFileSync(inProject("tsconfig.json"), JSON.stringify({ compilerOptions, files: ["types.ts"] }));
    run("node", [tsc, "-p", "."]);
  }
  return "the types hold under nodenext and bundler resolution";
}

function scripts() {
  cpSync(join(root, "examples"), inProject("examples"), { recursive: true });
  const trained = run("node", ["examples/script/train.mjs", "examples/page/model"]).trim().split("\n").at(-1);
  const shared = run("node", ["examples/embed/share.mjs", "examples/page/model"]);
  if (!/buffers left: 0/.test(shared)) throw new Error(`expected no buffer left, found: ${shared}`);
  return `the examples run: ${trained.split(";")[0]}`;
}

async function bundle(name) {
  const page = inProject("examples/page");
  const target = inProject(`page-${name}`);
  if (name === "vite") {
    await vite({
      root: page,
      base: "./",
      build: { outDir: target, emptyOutDir: true },
      logLevel: "error",
      configFile: false,
    });
  } else {
    mkdirSync(target, { recursive: true });
    cpSync(join(page, "index.html"), join(target, "index.html"));
    await esbuild({
      entryPoints: [join(page, "main.js")],
      outfile: join(target, "main.js"),
      bundle: true,
      minify: true,
      format: "esm",
      target: "es2022",
      logLevel: "error",
    });
  }
  cpSync(join(page, "model"), join(target, "model"), { recursive: true });
  return target;
}

const mediaTypes = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".json": "application/json" };

function serve(folder) {
  const server = createServer((request, response) => {
    const path = join(folder, request.url === "/" ? "index.html" : new URL(request.url, "http://x").pathname);
    if (!path.startsWith(folder) || !statSync(path, { throwIfNoEntry: false })?.isFile())
      return response.writeHead(404).end();
    response.setHeader("content-type", mediaTypes[extname(path)] ?? "application/octet-stream");
    response.end(readFileSync(path));
  });
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done(server)));
}

async function page(name) {
  const folder = await bundle(name);
  const server = await serve(folder);
  const args = ["--no-sandbox", "--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-vulkan=swiftshader"];
  args.push("--use-angle=swiftshader", "--ignore-gpu-blocklist", "--enable-gpu");
  const executablePath = process.env.CHROMIUM ?? (await sparticuz.executablePath());
  const browser = await chromium.launch({ executablePath, args });
  try {
    const tab = await browser.newPage();
    await tab.goto(`http://127.0.0.1:${server.address().port}/`);
    await tab.waitForFunction(() => document.querySelector("output").textContent !== "loading…", { timeout: 120_000 });
    const said = await tab.textContent("output");
    if (!/^vertical, \d+ %$/.test(said)) throw new Error(`${name}: expected "vertical, N %", found "${said}"`);
    return `bundled by ${name} the page says "${said}" of upright stripes`;
  } finally {
    await browser.close();
    server.close();
  }
}

let failed = 0;
let tarball;
const steps = [
  [
    "pack",
    () => {
      tarball = pack();
      return megabytes(statSync(tarball).size);
    },
  ],
  ["publishing rules", () => publishingRules(tarball)],
  ["install", () => install(tarball)],
  ["types", types],
  ["README", readmeExample],
  ["examples", scripts],
  ["page, esbuild", () => page("esbuild")],
  ["page, Vite", () => page("vite")],
];
for (const [name, step] of steps) {
  try {
    console.log(`ok      ${name}: ${await step()}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}: ${[error.message, error.stdout, error.stderr].filter(Boolean).join("\n")}`);
    if (name === "pack" || name === "install") break;
  }
}
rmSync(project, { recursive: true, force: true });
console.log(failed === 0 ? "package passed" : "package failed");
process.exit(failed === 0 ? 0 : 1);
