// Bundles the benchmark (TypeScript, WGSL as text) and starts the command that the first argument names.
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { rawText } from "../script/rawText.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
// Under node_modules, so that the bundles find the peers beside them and nobody lints or commits them.
const outdir = join(root, "bench/node_modules/.cache/tepal-bench");

const common = {
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  target: "es2022",
  outdir,
  outExtension: { ".js": ".mjs" },
  plugins: [rawText()],
  logLevel: "warning",
};

const commands = ["peers", "browser", "kernels", "reference", "make-reference"];
const [first, ...rest] = process.argv.slice(2);
const named = commands.includes(first);
const command = named ? first : "peers";

process.env.TEPAL_BENCH_ROOT = root;
await build({
  ...common,
  platform: "node",
  splitting: true,
  entryPoints: {
    peers: "bench/main.ts",
    browser: "bench/browser.ts",
    kernels: "bench/kernels.ts",
    reference: "bench/reference.ts",
    "make-reference": "bench/makeReference.ts",
    "cold-tepal": "bench/coldTepal.ts",
    "cold-tfjs": "bench/coldTensorFlow.ts",
    "cold-jax": "bench/coldJax.ts",
  },
  external: ["webgpu", "@sparticuz/chromium", "esbuild"],
  banner: {
    js: 'import { createRequire as createRequireOf } from "node:module"; const require = createRequireOf(import.meta.url);',
  },
});
if (command === "browser")
  await build({ ...common, platform: "browser", entryPoints: { page: "bench/browserPage.ts" } });

const { main } = await import(pathToFileURL(join(outdir, `${command}.mjs`)).href);
try {
  await main(named ? rest : process.argv.slice(2), rawText({ comments: false }));
} catch (error) {
  process.stderr.write(`bench: ${process.env.TEPAL_DEBUG ? error.stack : error.message.split("\n")[0]}\n`);
  process.exitCode = 1;
}
// Dawn and the peers keep handles open.
process.exit();
