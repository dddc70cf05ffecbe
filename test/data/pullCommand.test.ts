import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { datasetFiles, weightFiles } from "../../src/data/pullManifest.ts";

const program = fileURLToPath(new URL("../../bin/tepal.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tepal-command-"));
const mirror = join(folder, "mirror");
const flowers = datasetFiles.flowers102.map(({ name }) => name);
const cifar = datasetFiles.cifar10[0].name;
beforeAll(() => {
  mkdirSync(mirror);
  for (const name of [...flowers, cifar, weightFiles.withHead.name, weightFiles.withoutHead.name])
    writeFileSync(join(mirror, name), `content of ${name}`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function tepal(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8", cwd: folder });
  return { code: status, stdout, stderr };
}
const hashOf = (name: string) => createHash("sha256").update(`content of ${name}`).digest("hex");

describe("tepal data pull", () => {
  it("fetches every file of a data set, and says once more that it is there", () => {
    const { code, stdout, stderr } = tepal("data", "pull", "flowers102", "--from", mirror, "--json");
    expect([code, stderr]).toEqual([0, expect.stringContaining("trusted at first use")]);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ name: "flowers102", folder: "flowers102" });
    const wanted = flowers.map((name) => ({ name, sha256: hashOf(name), wasThere: false, verifiedBy: "first use" }));
    expect(result.files).toMatchObject(wanted);
    for (const name of flowers)
      expect(readFileSync(join(folder, "flowers102", name), "utf8")).toBe(`content of ${name}`);
    expect(tepal("data", "pull", "flowers102", "--from", mirror).stdout.match(/was there/g)).toHaveLength(3);
  });

  it("takes no other CIFAR-10 than its publisher's, unless its hash is stated", () => {
    const out = join(folder, "cifar");
    const refused = tepal("data", "pull", "cifar10", "--from", mirror, "--out", out);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toMatch(/^tepal: [^\n]*expected MD5 c32a1d4ab5d03f1284b67883e8d87530[^\n]*--sha256\n$/);
    expect(existsSync(join(out, cifar))).toBe(false);
    const stated = tepal("data", "pull", "cifar10", "--from", mirror, "--out", out, "--sha256", hashOf(cifar));
    expect([stated.code, existsSync(join(out, cifar))]).toEqual([0, true]);
  });
});

describe("tepal weights pull", () => {
  it.each([
    ["with the head", [], weightFiles.withHead.name],
    ["without it", ["--no-top"], weightFiles.withoutHead.name],
  ])("fetches the file %s to where it is asked to", (_what, options, name) => {
    const out = join(folder, `renamed-${name}`);
    const { code, stdout } = tepal("weights", "pull", "mobilenet_v2", ...options, "--from", mirror, "--out", out);
    expect([code, stdout]).toEqual([0, expect.stringContaining(hashOf(name))]);
    expect(readFileSync(out, "utf8")).toBe(`content of ${name}`);
  });
});

describe("misuse", () => {
  it.each([
    [["data", "pull", "mnist"], 2, /flowers102, cifar10, found "mnist"/],
    [["data", "pull", "cifar10", "--sha256", "abc"], 2, /--sha256 expects NAME=HASH/],
    [["data", "pull", "flowers102", "--sha256", "0".repeat(64)], 2, /--sha256 expects NAME=HASH/],
    [["data", "pull", "cifar10", "--from", "nowhere"], 3, /"nowhere" does not exist/],
    [["data", "pull", "cifar10", "--from", "file:///tmp"], 3, /http or https address, found "file:"/],
    [["data", "pull", "cifar10", "--from", "mirror", "--max-bytes", "3"], 3, /at most 3 bytes/],
    [["weights", "pull", "vgg16"], 2, /expects mobilenet_v2, found "vgg16"/],
    [["weights", "pull", "mobilenet_v2", "other"], 2, /one name, found also "other"/],
    [["weights", "pull", "mobilenet_v2", "--dtype", "float16"], 2, /--dtype belongs to weights convert/],
    [["weights", "info", "x", "--from", "y"], 2, /--from belongs to weights pull/],
  ])("%j ends with code %i", (args, code, message) => {
    const outcome = tepal(...args);
    expect([outcome.code, outcome.stdout]).toEqual([code, ""]);
    expect(outcome.stderr).toMatch(/^tepal: [^\n]+\n$/);
    expect(outcome.stderr).toMatch(message);
  });
});
