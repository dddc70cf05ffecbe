import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Plugin } from "esbuild";
import { bench } from "./paths.ts";

/** Bytes after minifying and gzip; `wasm` is what is loaded besides, not compressed. */
export interface Size {
  readonly gzip: number;
  readonly wasm?: number;
}

async function bundleSize(contents: string, plugins: Plugin[]): Promise<Size> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: bench, loader: "ts" },
    absWorkingDir: bench,
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    treeShaking: true,
    write: false,
    logLevel: "silent",
    plugins,
  });
  return { gzip: gzipSync(outputFiles[0].contents, { level: 9 }).length };
}

const tensorFlow = ["core", "layers", "backend-webgpu"];

/** What a page has to load; the peers' bundles only where they are installed. */
export async function measureSizes(rawText: Plugin, withPeers: boolean): Promise<Record<string, Size>> {
  const sizes: Record<string, Size> = { tepal: await bundleSize('export * from "./size-entry.ts";', [rawText]) };
  if (!withPeers) return sizes;
  // Registering a backend is a side effect, so all of it stays, as in any page that uses it.
  const lines = tensorFlow.map((part, index) => `export * as part${index} from "@tensorflow/tfjs-${part}";`);
  sizes["tfjs-webgpu"] = await bundleSize(lines.join("\n"), []);
  sizes["jax-js"] = await bundleSize('export * from "@jax-js/jax";', []);
  const folder = join(bench, "node_modules/onnxruntime-web/dist");
  const script = readFileSync(join(folder, "ort.webgpu.min.mjs"));
  const wasm = statSync(join(folder, "ort-wasm-simd-threaded.asyncify.wasm")).size;
  sizes["onnxruntime-web"] = { gzip: gzipSync(script, { level: 9 }).length, wasm };
  return sizes;
}
