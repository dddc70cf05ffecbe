import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { encodePng } from "../../src/data/png.node.ts";
import { tarOf } from "../data/archives.ts";
import { gradientImage } from "../data/fixtures.ts";
import { hasShared, shared } from "../shared.ts";

const program = fileURLToPath(new URL("../../bin/tepal.mjs", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "tepal-info-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function tepal(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8" });
  return { code: status, stdout, stderr, last: stderr.trim().split("\n").pop() };
}

/** Two classes of `perClass` pictures that all differ; the first `broken` of the first are none. */
function photographs(name: string, perClass: number, broken: number): string {
  for (const [label, className] of ["rose", "tulip"].entries()) {
    mkdirSync(join(root, name, className), { recursive: true });
    for (let index = 0; index < perClass; index++) {
      const bytes = label === 0 && index < broken ? Buffer.from("x") : encodePng(gradientImage(12 + index, 10 + label));
      writeFileSync(join(root, name, className, `${index}.png`), bytes);
    }
  }
  return join(root, name);
}

describe("data info", () => {
  it("reports counts and sizes, and --json gives them", () => {
    const folder = photographs("good", 3, 0);
    const text = tepal("data", "info", folder);
    expect([text.code, text.code === 0 ? "" : text.stderr]).toEqual([0, ""]);
    expect(text.stdout).toMatch(/6 in 2 classes/);
    expect(text.stdout).toMatch(/width, pixels +12 \/ 13 \/ 14/);
    const { code, stdout, stderr } = tepal("data", "info", folder, "--take", "train=5000", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      images: 6,
      classes: [
        { name: "rose", total: 3 },
        { name: "tulip", total: 3 },
      ],
      broken: [],
      duplicates: [],
      warnings: ["5000 images of train were asked for, but it has 6: all of them will be used"],
    });
    expect(stderr).toContain("5000 images of train");
  });

  it("lists broken ones by name; --strict fails, and so do more than 5 %, with the report all the same", () => {
    const few = photographs("few", 10, 1);
    const listed = tepal("data", "info", few);
    expect([listed.code, listed.stdout]).toEqual([0, expect.stringMatching(/rose\/0\.png: .*JPEG, PNG or WebP/)]);
    const strict = tepal("data", "info", few, "--strict", "--json");
    expect([strict.code, strict.last]).toEqual([3, expect.stringMatching(/rose\/0\.png.*--strict: 1 broken of 20/)]);
    expect(JSON.parse(strict.stdout).broken).toEqual([{ path: "rose/0.png", reason: expect.any(String) }]);
    const many = tepal("data", "info", photographs("many", 10, 2));
    expect([many.code, many.last]).toEqual([
      5,
      expect.stringMatching(/at most 5 % of the 20 .*rose\/0\.png, rose\/1\.png/),
    ]);
  });

  it("says what cannot be opened, and what does not belong together", () => {
    const refused = (code: number, pattern: RegExp, ...args: string[]) => {
      const run = tepal("data", ...args);
      expect([run.code, run.last]).toEqual([code, expect.stringMatching(pattern)]);
    };
    refused(5, /--root/, "info", "flowers102");
    refused(3, /no such file/, "info", join(root, "nowhere"));
    refused(2, /--take expects PART=COUNT/, "info", root, "--take", "5000");
    refused(2, /--strict does not belong to data unpack/, "unpack", "a.tgz", "--root", root, "--strict");
    refused(2, /info/, "look", "x");
  });

  it.skipIf(!hasShared)("knows the small archive of Flowers 102", () => {
    const { code, stdout } = tepal("data", "info", "flowers102", "--root", shared("data/flowers102_mini"), "--json");
    expect([code, JSON.parse(stdout).parts]).toEqual([0, { train: 40, validation: 30, test: 50 }]);
  });
});

describe("data unpack", () => {
  it("unpacks an archive, and refuses one that leaves its target", () => {
    const good = join(root, "good.tgz");
    writeFileSync(good, gzipSync(tarOf([{ name: "jpg/a.txt", body: Buffer.from("a") }])));
    const target = join(root, "unpacked");
    expect(JSON.parse(tepal("data", "unpack", good, "--root", target, "--json").stdout)).toMatchObject({ files: 1 });
    expect(readdirSync(join(target, "jpg"))).toEqual(["a.txt"]);
    const evil = join(root, "evil.tar");
    writeFileSync(evil, tarOf([{ name: "../escaped", body: Buffer.from("a") }]));
    const { code, last } = tepal("data", "unpack", evil, "--root", join(root, "inner"));
    expect([code, last]).toEqual([3, expect.stringMatching(/entry "\.\.\/escaped" leaves its target/)]);
    expect(existsSync(join(root, "escaped"))).toBe(false);
  });
});
