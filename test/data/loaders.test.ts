import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { unpackArchive } from "../../src/data/archive.node.ts";
import { countByClass } from "../../src/data/datasets.ts";
import { openFlowers102, readFlowers102Labels } from "../../src/data/flowers102.node.ts";
import { flowerNames } from "../../src/data/flowers102Names.ts";
import { listClasses, parseList } from "../../src/data/listFile.ts";
import { openDataset } from "../../src/data/loaders.node.ts";
import type { ImageDataset } from "../../src/data/loaders.ts";
import { openPetals } from "../../src/data/loadersPetals.ts";
import { loadImages } from "../../src/data/loadImages.node.ts";
import { renderPetal } from "../../src/data/petals.ts";
import { encodePng } from "../../src/data/png.node.ts";
import { DataError, FileError } from "../../src/engine/errors.ts";
import { hasShared, shared } from "../shared.ts";
import { matOf, type TarEntry, tarOf } from "./archives.ts";
import { gradientImage, temporaryFolder } from "./fixtures.ts";
import { mutate } from "./mutate.ts";

const root = temporaryFolder();
const target = { height: 8, width: 8, resize: "aspect" as const, threads: 0 };

/** A folder in Flowers 102's layout; `change` replaces files before they are written. */
function flowersFolder(name: string, change: Record<string, Uint8Array> = {}, entries?: TarEntry[]): string {
  const folder = join(root, name);
  mkdirSync(folder);
  const labels = [1, 2, 3, 1, 2, 3, 1, 2];
  const photographs = labels.map((_, index) => ({
    name: `jpg/image_0000${index + 1}.jpg`,
    body: encodePng(gradientImage(20 + index, 16)),
  }));
  const files = {
    "102flowers.tgz": gzipSync(tarOf(entries ?? [{ name: "jpg/", type: "5" }, ...photographs])),
    "imagelabels.mat": matOf([{ name: "labels", type: "uint8", values: labels }], { compressed: true }),
    "setid.mat": matOf([
      { name: "trnid", type: "uint16", values: [5, 1, 3] },
      { name: "valid", type: "uint8", values: [2, 4] },
      { name: "tstid", values: [8, 6] },
    ]),
    ...change,
  };
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(folder, file), bytes);
  return folder;
}

const partNames = ({ items, parts }: ImageDataset) =>
  Object.fromEntries(
    Object.entries(parts ?? {}).map(([part, indices]) => [part, indices.map((index) => basename(items[index].name))]),
  );

describe("flowers102", () => {
  it("has the publisher's parts in the order of the numbers, and streams only what is asked for", async () => {
    const dataset = await openDataset("flowers102", { root: flowersFolder("flowers") });
    expect(dataset.classNames).toEqual(["class 1", "class 2", "class 3"]);
    expect(dataset.items.map(({ label }) => label)).toEqual([0, 1, 2, 0, 1, 2, 0, 1]);
    const number = (n: number) => `image_0000${n}.jpg`;
    expect(partNames(dataset)).toEqual({
      train: [1, 3, 5].map(number),
      validation: [2, 4].map(number),
      test: [6, 8].map(number),
    });
    const { images, broken } = await loadImages(dataset, dataset.parts!.train!, target);
    expect(broken).toEqual([]);
    expect([...images.labels]).toEqual([0, 2, 1]);
    expect(images.names).toEqual([1, 3, 5].map((n) => `jpg/${number(n)}`));
    expect(images.pixels).toBeInstanceOf(Uint8Array);
  });

  it("gives the same pixels in any order, from the archive and unpacked", async () => {
    const folder = flowersFolder("unpacked");
    const streamed = await loadImages(await openFlowers102(folder), [5, 0, 7], target);
    await unpackArchive(join(folder, "102flowers.tgz"), folder);
    const unpacked = await loadImages(await openFlowers102(folder), [5, 0, 7], target);
    expect(unpacked).toEqual(streamed);
    expect(streamed.images.names.map((name) => basename(name))).toEqual([
      "image_00006.jpg",
      "image_00001.jpg",
      "image_00008.jpg",
    ]);
    const floats = await loadImages(await openFlowers102(folder), [5, 0, 7], { ...target, resize: "tf" });
    expect(floats.images.pixels).toBeInstanceOf(Float32Array);
  });

  it("names an image that the archive lacks, and one that is broken", async () => {
    const entries = Array.from({ length: 7 }, (_, index) => ({
      name: `jpg/image_0000${index + 1}.jpg`,
      body: index === 2 ? Buffer.from("no picture") : encodePng(gradientImage(20, 16)),
    }));
    const dataset = await openFlowers102(flowersFolder("lacking", {}, entries));
    await expect(loadImages(dataset, [7], target)).rejects.toThrow(/jpg\/image_00008\.jpg/);
    await expect(loadImages(dataset, [0, 2], target)).rejects.toThrow(/image_00003\.jpg/);
    await expect(loadImages(dataset, [0, 2], { ...target, strict: true })).rejects.toBeInstanceOf(FileError);
  });

  const mat = (name: string, values: number[], type: "uint8" | "double" = "double") => ({ name, values, type });
  it.each<[string, Record<string, Uint8Array>, RegExp]>([
    ["zero", { "imagelabels.mat": matOf([mat("labels", [1, 0])]) }, /from 1 to 1000 in "labels", found 0/],
    ["fraction", { "imagelabels.mat": matOf([mat("labels", [1.5])]) }, /found 1\.5/],
    ["absent", { "imagelabels.mat": matOf([mat("other", [1])]) }, /array "labels", found none/],
    [
      "beyond",
      { "setid.mat": matOf([mat("trnid", [9]), mat("valid", [1]), mat("tstid", [2])]) },
      /from 1 to 8 in "trnid", found 9/,
    ],
    ["overlap", { "setid.mat": matOf([mat("trnid", [1]), mat("valid", [1]), mat("tstid", [2])]) }, /image 1 twice/],
    ["damaged", { "setid.mat": new Uint8Array(200) }, /setid\.mat: expected a MAT-file/],
    ["one", { "imagelabels.mat": matOf([mat("labels", Array(8).fill(1))]) }, /two classes/],
  ])("refuses labels: %s", async (name, change, message) => {
    await expect(openFlowers102(flowersFolder(`bad-${name}`, change))).rejects.toThrow(message);
  });

  it("says what is missing", async () => {
    await expect(openDataset("flowers102")).rejects.toThrow(/--root/);
    await expect(openFlowers102(join(root, "nowhere"))).rejects.toThrow(/imagelabels\.mat: expected the file/);
    const folder = flowersFolder("no-archive");
    cpSync(folder, join(root, "bare"), { recursive: true, filter: (path) => !path.endsWith(".tgz") });
    await expect(openFlowers102(join(root, "bare"))).rejects.toThrow(/expected 102flowers\.tgz or the folder jpg/);
  });

  it("has 102 different names", () => {
    expect(new Set(flowerNames).size).toBe(102);
    expect([flowerNames[0], flowerNames[76], flowerNames[101]]).toEqual([
      "pink primrose",
      "passion flower",
      "blackberry lily",
    ]);
  });
});

describe.skipIf(!hasShared)("the real labels and the small archive of Flowers 102", () => {
  it("has 8189 labels and parts of 1020, 1020 and 6149", async () => {
    const { labels, parts } = await readFlowers102Labels(shared("data/flowers102_meta"));
    expect(labels.length).toBe(8189);
    expect([parts.train.length, parts.validation.length, parts.test.length]).toEqual([1020, 1020, 6149]);
  });

  it("names the classes where the labels are the real ones", async () => {
    const folder = join(root, "real");
    cpSync(shared("data/flowers102_meta"), folder, { recursive: true });
    mkdirSync(join(folder, "jpg"));
    const { classNames, items } = await openFlowers102(folder);
    expect(classNames).toEqual(flowerNames);
    expect(classNames[items[0].label]).toBe("passion flower");
  });

  it("reads every photograph of the small archive", async () => {
    const dataset = await openFlowers102(shared("data/flowers102_mini"));
    expect(Object.values(dataset.parts!).map((part) => part.length)).toEqual([40, 30, 50]);
    const { images, broken } = await loadImages(
      dataset,
      dataset.items.map((_, index) => index),
      { ...target, threads: 2 },
    );
    expect(broken).toEqual([]);
    expect(countByClass(images.labels, 5)).toEqual([24, 24, 24, 24, 24]);
  });
});

const record = (label: number, seed: number) => [
  label,
  ...Array.from({ length: 3072 }, (_, at) => (at * 7 + seed) & 255),
];
const names = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";

function cifarFolder(name: string, files: Record<string, string | number[]>): string {
  const folder = join(root, name);
  mkdirSync(folder);
  const entries = Object.entries(files).map(([file, body]) => ({
    name: `cifar-10-batches-bin/${file}`,
    body: Buffer.from(body as never),
  }));
  writeFileSync(join(folder, "cifar-10-binary.tar.gz"), gzipSync(tarOf(entries)));
  return folder;
}

describe("cifar10", () => {
  const files = {
    "test_batch.bin": record(9, 1),
    "data_batch_2.bin": [...record(3, 2), ...record(0, 3)],
    "batches.meta.txt": names,
    "data_batch_1.bin": record(5, 4),
  };

  it("reads records in the order of the files' names, planes as pixels", async () => {
    const folder = cifarFolder("cifar", files);
    const dataset = await openDataset("cifar10", { root: folder });
    expect(dataset.items.map(({ name, label }) => [name, dataset.classNames[label]])).toEqual([
      ["data_batch_1/00000", "dog"],
      ["data_batch_2/00000", "cat"],
      ["data_batch_2/00001", "airplane"],
      ["test_batch/00000", "truck"],
    ]);
    expect(dataset.parts).toEqual({ train: [0, 1, 2], test: [3] });
    const size = { height: 32, width: 32, resize: "tf" as const, threads: 0 };
    const { images } = await loadImages(dataset, [2, 3], size);
    // Nothing is resized, so bytes stay bytes whatever the mode.
    expect(images.pixels).toBeInstanceOf(Uint8Array);
    const plane = record(0, 3);
    expect([...images.pixels.subarray(0, 6)]).toEqual([
      plane[1],
      plane[1025],
      plane[2049],
      plane[2],
      plane[1026],
      plane[2050],
    ]);
    await unpackArchive(join(folder, "cifar-10-binary.tar.gz"), folder);
    expect(await loadImages(await openDataset("cifar10", { root: folder }), [2, 3], size)).toEqual({
      images,
      broken: [],
    });
  });

  it.each<[string, Record<string, string | number[]>, RegExp]>([
    [
      "label",
      { ...files, "data_batch_1.bin": record(10, 0) },
      /data_batch_1\.bin: expected labels below 10, found 10 in record 0/,
    ],
    ["cut", { ...files, "data_batch_1.bin": record(1, 0).slice(1) }, /found 3072 more bytes at the end/],
    ["names", { ...files, "batches.meta.txt": "cat\ndog\n" }, /10 different names, found 2/],
    ["no-names", { "test_batch.bin": record(1, 0) }, /expected batches\.meta\.txt, found none/],
  ])("refuses a damaged archive: %s", async (name, changed, message) => {
    await expect(openDataset("cifar10", { root: cifarFolder(`cifar-${name}`, changed) })).rejects.toThrow(message);
  });

  it("survives 200 seeded mutants of the archive's records", async () => {
    const folder = join(root, "cifar-mutants");
    mkdirSync(folder);
    const entries = Object.entries(files).map(([file, body]) => ({
      name: `cifar-10-batches-bin/${file}`,
      body: Buffer.from(body as never),
    }));
    const source = tarOf(entries);
    let refused = 0;
    for (let seed = 0; seed < 200; seed++) {
      writeFileSync(join(folder, "cifar-10-binary.tar.gz"), mutate(source, seed));
      await openDataset("cifar10", { root: folder }).catch((error) => {
        expect(error, `seed ${seed}`).toBeInstanceOf(FileError);
        refused++;
      });
    }
    expect(refused).toBeGreaterThan(30);
    expect(refused).toBeLessThan(200);
  });

  it.skipIf(!hasShared)(
    "has 1,200 images of each class to train and 200 to test in the archive beside the repository",
    async () => {
      const dataset = await openDataset("cifar10", { root: shared("data") });
      const counts = (indices: readonly number[]) =>
        countByClass(
          indices.map((index) => dataset.items[index].label),
          10,
        );
      expect(counts(dataset.parts!.train!)).toEqual(Array(10).fill(1200));
      expect(counts(dataset.parts!.test!)).toEqual(Array(10).fill(200));
      expect(dataset.classNames[9]).toBe("truck");
    },
  );
});

describe("list files", () => {
  it("reads words and CSV, with comments, quotes and parts", () => {
    expect(parseList("\ufeff# flowers\na b.jpg rose\r\n\n  c/d.png\ttulip\n", "l.txt")).toEqual([
      { path: "a b.jpg", label: "rose" },
      { path: "c/d.png", label: "tulip" },
    ]);
    expect(parseList('path,label,split\n"a,b.jpg","wild ""rose""",train\nc.jpg, tulip ,val\n', "l.csv")).toEqual([
      { path: "a,b.jpg", label: 'wild "rose"', part: "train" },
      { path: "c.jpg", label: "tulip", part: "validation" },
    ]);
    expect(listClasses(parseList("a 10\nb 9\nc 10", "l.txt"))).toEqual(["9", "10"]);
    expect(listClasses(parseList("a b\nb B\nc a", "l.txt"))).toEqual(["B", "a", "b"]);
  });

  it.each<[string, string, RegExp]>([
    ["l.txt", "a rose\nb", /line 2: expected "path label", found "b"/],
    ["l.txt", "/etc/passwd rose", /line 1: expected a path inside/],
    ["l.txt", "a/../../b rose", /path inside/],
    ["l.txt", "a rose\na tulip", /line 2: expected each image once/],
    ["l.txt", "# nothing\n", /found none/],
    ["l.csv", "a", /"path,label" or "path,label,split"/],
    ["l.csv", 'a,"rose', /line 1/],
    ["l.csv", "a,rose,trian", /split of train, validation, test, found "trian"/],
    ["l.csv", "a,b,train,d", /found "a,b,train,d"/],
  ])("refuses %s: %s", (name, text, message) => {
    expect(() => parseList(text, name)).toThrow(message);
    expect(() => parseList(text, name)).toThrow(FileError);
  });

  it("opens as a data set beside its images or below --root", async () => {
    const folder = join(root, "listed");
    mkdirSync(join(folder, "pictures"), { recursive: true });
    for (const name of ["a", "b"])
      writeFileSync(join(folder, "pictures", `${name}.png`), encodePng(gradientImage(9, 9)));
    writeFileSync(join(folder, "list.csv"), "path,label,split\npictures/b.png,tulip,train\npictures/a.png,rose,test\n");
    const dataset = await openDataset(join(folder, "list.csv"));
    expect([dataset.classNames, dataset.parts]).toEqual([["rose", "tulip"], { train: [0], validation: [], test: [1] }]);
    expect((await loadImages(dataset, [0, 1], target)).images.names).toEqual(["pictures/b.png", "pictures/a.png"]);
    writeFileSync(join(root, "elsewhere.txt"), "a.png rose\nb.png tulip\n");
    const elsewhere = await openDataset(join(root, "elsewhere.txt"), { root: join(folder, "pictures") });
    expect((await loadImages(elsewhere, [0, 1], target)).broken).toEqual([]);
    writeFileSync(join(folder, "half.csv"), "a,rose,train\nb,tulip\n");
    await expect(openDataset(join(folder, "half.csv"))).rejects.toThrow(/in 1 of 2/);
    await expect(openDataset(join(folder, "none.csv"))).rejects.toThrow(
      /flowers102, cifar10, petals, a folder or a list/,
    );
  });
});

describe("petals", () => {
  it("draws the same flowers as the data set in memory, when they are read", async () => {
    const dataset = openPetals({ seed: 3, size: 16, perClass: { train: 2, validation: 1, test: 1 } });
    expect(Object.values(dataset.parts!).map((part) => part.length)).toEqual([20, 10, 10]);
    const { images } = await loadImages(dataset, [25, 1], { height: 16, width: 16, resize: "tf", threads: 0 });
    const { image } = renderPetal({ seed: 3, index: 5, species: 5, size: 16, part: "validation" });
    expect(images.pixels.subarray(0, 16 * 16 * 3)).toEqual(image.data);
    expect([...images.labels]).toEqual([5, 1]);
    expect(images.names[0]).toMatch(/^validation\/00005-/);
  });

  it("draws them at the size of a network whose images are larger, and enlarges none", async () => {
    const dataset = openPetals({ seed: 3, perClass: { train: 1, validation: 0, test: 0 } });
    const { images } = await loadImages(dataset, [4], { height: 96, width: 96, resize: "aspect", threads: 0 });
    expect(images.pixels).toEqual(renderPetal({ seed: 3, index: 4, species: 4, size: 96 }).image.data);
  });

  it("refuses an impossible size", async () => {
    const dataset = openPetals({ seed: 1, size: 4 });
    await expect(loadImages(dataset, [0], target)).rejects.toBeInstanceOf(DataError);
  });
});
