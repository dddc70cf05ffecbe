import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { verifyAugmentations } from "../../src/cli/augment/verifyFile.ts";
import { Augmentation, type AugmentationOptions } from "../../src/data/augment/augmentation.ts";
import { Augmenter } from "../../src/data/augment/augmenter.ts";
import { invertHeatmap } from "../../src/data/augment/heatmap.ts";
import { layerTypes } from "../../src/data/augment/layers.ts";
import { builtInPolicies, type Policy, PolicyBuilder } from "../../src/data/augment/policy.ts";
import { renderPetal } from "../../src/data/petals.ts";
import { compile } from "../../src/engine/compile.ts";
import { references } from "../../src/engine/ops/registry.ts";
import { input } from "../../src/engine/ops/sources.ts";
import { runReference } from "../../src/engine/reference.ts";
import { BATCH } from "../../src/engine/types.ts";
import { parseSafetensors } from "../../src/nn/formats/safetensors.ts";
import { testDevice } from "../device.ts";
import { hasShared, shared } from "../shared.ts";

const size = { height: 24, width: 32 };
const perImage = size.height * size.width * 3;

/** Flowers with their masks, the upper part of a square picture. */
function flowers(count: number): { images: Float32Array; masks: Float32Array } {
  const images = new Float32Array(count * perImage);
  const masks = new Float32Array((count * perImage) / 3);
  for (let index = 0; index < count; index++) {
    const { image, mask } = renderPetal({ seed: 4, index, species: index % 10, size: size.width });
    images.set(image.data.subarray(0, perImage), index * perImage);
    masks.set(mask.subarray(0, perImage / 3), (index * perImage) / 3);
  }
  return { images, masks };
}

const addresses = (count: number, first = 0) =>
  Array.from({ length: count }, (_, index) => ({ seed: 11, epoch: 2, id: first + index, partner: index ^ 1 }));

const sized = (type: string): object =>
  layerTypes[type].fields.height?.kind === "integer" ? { height: 20, width: 28 } : {};
const always = (type: string): object => (layerTypes[type].fields.probability ? { probability: 1 } : {});
const policyOf = (type: string): Policy =>
  new PolicyBuilder(type).add(type, { ...sized(type), ...always(type) }).build();

async function augment(
  policy: Policy,
  count: number,
  images: Float32Array,
  options: Partial<AugmentationOptions> = {},
  maxBatch = 16,
) {
  using augmenter = await Augmenter.create(await testDevice(), new Augmentation(policy, { ...size, ...options }), {
    maxBatch,
  });
  return (await augmenter.run(images, addresses(count))).images;
}

describe.skipIf(!hasShared)("the recorded reference of Keras", () => {
  it("is met in every tensor by 99.9 % of the values within 0.05 of 255", async () => {
    const file = parseSafetensors(readFileSync(shared("reference/augment.safetensors")));
    const parameters = JSON.parse(readFileSync(shared("reference/augment.json"), "utf8"));
    const results = await verifyAugmentations(await testDevice(), file, parameters);
    expect(results.map(({ name }) => name).sort()).toEqual(
      [...file.tensors.keys()].filter((name) => name !== "images" && name !== "resize/input").sort(),
    );
    for (const { name, share, worst, tolerance } of results) {
      console.info(`${name.padEnd(26)} ${(100 * share).toFixed(4)} % within ${tolerance}; largest ${worst.toFixed(4)}`);
      expect(share, name).toBeGreaterThanOrEqual(0.999);
    }
  });
});

describe("each layer on the GPU", () => {
  const count = 4;
  const { images } = flowers(count);
  for (const type of Object.keys(layerTypes))
    it(`${type} is its float64 reference`, async () => {
      const augmentation = new Augmentation(policyOf(type), size);
      const x = input("images", [BATCH, size.height, size.width, 3]);
      const graph = { outputs: { y: augmentation.build({ images: x }).images } };
      const feeds = { images, ...augmentation.feeds(addresses(count)) };
      const want = runReference(graph, feeds, { references, batch: count }).outputs.y;
      const got = await augment(policyOf(type), count, images);
      let off = 0;
      got.forEach((value, index) => {
        if (!(Math.abs(value - want[index]) <= 0.01)) off++;
      });
      // A value that rounding moves over a threshold of posterise, solarise or equalise.
      expect(off / got.length).toBeLessThanOrEqual(0.001);
      const changed = got.length !== images.length || got.some((value, index) => Math.abs(value - images[index]) > 0.5);
      expect(changed, "the layer does something").toBe(true);
    });
});

describe("a chain of AugMix", () => {
  const operation = (name: string, amount = 1) => ({ name, amount });
  const [equalise, identity] = [operation("equalise"), operation("identity", 0)];
  const chains = [
    [equalise, operation("posterise", 5), equalise],
    [operation("posterise", 4), equalise, operation("solarise", 100.5)],
    [operation("solarise", 90.25), operation("posterise", 3), equalise],
    [operation("solarise", 60), operation("posterise", 6), operation("solarise", 200)],
    [equalise, equalise],
  ];

  /** One operation on the values of one channel, by its definition (Pillow's `ImageOps`). */
  function applied(values: readonly number[], { name, amount }: { name: string; amount: number }): number[] {
    if (name === "posterise") return values.map((value) => value & (256 - 2 ** (8 - amount)));
    if (name === "solarise") return values.map((value) => (value >= amount ? 255 - value : value));
    const counts = Array.from({ length: 256 }, (_, level) => values.filter((value) => value === level).length);
    const step = Math.floor((values.length - (counts.findLast((number) => number > 0) as number)) / 255);
    if (step === 0) return [...values];
    const below = (level: number) => counts.slice(0, level).reduce((sum, number) => sum + number, 0);
    return values.map((value) => Math.min(255, Math.floor((below(value) + Math.floor(step / 2)) / step)));
  }

  it("does its operations one after the other", async () => {
    const { images } = flowers(chains.length);
    const policy = new PolicyBuilder("chain").add("augMix").build();
    const samples = addresses(chains.length).map((address, image) => ({
      ...address,
      drawn: [{ own: 0, weights: [0, 1, 0], chains: [[equalise], chains[image], [identity]] }],
    }));
    using augmenter = await Augmenter.create(await testDevice(), new Augmentation(policy, size), { maxBatch: 16 });
    const got = (await augmenter.run(images, samples)).images;
    chains.forEach((chain, image) => {
      for (let channel = 0; channel < 3; channel++) {
        const line = (data: Float32Array) =>
          [...data.subarray(image * perImage, (image + 1) * perImage)].filter((_, at) => at % 3 === channel);
        expect(line(got), `chain ${image}`).toEqual(chain.reduce(applied, line(images)));
      }
    });
  });
});

describe("an augmented image", () => {
  const mixed = new PolicyBuilder("mixed")
    .add("flip")
    .add("rotation")
    .add("randAugment")
    .add("noise", { probability: 1 })
    .add("mixUp")
    .build();

  it("is the same bytes when it is made again, alone, in another batch size, and in another order", async () => {
    for (const policy of [builtInPolicies.advanced, mixed]) {
      const count = 6;
      const { images } = flowers(count);
      const augmentation = new Augmentation(policy, size);
      const device = await testDevice();
      using six = await Augmenter.create(device, augmentation, { maxBatch: 6 });
      using two = await Augmenter.create(device, augmentation, { maxBatch: 2 });
      const all = addresses(count);
      const whole = (await six.run(images, all)).images;
      expect((await six.run(images, all)).images).toEqual(whole);
      for (const first of [4, 0, 2]) {
        const pair = all.slice(first, first + 2).map((each) => ({ ...each, partner: each.partner - first }));
        const part = await two.run(images.slice(first * perImage, (first + 2) * perImage), pair);
        expect(part.images).toEqual(whole.slice(first * perImage, (first + 2) * perImage));
      }
      const [b, a] = [images.slice(0, perImage), images.slice(perImage, 2 * perImage)];
      const swapped = new Float32Array([...a, ...b]);
      const turned = await two.run(
        swapped,
        [all[1], all[0]].map((each, index) => ({ ...each, partner: 1 - index })),
      );
      expect(turned.images.slice(0, perImage)).toEqual(whole.slice(perImage, 2 * perImage));
    }
  });

  it("changes with the epoch, and in a drawn parameter only where the modes differ", async () => {
    const { images } = flowers(2);
    const policy = new PolicyBuilder("contrast").add("contrast").build();
    const documented = await augment(policy, 2, images);
    expect(await augment(policy, 2, images, { mode: "keras2" })).toEqual(documented);
    expect(await augment(policy, 2, images, { mode: "keras3" })).not.toEqual(documented);
  });

  it("erases in keras3 with noise of its own for every value, as half zeros and, where σ·z > 255, 255", async () => {
    const count = 24;
    const { images } = flowers(count);
    const policy = new PolicyBuilder("noise").add("erasing", { scale: [0.25, 0.25], probability: 1 }).build();
    const augmentation = new Augmentation(policy, { ...size, mode: "keras3" });
    const erased = await augment(policy, count, images, { mode: "keras3" });
    const values: number[] = [];
    for (const [id, address] of addresses(count).entries()) {
      const [{ rows, columns, top, left }] = augmentation.draw(address) as readonly Record<string, number>[];
      const [y, x] = [top * (1 - rows) * size.height, left * (1 - columns) * size.width];
      for (let at = 0; at < perImage; at++) {
        const [row, column] = [Math.floor(at / 3 / size.width), Math.floor(at / 3) % size.width];
        const isInside = row >= y && row < y + rows * size.height && column >= x && column < x + columns * size.width;
        if (isInside) values.push(erased[id * perImage + at]);
        else expect(erased[id * perImage + at]).toBe(images[id * perImage + at]);
      }
    }
    const share = (is: (value: number) => boolean): number => values.filter(is).length / values.length;
    expect(values.length).toBeGreaterThan(1000);
    expect(Math.abs(share((value) => value === 0) - 0.5)).toBeLessThan(0.05);
    expect(Math.abs(share((value) => value === 255) - 0.1587)).toBeLessThan(0.04);
  });

  it("is sharper with one interpolation than with one for each layer", async () => {
    const { images } = flowers(4);
    const policy = new PolicyBuilder("geometry")
      .add("rotation")
      .add("zoom")
      .add("translation", { fill: "nearest" })
      .build();
    const fused = await augment(policy, 4, images);
    const sequential = await augment(policy, 4, images, { resample: "sequential" });
    const detail = (values: Float32Array): number => {
      let sum = 0;
      for (let index = 3; index < values.length; index++) sum += (values[index] - values[index - 3]) ** 2;
      return sum;
    };
    expect(detail(fused)).toBeGreaterThan(detail(sequential));
  });
});

describe("masks, labels and heatmaps", () => {
  it("a mask follows the image with values of its own only", async () => {
    const count = 4;
    const { images, masks } = flowers(count);
    const policy = new PolicyBuilder("geometry")
      .add("flip")
      .add("rotation")
      .add("translation")
      .add("brightness")
      .build();
    const augmentation = new Augmentation(policy, size);
    using augmenter = await Augmenter.create(await testDevice(), augmentation, { masks: true });
    // The mask as an image shows what the image part does to it: they agree but for the interpolation.
    const grey = new Float32Array(images.length);
    for (const [index, value] of masks.entries()) grey.fill(value, 3 * index, 3 * index + 3);
    const plain = new PolicyBuilder("same").add("flip").add("rotation").add("translation").build();
    const twin = await augment(plain, count, grey);
    const { masks: warped } = await augmenter.run(images, addresses(count), masks);
    const values = new Set(masks);
    let agree = 0;
    warped!.forEach((value, index) => {
      expect(values.has(value)).toBe(true);
      if (Math.abs(value - twin[3 * index]) < 128) agree++;
    });
    expect(agree / warped!.length).toBeGreaterThan(0.98);
  });

  it("labels mix by λ, and by the pixels of the box", async () => {
    for (const type of ["mixUp", "cutMix"]) {
      const augmentation = new Augmentation(policyOf(type), size);
      const tensors = augmentation.build({
        images: input("images", [BATCH, size.height, size.width, 3]),
        labels: input("labels", [BATCH, 2]),
      });
      const plan = await compile(
        await testDevice(),
        { outputs: { images: tensors.images, labels: tensors.labels! } },
        { maxBatch: 2 },
      );
      // A white image and a black one: the mean of the result is the share of white.
      const images = new Float32Array(2 * perImage).fill(255, 0, perImage);
      const samples = addresses(2, 5);
      const feeds = augmentation.feeds(samples, { labels: true });
      const { images: pixels, labels } = await plan.run({ images, labels: Float32Array.of(1, 0, 0, 1), ...feeds });
      plan.dispose();
      plan.parameters.dispose();
      const white =
        (pixels as Float32Array).subarray(0, perImage).reduce((sum, value) => sum + value, 0) / perImage / 255;
      expect(labels[0]).toBeCloseTo(white, 4);
      expect(labels[0] + labels[1]).toBeCloseTo(1, 6);
      expect(labels[0]).toBeCloseTo(augmentation.ownShare(samples[0]), 6);
    }
  });

  it("a heatmap of an augmented image comes back to where it was", async () => {
    const policy = new PolicyBuilder("geometry").add("flip").add("rotation").add("zoom").add("shear").build();
    const augmentation = new Augmentation(policy, size);
    // A smooth hill, so that two interpolations change little.
    const hill = Float32Array.from({ length: size.height * size.width }, (_, index) => {
      const [y, x] = [Math.floor(index / size.width) - 11, (index % size.width) - 17];
      return 200 * Math.exp(-(x * x + y * y) / 40);
    });
    const images = Float32Array.from({ length: 3 * perImage }, (_, index) => hill[Math.floor((index % perImage) / 3)]);
    const augmented = await augment(policy, 3, images);
    for (const [index, address] of addresses(3).entries()) {
      const heat = Float32Array.from({ length: hill.length }, (_, at) => augmented[index * perImage + 3 * at]);
      const back = invertHeatmap({ values: heat, ...size }, augmentation, address);
      const seen = [...back].flatMap((value, at) => (hill[at] > 60 ? [Math.abs(value - hill[at])] : []));
      const worst = Math.max(...seen);
      expect(worst).toBeLessThan(8);
    }
  });

  it("a coarse heatmap covers the whole image, and nothing is invented beyond what was seen", () => {
    const still = new Augmentation(new PolicyBuilder("still").add("rotation", { factor: 0 }).build(), size);
    const address = { seed: 1, epoch: 0, id: 0 };
    const back = invertHeatmap({ values: [1, 2, 3, 4], height: 2, width: 2 }, still, address);
    expect([back[0], back[size.width - 1], back.at(-size.width), back.at(-1)]).toEqual([1, 2, 3, 4]);
    const moved = new Augmentation(
      new PolicyBuilder("moved").add("translation", { height: 0, width: [0.5, 0.5] }).build(),
      size,
    );
    const shifted = invertHeatmap({ values: [1], height: 1, width: 1 }, moved, address);
    // The image moved right by half: its right half left the picture.
    expect([...shifted.slice(0, 16)]).toEqual(new Array(16).fill(1));
    expect([...shifted.slice(16, 32)]).toEqual(new Array(16).fill(0));
  });
});
