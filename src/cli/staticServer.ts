/** Serves a folder to this machine alone. It listens and never opens a connection. */
import { existsSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize, sep } from "node:path";
import { UsageError } from "../engine/errors.ts";

const mediaTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
};

/** The same rules as the page's own, and no other site may frame it. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export interface RunningServer {
  readonly address: string;
  close(): void;
}

/**
 * @param port 0 takes any that is free
 * @throws UsageError when the port is taken
 */
export async function serveStatic(folder: string, port: number): Promise<RunningServer> {
  const server: Server = createServer(async ({ url = "/", method }, response) => {
    const path = join(folder, normalize(decodeURIComponent(new URL(url, "http://localhost").pathname)));
    const file = path.endsWith(sep) ? join(path, "index.html") : path;
    const found = file.startsWith(folder + sep) && existsSync(file) && statSync(file).isFile();
    if (!found || (method !== "GET" && method !== "HEAD")) {
      response.writeHead(found ? 405 : 404).end();
      return;
    }
    response.writeHead(200, {
      "content-type": mediaTypes[extname(file)] ?? "application/octet-stream",
      "content-security-policy": policy,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-cache",
    });
    response.end(method === "HEAD" ? undefined : await readFile(file));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const what = cause.code === "EADDRINUSE" ? "another program there" : cause.message;
      reject(new UsageError(`port ${port}: expected it free, found ${what}; choose another with --port`, { cause }));
    });
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return { address, close: () => void server.close() };
}
