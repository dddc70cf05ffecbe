import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { storedSource } from "../../src/cli/storedSource.ts";
import { folderDataset, scanClassFolders } from "../../src/data/folders.node.ts";
import { ImageStore, type StoreOptions } from "../../src/data/imageStore.node.ts";
import type { Image } from "../../src/data/images.ts";
import type { ImageDataset } from "../../src/data/loaders.ts";
import { MAX_PACKED_PIXELS, packPicture } from "../../src/data/packed.ts";
import { encodePng } from "../../src/data/png.node.ts";
import { fitImage, type ResizeMode } from "../../src/data/resize.ts";
import { compile } from "../../src/engine/compile.ts";
import type { Device } from "../../src/engine/device.ts";
import { FileError } from "../../src/engine/errors.ts";
import { createClassifier, weightShapesOf } from "../../src/nn/classifier.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { trainNetwork } from "../../src/nn/networkTraining.ts";
import { predictAll } from "../../src/nn/prediction.ts";
import { temporaryFolder } from "../data/fixtures.ts";
import { testDevice } from "../device.ts";

const root = temporaryFolder();
const target = { height: 32, width: 48 };
let device: Device;
beforeAll(async () => {
  device = await testDevice();
});

/** Waves with noise: neither flat nor all noise. */
function picture(width: number, height: number, seed: number): Image {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, at) => {
    const [x, y] = [Math.floor(at / 3) % width, Math.floor(at / 3 / width)];
    return (
      127 + 90 * Math.sin(x / (3 + seed) + y / 5) + 60 * ((Math.imul(at + 31 * seed, 0x9e3779b1) >>> 24) / 256 - 0.5)
    );
  });
  return { width, height, data };
}

/** Smaller and larger than the target, upright, long, of its very size, and one that is too large to be sent whole. */
const pictures = [
  picture(20, 17, 0),
  picture(48, 32, 1),
  picture(131, 77, 2),
  picture(40, 300, 3),
  picture(500, 20, 4),
  picture(97, 64, 5),
  picture(301, 211, 6),
];

const inMemory = (images: readonly Image[]): ImageDataset => ({
  name: "pictures",
  classNames: ["a", "b"],
  items: images.map((_, index) => ({ name: `${index}`, label: index % 2 })),
  async *read(indices) {
    for (const index of indices) yield { index, content: { name: `${index}`, image: images[index] } };
  },
});

const opened = async (dataset: ImageDataset, options: Partial<StoreOptions> & { resize: ResizeMode }) => {
  const all = dataset.items.map((_, index) => index);
  const { store } = await ImageStore.open(dataset, all, { ...target, threads: 0, ...options });
  return { store, source: storedSource(store, all) };
};

describe("pictures of all sizes as bytes", () => {
  it.each(["aspect", "tf"] as const)("become on the GPU what %s makes of them on the CPU", async (resize) => {
    const { store, source } = await opened(inMemory(pictures), { resize, maxPixels: 60_000 });
    const { pixels } = source.build([target.height, target.width]);
    const plan = await compile(device, { outputs: { pixels } }, { maxBatch: 3 });
    const order = [4, 0, 6, 2, 1, 5, 3];
    const got = (await plan.run(await source.inputs(order, { epoch: 1, first: 0 }))).pixels;
    plan.dispose();
    const size = target.height * target.width * 3;
    for (const [at, index] of order.entries()) {
      const want = fitImage(pictures[index], target, resize);
      const part = got.subarray(at * size, (at + 1) * size);
      expect(await source.pixels(index)).toEqual(want);
      if (resize === "aspect") expect(part, `picture ${index}`).toEqual(want);
      else for (const [place, value] of part.entries()) expect(Math.abs(value - want[place])).toBeLessThan(1e-3);
    }
    await store.close();
  });

  it("send no more pixels than the resize reads, or than the border allows", () => {
    const large = picture(1300, 1000, 7);
    const square = { height: 96, width: 96 };
    expect(packPicture(large, { ...square, resize: "tf" })).toMatchObject({ width: 192, height: 192 });
    expect(large.width * large.height).toBeGreaterThan(MAX_PACKED_PIXELS);
    expect(packPicture(large, { ...square, resize: "aspect" })).toMatchObject(square);
    expect(packPicture(pictures[2], { ...square, resize: "aspect" })).toMatchObject({ width: 131, height: 77 });
  });

  it("give the predictions that pixels from the CPU give", async () => {
    const architecture = { name: "smallCnn", inputSize: [32, 48], classes: 2, channels: [8, 16] } as const;
    const shapes = weightShapesOf(architecture);
    const values = initialise(shapes, 5);
    const tensors = new Map([...shapes].map(([name, shape]) => [name, { shape: [...shape], data: values.get(name)! }]));
    const preprocessing = { name: "x/127.5 - 1", scale: 1 / 127.5, offset: -1, resize: "aspect" } as const;
    const classifier = createClassifier(device, { architecture, preprocessing, classNames: ["a", "b"], tensors });
    const { store, source } = await opened(inMemory(pictures), { resize: "aspect" });
    const logits = await predictAll(classifier, source);
    for (const index of pictures.keys())
      expect((await classifier.predict(await source.pixels(index))).logits).toEqual(
        logits.subarray(2 * index, 2 * index + 2),
      );
    await store.close();
    await classifier.dispose();
  });
});

describe("a store of pictures", () => {
  const folder = join(root, "photographs");
  const count = 40;
  const decodedBytes = 24 * 20 * 3;
  beforeAll(() => {
    for (let index = 0; index < count; index++) {
      mkdirSync(join(folder, `class${index % 2}`), { recursive: true });
      writeFileSync(join(folder, `class${index % 2}`, `${index}.png`), encodePng(picture(24, 20, index)));
    }
  });
  const photographs = async () => folderDataset(folder, await scanClassFolders(folder));

  it("holds no more than its limit, and at most two batches besides, however many there are", async () => {
    const memoryBytes = 7 * decodedBytes + 1;
    const { store, source } = await opened(await photographs(), { resize: "aspect", memoryBytes, threads: 2 });
    expect(store.facts).toEqual({ count, held: 7, heldBytes: 7 * decodedBytes, fromFiles: count - 7, unpacked: 0 });
    let fetched = 0;
    let used = 0;
    let most = 0;
    let epochs = 0;
    const counted = {
      ...source,
      async inputs(indices: ArrayLike<number>, place: { epoch: number; first: number }) {
        const inputs = await source.inputs(indices, place);
        if (place.epoch > 0) fetched += indices.length;
        most = Math.max(most, fetched - used);
        return inputs;
      },
    };
    const architecture = { name: "smallCnn", inputSize: [32, 48], classes: 2, channels: [8, 16] } as const;
    const shapes = weightShapesOf(architecture);
    const values = initialise(shapes, 5);
    const tensors = new Map([...shapes].map(([name, shape]) => [name, { shape: [...shape], data: values.get(name)! }]));
    const preprocessing = { name: "x/127.5 - 1", scale: 1 / 127.5, offset: -1, resize: "aspect" } as const;
    const classifier = createClassifier(device, { architecture, preprocessing, classNames: ["a", "b"], tensors });
    const run = (train: typeof source) =>
      trainNetwork(
        classifier,
        { train, validation: source },
        {
          epochs: 2,
          batch: 4,
          onProgress: ({ done, epoch }) => {
            used = (epoch - 1) * count + done;
          },
          onEpoch: () => epochs++,
        },
      );
    await run(counted);
    expect([fetched, used, epochs]).toEqual([2 * count, 2 * count, 2]);
    expect(most).toBeGreaterThan(4);
    expect(most).toBeLessThanOrEqual(8);
    await store.close();
    await classifier.dispose();
  });

  it("gives the same bytes from memory, from files and from the decoded cache", async () => {
    const cache = { folder: join(root, "cache"), maxBytes: 1e6 };
    const batches: unknown[] = [];
    for (const options of [{}, { memoryBytes: 0 }, { memoryBytes: 0, cache }, { memoryBytes: 0, cache }]) {
      const { store, source } = await opened(await photographs(), { resize: "aspect", ...options });
      batches.push(await source.inputs([3, 39, 0, 3], { epoch: 1, first: 0 }));
      await store.close();
    }
    for (const batch of batches) expect(batch).toEqual(batches[0]);
    expect(readdirSync(cache.folder).length).toBe(count);
  });

  it("unpacks what it cannot read twice into a folder that it removes", async () => {
    const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith("tepal-store-"));
    const before = folders();
    const memoryBytes = pictures[0].data.length;
    const { store, source } = await opened(inMemory(pictures), { resize: "aspect", memoryBytes });
    expect(store.facts).toMatchObject({ held: 1, unpacked: 6 });
    const made = folders().filter((name) => !before.includes(name));
    expect(made.length).toBe(1);
    for (const index of pictures.keys())
      expect(await source.pixels(index)).toEqual(fitImage(pictures[index], target, "aspect"));
    await store.close();
    expect(existsSync(join(tmpdir(), made[0]))).toBe(false);
  });

  it("names a file that is gone when it is its turn", async () => {
    const vanishing = join(root, "vanishing", "a");
    mkdirSync(vanishing, { recursive: true });
    mkdirSync(join(root, "vanishing", "b"));
    const path = join(vanishing, "0.png");
    for (const file of [path, join(root, "vanishing", "b", "1.png")]) writeFileSync(file, encodePng(picture(9, 9, 1)));
    const dataset = folderDataset(join(root, "vanishing"), await scanClassFolders(join(root, "vanishing")));
    const { store, source } = await opened(dataset, { resize: "aspect", memoryBytes: 0 });
    writeFileSync(path, "no picture");
    const failure = await Promise.resolve(source.inputs([0], { epoch: 1, first: 0 })).catch((error) => error);
    expect(failure).toBeInstanceOf(FileError);
    expect(failure.message).toContain("0.png");
    await store.close();
  });
});
