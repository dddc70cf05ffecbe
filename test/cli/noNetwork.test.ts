/** Only `pull` opens a connection in Node, and a page only to the address it names: no other source file can, no other command tries. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodePng } from "../../src/data/png.node.ts";
import { serializeSafetensors } from "../../src/nn/formats/safetensors.ts";
import { hasShared, shared } from "../shared.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

const NETWORK_MODULES = /^(?:node:)?(?:https?|http2|net|tls|dgram|dns|undici|ws)(?:\/|$)/;
const NETWORK_NAMES = new Set(["fetch", "XMLHttpRequest", "WebSocket", "EventSource", "WebTransport", "sendBeacon"]);

const GLOBALS = new Set(["globalThis", "window", "self", "navigator"]);

/** The string names a module that is loaded here, not only its types. */
function isLoaded({ parent }: ts.StringLiteralLike): boolean {
  if (ts.isImportDeclaration(parent)) return parent.importClause?.phaseModifier !== ts.SyntaxKind.TypeKeyword;
  if (ts.isExportDeclaration(parent)) return !parent.isTypeOnly;
  return (
    ts.isCallExpression(parent) && /(?:^import|\brequire\w*|\bgetBuiltinModule)$/.test(parent.expression.getText())
  );
}

/** The identifier stands for the global of that name: it is no property of something else, and no key. */
function isGlobal({ parent, text }: ts.Identifier, declared: ReadonlySet<string>): boolean {
  if (ts.isPropertyAccessExpression(parent) && parent.name.text === text)
    return GLOBALS.has(parent.expression.getText());
  if (ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent))
    return (parent as ts.PropertyAssignment).initializer?.getText() === text;
  return !declared.has(text);
}

/** Each import and each name by which a source file could reach the network. */
function networkUses(path: string, text: string): string[] {
  const uses: string[] = [];
  const declared = new Set<string>();
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const walk = (node: ts.Node, visit: (node: ts.Node) => void): void => {
    visit(node);
    ts.forEachChild(node, (child) => walk(child, visit));
  };
  walk(source, (node) => {
    const declares = ts.isVariableDeclaration(node) || ts.isParameter(node) || ts.isFunctionDeclaration(node);
    if (declares && node.name && ts.isIdentifier(node.name)) declared.add(node.name.text);
  });
  walk(source, (node) => {
    if (ts.isStringLiteralLike(node) && NETWORK_MODULES.test(node.text) && isLoaded(node)) uses.push(node.text);
    if (ts.isIdentifier(node) && NETWORK_NAMES.has(node.text) && isGlobal(node, declared)) uses.push(node.text);
    // globalThis["fetch"]
    if (ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression))
      if (NETWORK_NAMES.has(node.argumentExpression.text)) uses.push(node.argumentExpression.text);
  });
  return uses;
}

describe("the sources", () => {
  const paths = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => relative(root, join(root, "src", path)));

  it("reach the network from one file in Node, and in a page from the one that reads what it was told to", () => {
    expect(paths.length).toBeGreaterThan(100);
    const users = paths.filter((path) => networkUses(path, readFileSync(join(root, path), "utf8")).length > 0);
    expect(users.sort()).toEqual(["src/data/pullHttp.node.ts", "src/interop/decode.ts"]);
  });

  it.each([
    ['import { get } from "node:https";', ["node:https"]],
    ['const m = await import("net");', ["net"]],
    ['const m = process.getBuiltinModule("node:dns/promises");', ["node:dns/promises"]],
    ['await fetch("/x");', ["fetch"]],
    ['globalThis["fetch"]("/x");', ["fetch"]],
    ['window.fetch("/x"); use({ send: fetch });', ["fetch", "fetch"]],
    ["const fetch = load; fetch(0); options.fetch; use({ fetch: 1 });", []],
    ['import type { Server } from "node:http";', []],
    ["new WebSocket(url);", ["WebSocket"]],
    ['// fetch and node:http in a comment\nconst net = "net";', []],
  ])("are searched for what would be: %s", (text, uses) => expect(networkUses("x.ts", text)).toEqual(uses));
});

const folder = mkdtempSync(join(tmpdir(), "tepal-network-"));
const log = join(folder, "log");
const preload = join(folder, "preload.mjs");
const weights = join(folder, "small.safetensors");
const photos = join(folder, "photos");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs before the program and in its worker threads: every way out is recorded, and refused. */
const PRELOAD = `
import { appendFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import dgram from "node:dgram";
import dns from "node:dns";
import net from "node:net";
const say = (text) => appendFileSync(${JSON.stringify(log)}, text + "\\n");
const refuse = (what) => function () { say("tried " + what); throw new Error("no network here: " + what); };
for (const name of ["lookup", "resolve", "resolve4", "resolve6", "resolveAny"]) {
  dns[name] = refuse("dns." + name);
  if (dns.promises[name]) dns.promises[name] = refuse("dns.promises." + name);
}
net.Socket.prototype.connect = refuse("connect");
dgram.Socket.prototype.send = refuse("send");
net.Server.prototype.listen = refuse("listen");
for (const name of ["fetch", "WebSocket", "EventSource"]) globalThis[name] = refuse(name);
syncBuiltinESMExports();
say("loaded");
`;

beforeAll(() => {
  writeFileSync(preload, PRELOAD);
  const tensors = { "a/kernel": { dtype: "F32" as const, shape: [2], data: new Float32Array([1, 2]) } };
  writeFileSync(weights, serializeSafetensors(tensors));
  for (const name of ["daisy", "tulips"]) {
    mkdirSync(join(photos, name), { recursive: true });
    for (let i = 0; i < 3; i++) {
      const pixels = new Uint8Array(4 * 8 * 8).map((_, at) => (at * 7 + i * 31 + name.length) & 255);
      writeFileSync(join(photos, name, `${i}.png`), encodePng({ width: 8, height: 8, data: pixels }));
    }
  }
});

function tepal(...args: string[]) {
  rmSync(log, { force: true });
  const program = join(root, "bin/tepal.mjs");
  const env = { ...process.env, NODE_OPTIONS: `--import=${pathToFileURL(preload).href}` };
  const { status, stderr, stdout } = spawnSync(process.execPath, [program, ...args], {
    encoding: "utf8",
    env,
    cwd: folder,
  });
  const lines = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
  expect(lines).toContain("loaded");
  return { status, stderr, stdout, tried: lines.filter((line) => line !== "loaded") };
}

describe("a command", () => {
  const commands = [
    ["--help"],
    ["--version"],
    ["doctor", "--help"],
    ["weights", "info", weights],
    ["weights", "convert", weights, join(folder, "out.safetensors")],
    ["kernels", "--list"],
    ["data", "info", photos],
    ["data", "pull", "--help"],
  ];
  it.each(commands.map((args) => [args.slice(0, 2).join(" "), args] as const))(
    "%s opens no connection",
    (_name, args) => {
      const { status, tried, stderr } = tepal(...args);
      expect(tried).toEqual([]);
      expect([status, stderr]).toEqual([0, stderr]);
    },
  );

  it.skipIf(!hasShared)("that classifies opens no connection", () => {
    const file = shared("weights/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5");
    const { status, tried } = tepal("classify", join(photos, "daisy/0.png"), "--weights", file, "--size", "32");
    expect([status, tried]).toEqual([0, []]);
  });

  it("that pulls from a folder opens no connection", () => {
    writeFileSync(join(folder, "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5"), "x");
    const { status, tried } = tepal("weights", "pull", "mobilenet_v2", "--from", folder, "--out", join(folder, "w.h5"));
    expect([status, tried]).toEqual([0, []]);
  });

  it.each([
    ["the publisher", [], /tried (?:dns\.)?(?:lookup|connect)/],
    ["a mirror", ["--from", "http://127.0.0.1:9/"], /tried connect/],
  ])("that pulls from %s would, and is caught", (_what, from, attempt) => {
    const { status, tried } = tepal("weights", "pull", "mobilenet_v2", "--out", join(folder, "n.h5"), ...from);
    expect(status).not.toBe(0);
    expect(tried.join("\n")).toMatch(attempt);
    expect(existsSync(join(folder, "n.h5"))).toBe(false);
  });
});
