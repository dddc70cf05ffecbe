/** A server on 127.0.0.1 that answers as a test tells it to: rightly by default, or with any of the ways to go wrong. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;

export interface TestServer {
  readonly url: string;
  /** Headers of every request so far. */
  readonly requests: IncomingMessage[];
  /** Answers the coming requests; `count` starts at 0. */
  use(handler: Handler): void;
  close(): Promise<void>;
}

export async function startServer(): Promise<TestServer> {
  let handler: Handler = (_request, response) => response.writeHead(404).end();
  let count = 0;
  const requests: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((request, response) => {
    requests.push(request);
    response.on("error", () => {});
    handler(request, response, count++);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    use(next) {
      handler = next;
      count = 0;
      requests.length = 0;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((done) => server.close(() => done()));
    },
  };
}

export interface Served {
  readonly content: Buffer;
  readonly etag?: string;
  readonly lastModified?: string;
  /** Bytes of the body after which the connection is cut. */
  readonly cutAfter?: number;
}

/** Serves a file as RFC 9110 asks, ranges and If-Range included. */
export function serve(request: IncomingMessage, response: ServerResponse, served: Served): void {
  const { content, etag, lastModified, cutAfter } = served;
  const headers: Record<string, string> = {
    ...(etag ? { etag } : {}),
    ...(lastModified ? { "last-modified": lastModified } : {}),
  };
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const condition = request.headers["if-range"];
  const partial = start > 0 && (condition === undefined || condition === etag || condition === lastModified);
  if (partial && start >= content.length) {
    response.writeHead(416, { "content-range": `bytes */${content.length}` }).end();
    return;
  }
  const body = partial ? content.subarray(start) : content;
  if (partial) headers["content-range"] = `bytes ${start}-${content.length - 1}/${content.length}`;
  response.writeHead(partial ? 206 : 200, { ...headers, "content-length": String(body.length) });
  if (cutAfter === undefined || cutAfter >= body.length) response.end(body);
  else response.write(body.subarray(0, cutAfter), () => setTimeout(() => response.destroy(), 100));
}
