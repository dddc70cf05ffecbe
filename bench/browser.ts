import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import type { PageRequest, PageResult } from "./browserPage.ts";
import { log } from "./log.ts";
import { loadMaterial, measureOptions, ownVersion } from "./main.ts";
import { materialBytes } from "./material.ts";
import { checkNames, readOptions } from "./options.ts";
import { bench, bundles } from "./paths.ts";
import { hasPeers, installHint, versionOf } from "./peers.ts";
import { printReport, reportOf } from "./print.ts";
import { workloads } from "./workloads.ts";

const peers = ["tfjs-webgpu", "onnxruntime-web"];
/** A software adapter takes seconds for a forward pass; these are what a browser can do in minutes. */
const usual = ["forward-224-b1", "input-gradient-224-b1"];

/** What makes WebGPU and canvases work without a GPU: SwiftShader for Vulkan and for the compositor. */
const flags = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--enable-features=Vulkan",
  "--use-vulkan=swiftshader",
  "--use-angle=swiftshader",
  "--ignore-gpu-blocklist",
  "--enable-gpu",
];

const html = '<!doctype html><meta charset="utf-8"><title>bench</title><script type="module" src="/page.mjs"></script>';

/** Serves the page, the weights and the files of ONNX Runtime Web to this machine alone. */
async function serve(material: Uint8Array): Promise<Server> {
  const files: Record<string, () => readonly [type: string, body: string | Uint8Array]> = {
    "/": () => ["text/html", html],
    "/page.mjs": () => ["text/javascript", readFileSync(join(bundles, "page.mjs"))],
    "/material": () => ["application/octet-stream", material],
  };
  const server = createServer(({ url = "/" }, response) => {
    const path = join(bench, "node_modules/onnxruntime-web/dist", basename(url));
    const found = url.startsWith("/onnxruntime-web/") && existsSync(path);
    if (!found && !(url in files)) {
      response.writeHead(404).end();
      return;
    }
    const ofPeer = url.endsWith(".wasm") ? "application/wasm" : "text/javascript";
    const [type, body] = found ? [ofPeer, readFileSync(path)] : files[url]();
    // Isolation gives wasm its threads, as a site that cares for speed has it.
    response.writeHead(200, {
      "content-type": type,
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
    });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

async function runInBrowser(origin: string, request: PageRequest): Promise<PageResult> {
  const require = createRequire(join(bench, "package.json"));
  const { chromium } = require("playwright-core");
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  if (!existsSync(executablePath))
    throw new Error(`expected Chromium at ${executablePath}, found none; name it in CHROMIUM`);
  const browser = await chromium.launch({ executablePath, args: flags });
  try {
    const page = await browser.newPage();
    page.on("console", (message: { text(): string }) => log(message.text()));
    page.on("pageerror", (error: Error) => log(error.message));
    await page.goto(origin);
    await page.waitForFunction("globalThis.runBench");
    return await page.evaluate((asked: PageRequest) => (globalThis as unknown as Bench).runBench(asked), request);
  } finally {
    await browser.close();
  }
}

interface Bench {
  readonly runBench: (request: PageRequest) => Promise<PageResult>;
}

/** This engine beside TF.js and ONNX Runtime Web in one page of headless Chromium. */
export async function main(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  const known = workloads.map(({ name }) => name);
  checkNames("--only", options.only, known);
  checkNames("--peers", options.peers ?? [], peers);
  if (!hasPeers())
    throw new Error(`the peers and the browser's driver are not installed; install them: ${installHint}`);
  const material = await loadMaterial(options);
  const server = await serve(materialBytes(material));
  try {
    const { log: _, onRound: __, ...how } = measureOptions(options);
    const { adapter, versions, results } = await runInBrowser(
      `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      {
        only: options.only.length > 0 ? options.only : usual,
        peers: options.peers ?? peers,
        versions: { tepal: ownVersion(), "onnxruntime-web": versionOf("onnxruntime-web") },
        options: how,
      },
    );
    const report = reportOf({ adapter, versions }, results, { weights: material.source });
    process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : printReport(report, options.markdown));
    if (results.some(({ faults }) => faults > 0)) process.exitCode = 1;
  } finally {
    server.close();
  }
}
