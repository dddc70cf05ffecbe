import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type PullOptions, pullFile, pullFiles } from "../../src/data/pull.node.ts";
import { datasetFiles, type KnownFile } from "../../src/data/pullManifest.ts";
import { FileError } from "../../src/engine/errors.ts";
import { hasShared, shared } from "../shared.ts";
import { type Handler, serve, startServer, type TestServer } from "./pullServer.ts";

const hash = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
/** Every byte depends on its place, so that a wrong joint shows. */
const bytesOf = (size: number, seed = 1): Buffer => {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = (Math.imul(i + seed, 2654435761) >>> 13) & 255;
  return bytes;
};
const content = bytesOf(300_000);
const etag = '"one"';

let server: TestServer;
let other: TestServer;
let folder: string;
let notes: string[];
beforeAll(async () => {
  server = await startServer();
  other = await startServer();
});
afterAll(async () => {
  await server.close();
  await other.close();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tepal-pull-"));
  notes = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const known: KnownFile = {
  name: "file.bin",
  url: "https://example.invalid/file.bin",
  maxBytes: 1_000_000,
  sha256: hash(content),
  hashesBy: "the publisher",
};
const unknown: KnownFile = { name: "file.bin", url: "https://example.invalid/file.bin", maxBytes: 1_000_000 };
const target = () => join(folder, "file.bin");

function pull(file: KnownFile, options: PullOptions = {}) {
  const fast = { stallMs: 250, backoffMs: 5, tries: 4, from: server.url, onNote: (text: string) => notes.push(text) };
  return pullFile(file, target(), { ...fast, ...options });
}

/** The pull fails with a typed one-line error, and no final file is there. */
async function refused(promise: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await promise.then(
    () => new Error("it succeeded"),
    (reason: Error) => reason,
  );
  expect(error.message).toMatch(message);
  expect(error).toBeInstanceOf(FileError);
  expect(error.message).not.toContain("\n");
  expect(existsSync(target())).toBe(false);
  expect(readdirSync(folder).filter((name) => name.endsWith(".pid"))).toEqual([]);
}

async function arrives(promise: Promise<unknown>): Promise<void> {
  await promise;
  expect(hash(readFileSync(target()))).toBe(hash(content));
  const left = readdirSync(folder).filter((name) => !["file.bin", "file.bin.sha256"].includes(name));
  expect(left).toEqual([]);
}

const serving =
  (extra: object = {}): Handler =>
  (request, response) =>
    serve(request, response, { content, etag, ...extra });
const offsets = () => server.requests.map(({ headers }) => headers.range ?? "all");

describe("a download", () => {
  it("arrives, reports progress, and is not fetched twice", async () => {
    server.use(serving());
    const seen: number[] = [];
    await arrives(pull(known, { onProgress: (_name, received) => seen.push(received) }));
    expect(seen.at(-1)).toBe(content.length);
    expect(await pull(known)).toMatchObject({ wasThere: true, sha256: known.sha256, verifiedBy: "the publisher" });
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0].url).toBe("/file.bin");
    expect(existsSync(`${target()}.sha256`)).toBe(false);
  });

  it.each([
    ["an ETag", { etag }],
    ["a date", { etag: undefined, lastModified: "Tue, 01 Sep 2020 10:00:00 GMT" }],
  ])("that is cut continues by range with %s", async (_what, validators) => {
    server.use((request, response, count) =>
      serve(request, response, { content, ...validators, ...(count < 3 ? { cutAfter: 70_000 } : {}) }),
    );
    await arrives(pull(unknown));
    expect(offsets()).toEqual(["all", "bytes=70000-", "bytes=140000-", "bytes=210000-"]);
    expect(server.requests[1].headers["if-range"]).toBe(validators.etag ?? validators.lastModified);
  });

  it("begins again where the server names no version of its file", async () => {
    server.use((request, response, count) =>
      serve(request, response, { content, ...(count < 1 ? { cutAfter: 70_000 } : {}) }),
    );
    await arrives(pull(known));
    expect(offsets()).toEqual(["all", "all"]);
  });

  it("begins again where the server ignores the range", async () => {
    server.use((request, response, count) => {
      delete request.headers.range;
      serve(request, response, { content, etag, ...(count < 1 ? { cutAfter: 70_000 } : {}) });
    });
    await arrives(pull(unknown));
    expect(server.requests).toHaveLength(2);
  });

  it.each([
    ["an honest If-Range", true],
    ["no regard for If-Range", false],
  ])("takes the new file whole when it changes between ranges, with %s", async (_what, honest) => {
    const old = bytesOf(content.length, 77);
    server.use((request, response, count) => {
      if (count === 0) return serve(request, response, { content: old, etag: '"old"', cutAfter: 70_000 });
      if (!honest) delete request.headers["if-range"];
      serve(request, response, { content, etag });
    });
    await arrives(pull(unknown));
  });

  it("takes the file whole where a silent change spoils the hash", async () => {
    const old = bytesOf(content.length, 77);
    server.use((request, response, count) =>
      serve(request, response, { content: count === 0 ? old : content, etag, ...(count ? {} : { cutAfter: 70_000 }) }),
    );
    await arrives(pull(known));
    expect(offsets()).toEqual(["all", "bytes=70000-", "all"]);
    expect(notes.join()).toMatch(/begins again/);
  });

  it("begins again after 416", async () => {
    const short = content.subarray(0, 50_000);
    server.use((request, response, count) => {
      if (count === 0) return serve(request, response, { content, etag, cutAfter: 70_000 });
      if (count === 1) return serve(request, response, { content: short, etag });
      serve(request, response, { content, etag });
    });
    await arrives(pull(unknown));
    expect(offsets()).toEqual(["all", "bytes=70000-", "all"]);
  });

  it("survives an error of the server", async () => {
    server.use((request, response, count) => {
      if (count < 2) response.writeHead(count === 0 ? 500 : 503).end("busy");
      else serve(request, response, { content, etag });
    });
    await arrives(pull(known));
  });

  it("survives a stall, and keeps what came before it", async () => {
    server.use((request, response, count) => {
      if (count > 0) return serve(request, response, { content, etag });
      response.writeHead(200, { "content-length": String(content.length), etag });
      response.write(content.subarray(0, 100_000));
    });
    await arrives(pull(known));
    expect(offsets()).toEqual(["all", "bytes=100000-"]);
  });

  it("gives up on a server that drips", async () => {
    server.use((_request, response) => {
      response.writeHead(200, { "content-length": String(content.length) });
      const timer = setInterval(() => response.write("x"), 20);
      response.on("close", () => clearInterval(timer));
    });
    await refused(pull(known, { tries: 2 }), /stall.*gave up after 2 tries/);
  });

  it("gives up on a server that never answers", async () => {
    server.use(() => {});
    await refused(pull(known, { tries: 2 }), /expected data within 0.25 s, found a stall.*gave up after 2 tries/);
  });

  it("gives up on a server that changes its file each time", async () => {
    server.use((_request, response, count) => {
      response.writeHead(200, { "content-length": String(content.length), etag: `"${count}"` });
      response.write(content.subarray(0, 1000 + count), () => setTimeout(() => response.destroy(), 5));
    });
    await refused(pull(known), /gave up after 4 tries/);
    expect(server.requests).toHaveLength(4);
  });

  it("that makes headway may be cut more often than there are tries", async () => {
    const large = bytesOf(7 * 2 ** 20);
    const file = { ...known, sha256: hash(large), maxBytes: 10_000_000 };
    server.use((request, response) => serve(request, response, { content: large, etag, cutAfter: 1_100_000 }));
    await pull(file, { tries: 2 });
    expect(hash(readFileSync(target()))).toBe(hash(large));
    expect(server.requests.length).toBeGreaterThan(5);
  });
});

describe("a server that lies", () => {
  it("about the content", async () => {
    server.use((request, response) => serve(request, response, { content: bytesOf(content.length, 5), etag }));
    await refused(pull(known), /expected SHA-256 \w{64} \(the publisher\), found \w{64}/);
    expect(server.requests).toHaveLength(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("about the MD5 that the publisher prints", async () => {
    server.use(serving());
    await refused(pull({ ...known, md5: "0".repeat(32) }), /expected MD5 0{32} \(the publisher\)/);
  });

  it("about the length: less comes than announced", async () => {
    server.use((_request, response) => {
      response.writeHead(200, { "content-length": String(content.length) });
      response.write(content.subarray(0, 1000), () => response.destroy());
    });
    await refused(pull(unknown), /gave up after 4 tries/);
  });

  it("about the length: more comes than announced", async () => {
    server.use((request, response) => {
      const { socket } = request;
      socket.end(
        Buffer.concat([Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n"), content]),
      );
      response.on("error", () => {});
    });
    await refused(pull(known), /expected|gave up/);
    expect(existsSync(`${target()}.sha256`)).toBe(false);
  });

  it("by sending without end", async () => {
    let sent = 0;
    server.use((_request, response) => {
      response.writeHead(200, { "transfer-encoding": "chunked" });
      const more = (): void => {
        sent += content.length;
        if (!response.destroyed && sent < 500_000_000) response.write(content, () => setImmediate(more));
      };
      more();
    });
    await refused(pull(unknown), /expected at most 1,000,000 bytes, found more/);
    expect(sent).toBeLessThan(100_000_000);
  });

  it("by announcing more than is allowed, before any of it is read", async () => {
    server.use((_request, response) => response.writeHead(200, { "content-length": "1000001" }).write("x"));
    await refused(pull(unknown), /expected at most 1,000,000 bytes, found 1,000,001; raise --max-bytes/);
    await refused(pull(known, { maxBytes: 5 }), /expected at most 5 bytes/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    ["another place", "bytes 60000-299999/300000"],
    ["another size", "bytes 70000-299999/300001"],
    ["nonsense", "bytes 299999-70000/300000"],
    ["nothing", undefined],
  ])("about the range: %s", async (_what, range) => {
    server.use((request, response, count) => {
      if (count !== 1) return serve(request, response, { content, etag, ...(count ? {} : { cutAfter: 70_000 }) });
      const rest = content.subarray(60_000);
      response.writeHead(206, { etag, "content-length": rest.length, ...(range ? { "content-range": range } : {}) });
      response.end(rest);
    });
    await arrives(pull(unknown));
    expect(offsets()).toEqual(["all", "bytes=70000-", "all"]);
  });

  it("with a range that nobody asked for", async () => {
    server.use((_request, response) => response.writeHead(206, { "content-range": "bytes 0-9/10" }).end("0123456789"));
    await refused(pull(unknown), /found it changed/);
  });

  it.each([
    ["compresses", { "content-encoding": "gzip", "content-length": "5" }, /encoded as gzip/],
    ["names no length", { connection: "close" }, /announce a length/],
  ])("that %s is refused", async (_what, headers, message) => {
    server.use((_request, response) => {
      response.useChunkedEncodingByDefault = false;
      response.writeHead(200, headers as Record<string, string>).end("12345");
    });
    await refused(pull(unknown), message);
  });

  it("404 is said at once", async () => {
    server.use((_request, response) => response.writeHead(404).end());
    await refused(pull(known), /expected the file, found status 404/);
    expect(server.requests).toHaveLength(1);
  });

  it("nobody listens", async () => {
    const closed = await startServer();
    await closed.close();
    await refused(pull(known, { from: closed.url }), /ECONNREFUSED.*gave up after 4 tries/);
  });
});

describe("a redirect", () => {
  const redirecting =
    (location: string, status = 302): Handler =>
    (_request, response) =>
      response.writeHead(status, { location }).end();

  it.each([301, 302, 303, 307, 308])("%i is followed, and its target resumed", async (status) => {
    other.use((request, response, count) =>
      serve(request, response, { content, etag, ...(count ? {} : { cutAfter: 70_000 }) }),
    );
    server.use(redirecting(`${other.url}/elsewhere`, status));
    await arrives(pull(unknown));
    expect(other.requests.map(({ url }) => url)).toEqual(["/elsewhere", "/elsewhere"]);
    expect(other.requests[1].headers.range).toBe("bytes=70000-");
  });

  it("may be one of five, not of six", async () => {
    const hops = (many: number): Handler => {
      let hop = 0;
      return (request, response) =>
        hop++ < many ? response.writeHead(302, { location: `/${hop}` }).end() : serve(request, response, { content });
    };
    server.use(hops(6));
    await refused(pull(known), /at most 5 redirects/);
    server.use(hops(5));
    await arrives(pull(known));
  });

  it("loop ends", async () => {
    server.use(redirecting("/file.bin"));
    await refused(pull(known), /at most 5 redirects/);
    expect(server.requests).toHaveLength(6);
  });

  it.each([
    ["file:///etc/passwd", /http or https address, found "file:"/],
    ["ftp://127.0.0.1/x", /found "ftp:"/],
    ["data:text/plain,x", /found "data:"/],
    ["http://user:secret@127.0.0.1/", /without a user or password/],
    ["http://[", /http or https address/],
    ["http://10.0.0.1/", /10\.0\.0\.1: expected a public address/],
    ["http://169.254.169.254/latest/meta-data", /expected a public address/],
    ["http://2130706434/", /127\.0\.0\.2: expected a public address/],
    ["http://[::1]/", /::1: expected a public address/],
    ["http://[::ffff:127.0.0.1]/", /expected a public address/],
    ["http://localhost/", /localhost: expected a public address, found (127\.0\.0\.1|::1)/],
    ["", /name its target/],
  ])("to %s is refused", async (location, message) => {
    server.use(redirecting(location));
    await refused(pull(known), message);
    expect(server.requests).toHaveLength(1);
  });
});

describe("the official address", () => {
  it("is not asked inside the local network, unless --from names it", async () => {
    server.use(serving());
    await refused(pull({ ...known, url: `${server.url}/file.bin` }, { from: undefined }), /expected a public address/);
    expect(server.requests).toHaveLength(0);
    await arrives(pull({ ...known, url: `${server.url}/file.bin` }, { from: `${server.url}/file.bin` }));
  });

  it("binds to the hashes that others list; a mirror is told apart", async () => {
    const file: KnownFile = { ...known, sha256: "0".repeat(64), hashesBy: "TensorFlow Datasets" };
    server.use(serving());
    const official = { ...file, url: `${server.url}/file.bin` };
    await refused(pull(official, { from: official.url }), /expected SHA-256 0{64} \(TensorFlow Datasets\)/);
    await arrives(pull(file));
    expect(notes.join("\n")).toMatch(/trusted at first use.*; not the official file/);
  });
});

describe("a file without a known hash", () => {
  it("is trusted at first use, and held against that later", async () => {
    server.use(serving());
    expect(await pull(unknown)).toMatchObject({ verifiedBy: "first use", sha256: hash(content) });
    expect(notes.join()).toMatch(/trusted at first use/);
    expect(readFileSync(`${target()}.sha256`, "utf8")).toContain(`\n${hash(content)}  file.bin\n`);
    rmSync(target());
    server.use((request, response) => serve(request, response, { content: bytesOf(1000), etag }));
    await refused(pull(unknown), /expected SHA-256 \w{64} \(.*file\.bin\.sha256\).*remove/);
    server.use(serving());
    await arrives(pull(unknown));
  });

  it("is refused when it changed on the disk, and left as it is", async () => {
    server.use(serving());
    await pull(unknown);
    writeFileSync(target(), "changed");
    await expect(pull(unknown)).rejects.toThrow(/is there already: expected SHA-256/);
    expect(readFileSync(target(), "utf8")).toBe("changed");
  });

  it("is not trusted again because its record is damaged", async () => {
    server.use(serving());
    await pull(unknown);
    rmSync(target());
    writeFileSync(`${target()}.sha256`, "");
    await refused(pull(unknown), /expected a SHA-256 and a name/);
  });

  it("can be held against a stated hash", async () => {
    server.use(serving());
    await refused(pull(unknown, { sha256: { "file.bin": "1".repeat(64) } }), /expected SHA-256 1{64} \(--sha256\)/);
    await arrives(pull({ ...known, sha256: "0".repeat(64) }, { sha256: { "file.bin": hash(content) } }));
    expect((await pull({ ...known, sha256: "0".repeat(64) })).wasThere).toBe(true);
  });
});

describe("a partial file", () => {
  it("of another address is not continued", async () => {
    server.use(serving({ cutAfter: 70_000 }));
    await refused(pull(unknown, { tries: 1 }), /gave up/);
    expect(readFileSync(`${target()}.part`)).toEqual(content.subarray(0, 70_000));
    other.use(serving());
    await arrives(pull(unknown, { from: other.url }));
    expect(other.requests[0].headers.range).toBeUndefined();
  });

  it.each(["", "{", "null", '{"url":1}'])("described by %j is not continued", async (text) => {
    writeFileSync(`${target()}.part`, "rubbish");
    writeFileSync(`${target()}.part.json`, text);
    server.use(serving());
    await arrives(pull(unknown));
  });

  it("that a living process writes is left alone; one of a dead process is not", async () => {
    server.use(serving());
    writeFileSync(`${target()}.part.pid`, "1");
    await expect(pull(unknown)).rejects.toThrow(/no other pull of it, found process 1/);
    expect(server.requests).toHaveLength(0);
    writeFileSync(`${target()}.part.pid`, "4194305");
    await arrives(pull(unknown));
  });
});

describe("a target", () => {
  it("that cannot be written is said, with the partial file as well", async () => {
    server.use(serving());
    mkdirSync(join(folder, "file.bin.part"));
    await refused(pull(known), /expected to write what comes, found E/);
    mkdirSync(target());
    await expect(pull(known)).rejects.toThrow(/expected a file or none, found a folder/);
    writeFileSync(join(folder, "plain"), "");
    await expect(pullFile(known, join(folder, "plain", "x"), { from: server.url })).rejects.toThrow(
      /expected a folder to write to/,
    );
  });
});

describe("a local folder", () => {
  it("is copied from under the same rules", async () => {
    const mirror = mkdtempSync(join(tmpdir(), "tepal-mirror-"));
    writeFileSync(join(mirror, "file.bin"), content);
    await arrives(pull(known, { from: mirror }));
    rmSync(target());
    await refused(pull(known, { from: mirror, maxBytes: 10 }), /expected at most 10 bytes, found 300000/);
    writeFileSync(join(mirror, "file.bin"), "wrong");
    await refused(pull(known, { from: mirror }), /expected SHA-256/);
    await refused(pull({ ...known, name: "none" }, { from: mirror }), /expected a file, found none/);
    await refused(pull(known, { from: join(mirror, "none") }), /does not exist/);
    rmSync(mirror, { recursive: true });
  });

  it("must be a folder when several files are wanted", async () => {
    const from = join(folder, "one");
    writeFileSync(from, "x");
    await expect(pullFiles(datasetFiles.flowers102, folder, { from })).rejects.toThrow(/a folder or an address/);
  });
});

describe.skipIf(!hasShared)("the manifest", () => {
  it("holds the hashes and sizes of the real label and split files", async () => {
    const real = datasetFiles.flowers102.filter(({ name }) => name.endsWith(".mat"));
    expect(real).toHaveLength(2);
    const pulled = await pullFiles(real, folder, { from: shared("data/flowers102_meta") });
    for (const [i, { sha256, bytes }] of real.entries()) expect(pulled[i]).toMatchObject({ sha256, bytes });
  });
});
