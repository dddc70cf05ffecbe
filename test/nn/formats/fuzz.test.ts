import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { TepalError } from "../../../src/engine/errors.ts";
import { inspectWeights } from "../../../src/nn/formats/inspect.ts";
import { readKerasHdf5 } from "../../../src/nn/formats/keras.node.ts";
import { parseModel, serializeModel } from "../../../src/nn/formats/model.ts";
import { parseSafetensors, serializeSafetensors, toFloat32 } from "../../../src/nn/formats/safetensors.ts";
import { hasShared, shared } from "../../shared.ts";
import { hdf5, mutate, ramp, smallArchive, smallNamed, smallNumbered } from "./fixtures.ts";
import { smallModel } from "./models.ts";

const MUTANTS = Number(process.env.FORMAT_MUTANTS ?? 300);
const MEBI = 2 ** 20;

interface Outcome {
  readonly successes: number;
  readonly failures: number;
}

/** Reads every mutant: success or a TepalError, within two seconds, holding at most 64 MiB and four times the file. */
async function fuzz(original: Uint8Array, read: (bytes: Uint8Array) => unknown, mutants = MUTANTS): Promise<Outcome> {
  let successes = 0;
  let failures = 0;
  for (let seed = 0; seed < mutants; seed++) {
    const bytes = mutate(original, seed);
    const start = performance.now();
    const buffersBefore = process.memoryUsage().arrayBuffers;
    try {
      await read(bytes);
      successes++;
    } catch (error) {
      if (!(error instanceof TepalError)) throw new Error(`mutant ${seed} gave ${String(error)}`, { cause: error });
      expect(error.message, `mutant ${seed}`).toMatch(/^[^\n]+$/);
      failures++;
    }
    expect(performance.now() - start, `milliseconds for mutant ${seed}`).toBeLessThan(2000);
    const held = process.memoryUsage().arrayBuffers - buffersBefore;
    expect(held, `bytes held by mutant ${seed}`).toBeLessThan(64 * MEBI + 4 * bytes.length);
  }
  return { successes, failures };
}

/** A mutation that never breaks anything, or always the first check, would test nothing. */
function expectBoth({ successes, failures }: Outcome): void {
  expect(failures).toBeGreaterThan(0);
  expect(successes).toBeGreaterThan(0);
}

const readWeights = (bytes: Uint8Array): unknown => inspectWeights(readKerasHdf5(bytes));

describe(`${MUTANTS} mutants of each format give success or a typed error`, () => {
  it("safetensors", async () => {
    const original = serializeSafetensors(
      {
        a: { dtype: "F32", shape: [4, 4], data: ramp(16) },
        b: { dtype: "F16", shape: [8], data: new Uint16Array(8) },
        c: { dtype: "I64", shape: [2], data: new BigInt64Array(2) },
      },
      { preprocessing: "x" },
    );
    expectBoth(await fuzz(original, (bytes) => [...parseSafetensors(bytes).tensors.values()].map(toFloat32)));
  });

  it("HDF5 as Keras 2 names it", async () => expectBoth(await fuzz(await smallNamed(2), readWeights)));
  it("HDF5 in compressed chunks", async () => {
    const original = await hdf5((file) => {
      const group = file.create_group("Conv1");
      const options = { chunks: [4, 8], compression: 6 };
      group.create_dataset({ name: "kernel", data: ramp(256), shape: [16, 16], dtype: "<f4", ...options });
    });
    expectBoth(await fuzz(original, readWeights));
  });
  it("HDF5 as Keras 3 numbers it", async () => expectBoth(await fuzz(await smallNumbered(true), readWeights)));
  it("HDF5 with newer object headers", async () => {
    const original = await hdf5(
      (file) => {
        const group = file.create_group("Conv1", true);
        for (let i = 0; i < 12; i++) group.create_dataset({ name: `v${i}`, data: ramp(4), dtype: "<f4" });
      },
      { libver: "v108", track_order: true },
    );
    expectBoth(await fuzz(original, readWeights));
  });
  it(".keras, deflated", async () => expectBoth(await fuzz(await smallArchive(6), readWeights)));
  it(".keras, stored", async () => expectBoth(await fuzz(await smallArchive(0), readWeights)));

  it("model.json", async () => {
    const { json, safetensors } = await serializeModel(smallModel());
    const text = new TextEncoder().encode(json);
    expectBoth(await fuzz(text, (bytes) => parseModel(new TextDecoder().decode(bytes), safetensors)));
  });
});

describe.skipIf(!hasShared)("mutants of a real file", () => {
  it("stay within two seconds and the memory of the promise", async () => {
    const name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5";
    const original = new Uint8Array(readFileSync(shared(`weights/${name}`)));
    const { successes, failures } = await fuzz(original, readWeights, 12);
    expect(successes + failures).toBe(12);
  });
});

describe("files made to exhaust a reader", () => {
  const poke = (bytes: Uint8Array, signature: string, nth: number, change: (view: DataView, at: number) => void) => {
    const mutant = bytes.slice();
    let at = -1;
    for (let i = 0; i <= nth; i++) at = Buffer.from(mutant.buffer).indexOf(signature, at + 1);
    expect(at).toBeGreaterThan(0);
    change(new DataView(mutant.buffer), at);
    return mutant;
  };

  it("a tree node with 65535 entries", async () => {
    const bytes = poke(await smallNamed(2), "TREE", 0, (view, at) => view.setUint16(at + 6, 65535, true));
    expect(() => readKerasHdf5(bytes)).toThrow(/at most 4096 entries/);
  });

  it("a tree whose entries all lead to the node itself one level down", async () => {
    const bytes = poke(await smallNamed(2), "TREE", 0, (view, at) => {
      view.setUint8(at + 5, 200);
      view.setUint16(at + 6, 4, true);
      for (let i = 0; i < 4; i++) view.setBigUint64(at + 24 + 8 + 16 * i, BigInt(at), true);
    });
    expect(() => readKerasHdf5(bytes)).toThrow(TepalError);
  });

  it.each([2n ** 24n, 2n ** 32n, 2n ** 40n])("a dataset that announces %d elements", async (announced) => {
    const mutant = await hdf5((file) => {
      file.create_group("a").create_dataset({ name: "b", data: ramp(12345), shape: [12345], dtype: "<f4" });
    });
    const view = new DataView(mutant.buffer);
    let changed = 0;
    for (let at = 0; at + 8 <= mutant.length; at++) {
      if (view.getBigUint64(at, true) !== 12345n) continue;
      view.setBigUint64(at, announced, true);
      changed++;
    }
    expect(changed).toBeGreaterThan(0);
    expect(() => readKerasHdf5(mutant)).toThrow(/to fit \d+ bytes of memory/);
  });

  it("a group that contains itself", async () => {
    const bytes = await hdf5((file) => {
      const group = file.create_group("a");
      group.create_dataset({ name: "b", data: ramp(2), dtype: "<f4" });
      group.create_hard_link("/a", "again");
    });
    expect([...readKerasHdf5(bytes).tensors.keys()]).toEqual(["a/b"]);
  });
});
