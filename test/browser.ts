/** Headless Chromium with WebGPU on SwiftShader, and a server for the pages of a test. */
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import sparticuz from "@sparticuz/chromium";
import { type Browser, chromium } from "playwright-core";

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

/** The browser that CHROMIUM names, or the one that comes with the development packages. */
export async function launchChromium(more: readonly string[] = []): Promise<Browser> {
  const executablePath = process.env.CHROMIUM ?? (await sparticuz.executablePath());
  return chromium.launch({ executablePath, args: [...flags, ...more] });
}

const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".css": "text/css",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
};

export interface Served {
  /** Without a slash at the end. */
  readonly origin: string;
  close(): void;
}

/** Serves the files of a folder on this machine alone, as any file server would. */
export async function serveFolder(folder: string): Promise<Served> {
  const server = createServer(({ url = "/" }, response) => {
    const path = join(folder, normalize(decodeURIComponent(url.split("?")[0])).replace(/\/$/, "/index.html"));
    if (!path.startsWith(folder) || !existsSync(path)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": types[extname(path)] ?? "application/octet-stream" });
    response.end(readFileSync(path));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => server.close(),
  };
}

interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** Time that the thread itself spent, in microseconds: what other programs took is not in it. */
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

/** What `startTracing` must watch for `longestTask`. */
export const taskCategories = ["disabled-by-default-devtools.timeline"];

/** The longest task of its own time, in milliseconds, of the main threads of pages. */
export function longestTask(trace: Buffer): number {
  const events: readonly TraceEvent[] = JSON.parse(trace.toString("utf8")).traceEvents;
  const isMain = ({ name, args }: TraceEvent): boolean => name === "thread_name" && args?.name === "CrRendererMain";
  const main = new Set(events.filter(isMain).map(({ pid, tid }) => `${pid}.${tid}`));
  const tasks = events.filter(({ name, pid, tid }) => /RunTask$/.test(name) && main.has(`${pid}.${tid}`));
  return tasks.reduce((most, { tdur = 0 }) => Math.max(most, tdur / 1000), 0);
}
