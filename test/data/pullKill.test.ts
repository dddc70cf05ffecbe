/** A pull that is killed again and again: the final file is right or absent, and the last pull finishes what the others began. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer, type TestServer } from "./pullServer.ts";

const KILLS = 12;
const content = Buffer.alloc(2_000_000, "0123456789abcdefghijklmnopqrstuvwxyz_");
const hash = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const folder = mkdtempSync(join(tmpdir(), "tepal-kill-"));
const program = join(folder, "program.mjs");
let server: TestServer;

beforeAll(async () => {
  const entry = fileURLToPath(new URL("./pullProgram.ts", import.meta.url));
  await build({ entryPoints: [entry], outfile: program, bundle: true, platform: "node", format: "esm" });
  server = await startServer();
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Sends about 10 kB every millisecond, so that a kill finds the file in any state. */
function serveSlowly(): void {
  server.use((request, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const range = { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` };
    const length = { etag: '"one"', "content-length": String(content.length - start) };
    response.writeHead(start > 0 ? 206 : 200, start > 0 ? { ...length, ...range } : length);
    let sent = start;
    const timer = setInterval(() => {
      const end = Math.min(content.length, sent + 10_000);
      response.write(content.subarray(sent, end));
      sent = end;
      if (sent < content.length) return;
      clearInterval(timer);
      response.end();
    }, 1);
    response.on("close", () => clearInterval(timer));
  });
}

/** Runs the program; kills it where `killAt` bytes lie in the part. Gives its exit code, null where it was killed. */
function run(target: string, sha256: string, killAt: number): Promise<number | null> {
  const child = spawn(process.execPath, [program, target, `${server.url}/`, sha256], { stdio: "inherit" });
  const timer = setInterval(() => {
    const size = statSync(`${target}.part`, { throwIfNoEntry: false })?.size ?? 0;
    if (size >= killAt) child.kill("SIGKILL");
  }, 1);
  return new Promise((done) =>
    child.on("close", (code) => {
      clearInterval(timer);
      done(code);
    }),
  );
}

describe("a pull that is killed", () => {
  it.each([
    ["a known hash", hash(content)],
    ["no known hash", ""],
  ])("leaves no wrong file and is continued, with %s", async (_what, sha256) => {
    const target = join(mkdtempSync(join(folder, "run-")), "file.bin");
    serveSlowly();
    let killed = 0;
    for (let i = 1; i <= KILLS; i++) {
      if ((await run(target, sha256, (content.length * i) / KILLS)) === null) killed++;
      if (existsSync(target)) expect(hash(readFileSync(target))).toBe(hash(content));
    }
    expect(killed).toBeGreaterThan(KILLS / 2);
    const resumed = server.requests.filter(({ headers }) => headers.range !== undefined);
    expect(resumed.length).toBeGreaterThan(KILLS / 2);
    expect(await run(target, sha256, Number.POSITIVE_INFINITY)).toBe(0);
    expect(hash(readFileSync(target))).toBe(hash(content));
    const left = readdirSync(join(target, "..")).sort();
    expect(left).toEqual(sha256 ? ["file.bin"] : ["file.bin", "file.bin.sha256"]);
  });
});
