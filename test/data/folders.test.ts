import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readFitted } from "../../src/data/decode.node.ts";
import { createDecoder, type DecodedFile } from "../../src/data/decodePool.node.ts";
import { listedFiles, loadDataset, loadFiles, readSplitFile, scanClassFolders } from "../../src/data/folders.node.ts";
import { encodePng } from "../../src/data/png.node.ts";
import { DataError, FileError } from "../../src/engine/errors.ts";
import { hasShared, shared } from "../shared.ts";
import { gradientImage, temporaryFolder } from "./fixtures.ts";

const root = temporaryFolder();

/** A data folder of PNGs, `counts[i]` for class i; picture k of a class is uniformly of grey level k. */
function makeFolder(name: string, counts: Record<string, number>): string {
  for (const [className, count] of Object.entries(counts)) {
    mkdirSync(join(root, name, className), { recursive: true });
    for (let k = 0; k < count; k++) {
      const data = new Uint8Array(12 * 10 * 3).fill(k);
      writeFileSync(
        join(root, name, className, `${String(k).padStart(3, "0")}.png`),
        encodePng({ width: 12, height: 10, data }),
      );
    }
  }
  return join(root, name);
}

const target = { height: 8, width: 8, resize: "aspect" as const };

async function collect(files: AsyncIterable<DecodedFile>): Promise<DecodedFile[]> {
  const results: DecodedFile[] = [];
  for await (const file of files) results.push(file);
  return results;
}

describe("scanClassFolders", () => {
  it("lists classes and photographs in order, without hidden files or others", async () => {
    const folder = makeFolder("scan", { tulip: 2, Daisy: 1, rose: 1 });
    writeFileSync(join(folder, "rose", ".hidden.png"), "");
    writeFileSync(join(folder, "rose", "notes.txt"), "");
    writeFileSync(join(folder, "README.md"), "");
    mkdirSync(join(folder, ".cache"));
    mkdirSync(join(folder, "rose", "folder.png"));
    expect(await scanClassFolders(folder)).toEqual({
      classNames: ["Daisy", "rose", "tulip"],
      files: [
        { path: "Daisy/000.png", label: 0 },
        { path: "rose/000.png", label: 1 },
        { path: "tulip/000.png", label: 2 },
        { path: "tulip/001.png", label: 2 },
      ],
    });
  });

  it("names what is wrong", async () => {
    const scan = (name: string) => scanClassFolders(join(root, name));
    await expect(scan("nowhere")).rejects.toThrow(/nowhere: .*there is none/);
    await expect(scan("nowhere")).rejects.toBeInstanceOf(DataError);
    mkdirSync(join(root, "flat"));
    writeFileSync(join(root, "flat", "a.png"), "");
    await expect(scan("flat")).rejects.toThrow(/one folder a class, found none/);
    await expect(scan("flat/a.png")).rejects.toThrow(/it is a file/);
    makeFolder("gaps", { full: 1 });
    mkdirSync(join(root, "gaps", "bare"));
    await expect(scan("gaps")).rejects.toThrow(/no photographs in bare;/);
  });
});

describe("createDecoder", () => {
  const folder = makeFolder("pool", { a: 40 });
  const paths = Array.from({ length: 40 }, (_, k) => join(folder, "a", `${String(k).padStart(3, "0")}.png`));
  paths.splice(7, 0, join(folder, "a", "missing.png"));

  it.each([0, 1, 3])("keeps the order with %i threads, and goes on after a broken file", async (threads) => {
    const decoder = createDecoder({ ...target, threads });
    const results = await collect(decoder.decode(paths));
    expect(results.map((result) => result.path)).toEqual(paths);
    const levels = results.map((result) => ("error" in result ? result.error : result.pixels[5]));
    expect(levels[7]).toBeInstanceOf(FileError);
    expect((levels[7] as FileError).message).toMatch(/missing\.png: .*no such file/);
    levels.splice(7, 1);
    expect(levels).toEqual(Array.from({ length: 40 }, (_, k) => k));
    await decoder.close();
  });

  it("really uses threads", async () => {
    const decoder = createDecoder({ ...target, threads: 2 });
    await collect(decoder.decode(paths.slice(0, 2)));
    expect((decoder as unknown as { idle: unknown[] }).idle.length).toBe(2);
    await decoder.close();
  });

  it("gives the same bits on a thread and without", async () => {
    const decoder = createDecoder({ height: 9, width: 7, resize: "tf", threads: 1 });
    writeFileSync(join(folder, "a", "gradient.png"), encodePng(gradientImage(50, 40)));
    const file = join(folder, "a", "gradient.png");
    const [result] = await collect(decoder.decode([file]));
    expect("pixels" in result && result.pixels).toEqual(await readFitted(file, { height: 9, width: 7, resize: "tf" }));
    await decoder.close();
  });

  it("serves two lists at once, stops early, and ends cleanly", async () => {
    const decoder = createDecoder({ ...target, threads: 2 });
    const [first, second] = await Promise.all([
      collect(decoder.decode(paths.slice(20, 30))),
      collect(decoder.decode(paths.slice(30, 40))),
    ]);
    expect([...first, ...second].map((result) => result.path)).toEqual(paths.slice(20, 40));
    for await (const result of decoder.decode(paths)) {
      expect(result.path).toBe(paths[0]);
      break;
    }
    await decoder.close();
    const [late] = await collect(decoder.decode(paths.slice(0, 1)));
    expect("error" in late && late.error.message).toMatch(/the decoder is closed/);
  });

  it("replaces a thread that dies, and names the file it died on", async () => {
    const decoder = createDecoder({ ...target, threads: 1 });
    const iterator = decoder.decode(paths.slice(0, 5))[Symbol.asyncIterator]();
    await iterator.next();
    const { busy } = decoder as unknown as { busy: Map<{ terminate(): Promise<number> }, unknown> };
    const fates: boolean[] = [];
    // Kill at a moment when a task is certainly in flight: directly after handing one over.
    const rest = collect(decoder.decode(paths.slice(10, 14)));
    await new Promise<void>((resolve) => {
      const poll = () => {
        const [worker] = busy.keys();
        if (!worker) return setImmediate(poll);
        void worker.terminate().then(() => resolve());
      };
      poll();
    });
    for (const result of await rest) fates.push("pixels" in result);
    while (true) {
      const { done, value } = await iterator.next();
      if (done) break;
      fates.push("pixels" in value);
    }
    expect(fates.length).toBe(8);
    expect(fates.filter((decoded) => !decoded).length).toBeLessThanOrEqual(1);
    await decoder.close();
  });
});

describe("loadDataset", () => {
  it("loads bytes for aspect and floats for tf, with labels and names", async () => {
    const folder = makeFolder("load", { b: 2, a: 3 });
    const progress: number[] = [];
    const { images, broken } = await loadDataset(folder, {
      ...target,
      threads: 0,
      onProgress: (done) => progress.push(done),
    });
    expect(broken).toEqual([]);
    expect(images.classNames).toEqual(["a", "b"]);
    expect([...images.labels]).toEqual([0, 0, 0, 1, 1]);
    expect(images.names[4]).toBe("b/001.png");
    expect(images.pixels).toBeInstanceOf(Uint8Array);
    expect(images.pixels[2 * 8 * 8 * 3]).toBe(2);
    expect(progress).toEqual([1, 2, 3, 4, 5]);
    const floats = await loadDataset(folder, { ...target, resize: "tf", threads: 0 });
    expect(floats.images.pixels).toBeInstanceOf(Float32Array);
  });

  it("skips broken photographs by name, up to 5 %", async () => {
    const folder = makeFolder("broken", { a: 20, b: 20 });
    writeFileSync(join(folder, "a", "005.png"), "not a picture");
    writeFileSync(join(folder, "b", "000.png"), "");
    const options = { ...target, threads: 0 };
    const { images, broken } = await loadDataset(folder, options);
    expect(broken.map((image) => image.path)).toEqual(["a/005.png", "b/000.png"]);
    expect(broken[1].reason).toMatch(/the file is empty/);
    expect(images.names.length).toBe(38);
    expect(images.pixels.length).toBe(38 * 8 * 8 * 3);
    expect(images.pixels[5 * 8 * 8 * 3]).toBe(6);
    await expect(loadDataset(folder, { ...options, strict: true })).rejects.toThrow(/a\/005\.png: /);
    await expect(loadDataset(folder, { ...options, strict: true })).rejects.toBeInstanceOf(FileError);
    writeFileSync(join(folder, "b", "001.png"), "");
    await expect(loadDataset(folder, options)).rejects.toThrow(
      /at most 5 % of the 40 .*a\/005\.png, b\/000\.png, b\/001\.png/,
    );
    await expect(loadDataset(folder, options)).rejects.toBeInstanceOf(DataError);
  });
});

describe("readSplitFile", () => {
  const folder = makeFolder("split", { a: 3, b: 2 });
  const write = (content: object) => {
    writeFileSync(join(root, "split.json"), JSON.stringify(content));
    return readSplitFile(join(root, "split.json"), folder);
  };

  it("gives lists that loadFiles reads", async () => {
    const split = await write({ classes: ["b", "a"], train: ["a/000.png", "b/001.png"], validation: ["a/002.png"] });
    expect(split.test).toEqual([]);
    const { images } = await loadFiles(folder, listedFiles(split.classes, split.train), { ...target, threads: 0 });
    expect([...images.labels]).toEqual([1, 0]);
    expect(images.classNames).toEqual(["b", "a"]);
  });

  it("names files that are not on disk", async () => {
    const missing = write({ classes: ["a", "b"], train: ["a/000.png", "a/009.png"], validation: ["b/777.png"] });
    await expect(missing).rejects.toBeInstanceOf(DataError);
    await expect(missing).rejects.toThrow(/2 of its files are not in .*: a\/009\.png, b\/777\.png/);
    await expect(readSplitFile(join(root, "no.json"), folder)).rejects.toThrow(/no\.json: .*cannot be read \(ENOENT\)/);
  });
});

describe.skipIf(!hasShared)("the flower photographs", () => {
  it("has the split's files, and decodes all of them on two threads", async () => {
    const folder = shared("data/flower_photos");
    const split = await readSplitFile(shared("data/flower_photos_split.json"), folder);
    expect([split.train.length, split.validation.length]).toEqual([1320, 330]);
    const start = performance.now();
    const { images, broken } = await loadDataset(folder, { height: 96, width: 96, resize: "tf", threads: 2 });
    console.info(`1650 photographs at 96 px, 2 threads: ${((performance.now() - start) / 1000).toFixed(2)} s`);
    expect(broken).toEqual([]);
    expect(images.names.length).toBe(1650);
    expect([...new Set(images.labels)]).toEqual([0, 1, 2, 3, 4]);
    const folders = readdirSync(folder).sort();
    expect(images.classNames).toEqual(folders);
    expect(readFileSync(join(folder, images.names[1649])).length).toBeGreaterThan(0);
  });
});
