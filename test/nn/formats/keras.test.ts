import { readFileSync } from "node:fs";
import { zipSync } from "fflate";
import type { Group } from "h5wasm/node";
import { describe, expect, it } from "vitest";
import { FileError } from "../../../src/engine/errors.ts";
import { readKerasHdf5 } from "../../../src/nn/formats/keras.node.ts";
import type { WeightSet } from "../../../src/nn/formats/weightSet.ts";
import { hasShared, shared } from "../../shared.ts";
import {
  addDataset,
  hdf5,
  ramp,
  SMALL_NETWORK,
  smallArchive,
  smallConfig,
  smallNamed,
  smallNumbered,
  smallValues,
} from "./fixtures.ts";

function expectSmallNetwork(set: WeightSet): void {
  expect(set.tensors.size).toBe(SMALL_NETWORK.length);
  SMALL_NETWORK.forEach(([layer, variable, shape], i) => {
    const tensor = set.tensors.get(`${layer}/${variable}`);
    expect(tensor?.shape).toEqual(layer.endsWith("depthwise") ? [3, 3, 4] : shape);
    expect(tensor?.data).toEqual(smallValues(i));
  });
}

describe("Keras files", () => {
  it("reads the named layout of Keras 2 and of Keras 3", async () => {
    expectSmallNetwork(readKerasHdf5(await smallNamed(2)));
    expectSmallNetwork(readKerasHdf5(await smallNamed(3)));
  });

  it("reads compressed chunks, also where they do not divide the shape, and leaves jsfive's filters alone", async () => {
    const data = ramp(7 * 5 * 3);
    const bytes = await hdf5((file) => {
      addDataset(file.create_group("dense"), "kernel", [7, 5, 3], data, { chunks: [3, 2, 3], compression: 9 });
      addDataset(file.create_group("plain"), "kernel", [7, 5], data.slice(0, 35), { chunks: [2, 2] });
      addDataset(file.create_group("single"), "bias", [2], data.slice(0, 2), { chunks: [1] });
    });
    const { tensors } = readKerasHdf5(bytes);
    expect(tensors.get("dense/kernel")).toEqual({ shape: [7, 5, 3], data });
    expect(tensors.get("plain/kernel")).toEqual({ shape: [7, 5], data: data.slice(0, 35) });
    expect(tensors.get("single/bias")).toEqual({ shape: [2], data: data.slice(0, 2) });
  });

  it("reads a whole model: only what lies below model_weights", async () => {
    const bytes = await hdf5((file) => {
      const model = file.create_group("model_weights");
      addDataset(model.create_group("mobilenet").create_group("Conv1"), "kernel:0", [2], ramp(2));
      addDataset(file.create_group("optimizer_weights").create_group("Adam"), "m:0", [2], ramp(2));
    });
    expect([...readKerasHdf5(bytes).tensors.keys()]).toEqual(["Conv1/kernel"]);
  });

  it("reads the numbered layout by names in the store, and by the archive's config", async () => {
    expectSmallNetwork(readKerasHdf5(await smallNumbered(true)));
    const stored = readKerasHdf5(await smallArchive(0));
    expectSmallNetwork(stored);
    expect(stored.source).toBe("keras-zip");
    expectSmallNetwork(readKerasHdf5(await smallArchive(6)));
  });

  it("counts layers per class and starts anew in a nested model", async () => {
    const weights = await hdf5((file) => {
      const layers = file.create_group("layers");
      const add = (group: Group, path: string, value: number) =>
        addDataset(group.create_group(path).create_group("vars"), "0", [1], new Float32Array([value]));
      add(layers, "dense", 1);
      add(layers, "dense_1", 2);
      add(layers.create_group("functional").create_group("layers"), "dense", 3);
    });
    const dense = (name: string) => ({ class_name: "Dense", config: { name } });
    const inner = { class_name: "Functional", config: { name: "inner", layers: [dense("third")] } };
    const config = { class_name: "Functional", config: { layers: [dense("first"), inner, dense("second")] } };
    const archive = zipSync({
      "config.json": new TextEncoder().encode(JSON.stringify(config)),
      "model.weights.h5": weights,
    });
    const values = [...readKerasHdf5(archive).tensors].map(([name, { data }]) => [name, data[0]]);
    expect(Object.fromEntries(values)).toEqual({ "first/kernel": 1, "second/kernel": 2, "third/kernel": 3 });
  });

  it.each([{ track_order: true }, { libver: "v108" as const }, { libver: "latest" as const }])(
    "reads newer object headers: %o",
    async (options) => {
      const bytes = await hdf5((file) => {
        const group = file.create_group("Conv1", true);
        for (let i = 0; i < 20; i++) addDataset(group, `v${i}`, [2], ramp(2, i));
      }, options);
      const { tensors } = readKerasHdf5(bytes);
      expect(tensors.size).toBe(20);
      expect(tensors.get("Conv1/v13")?.data).toEqual(ramp(2, 13));
    },
  );

  it.each([
    ["text", () => new TextEncoder().encode("no weights at all".repeat(20)), /HDF5: expected/],
    ["nothing", () => new Uint8Array(0), /found 0 bytes/],
    ["half a file", async () => (await smallNamed(2)).slice(0, 3000), /HDF5: expected/],
    ["half an archive", async () => (await smallArchive()).slice(0, 500), /end-of-directory/],
    ["a store without names", () => smallNumbered(false), /the \.keras archive has them/],
    [
      "integers",
      () => hdf5((f) => void f.create_group("a").create_dataset({ name: "b", data: new Int32Array(2) })),
      /little-endian floats/,
    ],
    ["a file without weights", () => hdf5((f) => void f.create_group("a")), /expected weights/],
    ["another archive", () => zipSync({ "a.txt": new Uint8Array(3) }), /is this a \.keras file/],
    ["an archive whose config lacks the layer", () => smallArchive(6, { config: { layers: [] } }), /no layer/],
    ["an archive whose config is no model", () => smallArchive(6, [1]), /a list of layers/],
    [
      "an unsupported layer",
      () => smallArchive(6, JSON.parse(JSON.stringify(smallConfig()).replace('"Dense"', '"Attention"'))),
      /variables of conv2d/,
    ],
  ])("refuses %s with a FileError of one line", async (_, make, message) => {
    const bytes = await make();
    const read = () => readKerasHdf5(bytes);
    expect(read).toThrow(FileError);
    expect(read).toThrow(message);
    expect(read).toThrow(/^[^\n]*$/);
  });

  it("notices a changed byte in an archive", async () => {
    const archive = await smallArchive(0);
    const marker = archive.findIndex((byte, i) => byte === 0x89 && archive[i + 1] === 0x48 && archive[i + 2] === 0x44);
    archive[marker + 2100] ^= 4;
    expect(() => readKerasHdf5(archive)).toThrow(/checksum/);
  });

  it("refuses more data than the file's size warrants before decompressing it", async () => {
    const bomb = await hdf5((file) => {
      const shape = [3000, 3000];
      addDataset(file.create_group("a"), "b", shape, new Float32Array(9e6), { chunks: [1000, 1000], compression: 9 });
    });
    expect(bomb.length).toBeLessThan(1e6);
    expect(() => readKerasHdf5(bomb)).toThrow(/memory|about as much data/);
  });
});

describe.skipIf(!hasShared)("Keras' MobileNetV2", () => {
  const read = (name: string) => readKerasHdf5(new Uint8Array(readFileSync(shared(`weights/${name}`))));
  const prefix = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224";

  it("is the same in the layouts of Keras 2, of Keras 3 and in the archive", () => {
    const [full, noTop, archive] = [`${prefix}.h5`, `${prefix}_no_top.h5`, "mobilenet_v2_1.0_224.keras"].map(read);
    expect([full.tensors.size, noTop.tensors.size, archive.tensors.size]).toEqual([262, 260, 262]);
    const same = (a: WeightSet, b: WeightSet) =>
      [...a.tensors].filter(([name, { shape, data }]) => {
        const other = b.tensors.get(name);
        return (
          !other || String(other.shape) !== String(shape) || Buffer.compare(bytesOf(data), bytesOf(other.data)) !== 0
        );
      });
    const bytesOf = (data: Float32Array) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    expect(same(noTop, full)).toEqual([]);
    expect(same(full, archive)).toEqual([]);
    expect(full.tensors.get("expanded_conv_depthwise/kernel")?.shape).toEqual([3, 3, 32]);
  });
});
