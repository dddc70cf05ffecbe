import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { readArchive, safeEntryName, unpackArchive } from "../../src/data/archive.node.ts";
import { FileError } from "../../src/engine/errors.ts";
import { type TarEntry, tarOf } from "./archives.ts";
import { temporaryFolder } from "./fixtures.ts";
import { mutate } from "./mutate.ts";

const root = temporaryFolder();
let made = 0;

function archive(bytes: Uint8Array): string {
  const path = join(root, `${made++}.tar`);
  writeFileSync(path, bytes);
  return path;
}

/** Every path below the folder of the tests, to see that nothing was written elsewhere. */
const filesBelow = (folder: string): string[] => (readdirSync(folder, { recursive: true }) as string[]).sort();

const file = (name: string, text = name): TarEntry => ({ name, body: Buffer.from(text) });

async function contents(path: string): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const entry of readArchive(path))
    if (entry.kind === "file") found.push([entry.name, Buffer.from(await entry.read()).toString()]);
  return found;
}

describe("readArchive", () => {
  const entries = [
    { name: "jpg/", type: "5" },
    file("jpg/a.jpg"),
    file("./jpg//b.jpg", "b".repeat(100_000)),
    file("empty", ""),
  ];
  const expected = [
    ["jpg/a.jpg", "jpg/a.jpg"],
    ["jpg/b.jpg", "b".repeat(100_000)],
    ["empty", ""],
  ];

  it("gives the entries of plain and gzipped archives", async () => {
    expect(await contents(archive(tarOf(entries)))).toEqual(expected);
    expect(await contents(archive(gzipSync(tarOf(entries))))).toEqual(expected);
  });

  it("passes over what is not read, and ends when the reader has enough", async () => {
    const path = archive(gzipSync(tarOf(entries)));
    const names: string[] = [];
    for await (const { name } of readArchive(path)) names.push(name);
    expect(names).toEqual(["jpg", "jpg/a.jpg", "jpg/b.jpg", "empty"]);
    for await (const { name } of readArchive(path)) {
      expect(name).toBe("jpg");
      break;
    }
  });

  it("holds no large entry in memory", async () => {
    const size = 200 * 2 ** 20;
    const path = join(root, "large.tar");
    writeFileSync(path, tarOf([{ name: "large", size }]).subarray(0, 512));
    const piece = new Uint8Array(2 ** 20).fill(7);
    for (let written = 0; written < size; written += piece.length) writeFileSync(path, piece, { flag: "a" });
    writeFileSync(path, new Uint8Array(1024), { flag: "a" });
    const before = process.memoryUsage().rss;
    let most = 0;
    let total = 0;
    for await (const entry of readArchive(path))
      for await (const chunk of entry.chunks()) {
        total += chunk.length;
        most = Math.max(most, process.memoryUsage().rss - before);
      }
    expect(total).toBe(size);
    expect(most).toBeLessThan(64 * 2 ** 20);
  });

  it.each<[string, TarEntry[], RegExp]>([
    ["an absolute path", [file("/etc/passwd")], /entry "\/etc\/passwd" is an absolute path/],
    ["a drive", [file("C:/evil")], /"C:\/evil" is an absolute path/],
    ["a way up", [file("a/../../evil")], /"a\/\.\.\/\.\.\/evil" leaves its target/],
    ["a way up inside", [file("a/../b")], /leaves its target/],
    ["a backslash", [file("..\\evil")], /backslash/],
    ["a control character", [file("a\nb")], /control character/],
    [
      "a symbolic link",
      [{ name: "here", type: "2", linkname: "/etc" }, file("here/evil")],
      /entry "here" is a symlink to "\/etc"/,
    ],
    ["a hard link", [{ name: "here", type: "1", linkname: "../x" }], /entry "here" is a link/],
    ["a device", [{ name: "null", type: "3" }], /entry "null" is a character-device/],
    ["a pipe", [{ name: "pipe", type: "6" }], /entry "pipe" is a fifo/],
    ["a huge entry", [{ name: "huge", size: 2 ** 32 }], /entry "huge" announces 4294967296 bytes/],
    ["an entry without a name", [file("./")], /has no name/],
  ])("refuses %s, and writes nothing", async (_, hostile, message) => {
    const path = archive(tarOf([file("first"), ...hostile]));
    await expect(contents(path)).rejects.toThrow(message);
    const target = join(root, `target-${made}`);
    const before = filesBelow(root);
    await expect(unpackArchive(path, target)).rejects.toThrow(message);
    await expect(unpackArchive(path, target)).rejects.toBeInstanceOf(FileError);
    // The folder itself is all that is new: what came before the hostile entry is taken back.
    expect(filesBelow(root)).toEqual([...before, `target-${made}`].sort());
  });

  it("refuses damage, cuts, bombs, and entries that are too many or too large to be read whole", async () => {
    const whole = tarOf(entries);
    await expect(contents(join(root, "none.tgz"))).rejects.toThrow(/none\.tgz: .*no such file/);
    await expect(contents(archive(Buffer.from("not a tar at all".repeat(100))))).rejects.toThrow(/intact tar archive/);
    await expect(contents(archive(whole.subarray(0, 60_000)))).rejects.toThrow(/intact tar archive/);
    await expect(contents(archive(gzipSync(whole).subarray(0, 200)))).rejects.toThrow(/intact tar archive/);
    const bomb = gzipSync(tarOf([{ name: "zeros", body: new Uint8Array(100 * 2 ** 20) }]));
    await expect(unpackArchive(archive(bomb), join(root, "bomb"))).rejects.toThrow(
      /expected at most \d+ bytes from a file of \d+/,
    );
    expect(readdirSync(join(root, "bomb"))).toEqual([]);
    const few = async () => {
      for await (const _ of readArchive(archive(whole), { entryBytes: 1e9, entries: 2 }));
    };
    await expect(few()).rejects.toThrow(/at most 2 entries/);
    const small = async () => {
      for await (const entry of readArchive(archive(whole))) await entry.read(1000);
    };
    await expect(small()).rejects.toThrow(/entry "jpg\/b\.jpg" has 100000 bytes, expected at most 1000/);
  });

  it("survives 1,000 seeded mutants, plain and gzipped, and writes only into its target", async () => {
    const source = tarOf([
      { name: "jpg/", type: "5" },
      ...Array.from({ length: 8 }, (_, i) => file(`jpg/image_${i}.jpg`, "photo".repeat(90))),
    ]);
    const target = join(root, "mutants");
    const path = join(root, "mutant.tgz");
    const before = process.memoryUsage().rss;
    let refused = 0;
    let most = 0;
    for (let seed = 0; seed < 1000; seed++) {
      const mutant =
        seed % 2 === 0
          ? mutate(source, seed)
          : seed % 4 === 1
            ? gzipSync(mutate(source, seed))
            : mutate(gzipSync(source), seed);
      writeFileSync(path, mutant);
      const others = seed % 100 === 0 ? filesBelow(root).filter((name) => !name.startsWith("mutants")) : [];
      const start = performance.now();
      try {
        await unpackArchive(path, join(target, String(seed)));
      } catch (error) {
        expect(error, `seed ${seed}`).toBeInstanceOf(FileError);
        refused++;
      }
      expect(performance.now() - start, `seed ${seed}`).toBeLessThan(2000);
      most = Math.max(most, process.memoryUsage().rss - before);
      if (seed % 100 === 0) expect(filesBelow(root).filter((name) => !name.startsWith("mutants"))).toEqual(others);
    }
    expect(refused).toBeGreaterThan(200);
    expect(refused).toBeLessThan(1000);
    expect(most).toBeLessThan(64 * 2 ** 20 + 4 * source.length);
  });
});

describe("unpackArchive", () => {
  it("writes files into their folders, and never over one or through a link", async () => {
    const path = archive(gzipSync(tarOf([file("a/b/c.txt", "hello"), file("d.txt")])));
    const target = join(root, "good");
    expect(await unpackArchive(path, target)).toEqual(["a/b/c.txt", "d.txt"]);
    expect(readFileSync(join(target, "a/b/c.txt"), "utf8")).toBe("hello");
    writeFileSync(join(target, "d.txt"), "mine");
    await expect(unpackArchive(path, target)).rejects.toThrow(/c\.txt: expected no such file/);
    expect(readFileSync(join(target, "d.txt"), "utf8")).toBe("mine");
    expect(existsSync(join(target, "a/b/c.txt"))).toBe(true);

    const outside = join(root, "outside");
    const trap = join(root, "trap");
    mkdirSync(outside);
    mkdirSync(trap);
    symlinkSync(outside, join(trap, "a"));
    await expect(unpackArchive(path, trap)).rejects.toThrow(/"a\/b\/c\.txt": expected a folder at .*found a link/);
    expect(readdirSync(outside)).toEqual([]);
  });

  it("knows safe names", () => {
    expect(safeEntryName("./a//b/./c")).toBe("a/b/c");
    expect(safeEntryName("a..b/..c")).toBe("a..b/..c");
  });
});
