import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { caseData } from "../../src/engine/checkOp.ts";
import { compile } from "../../src/engine/compile.ts";
import { GraphError } from "../../src/engine/errors.ts";
import { makeNode, type Node } from "../../src/engine/graph.ts";
import type { Choice, KernelContext, OpCase, OpEntry } from "../../src/engine/op.ts";
import { registry } from "../../src/engine/ops/registry.ts";
import { input } from "../../src/engine/ops/sources.ts";
import { contextOf } from "../../src/engine/plan/encoding.ts";
import { fixed, tune } from "../../src/engine/tuner.ts";
import { TuningTable, tuningKey } from "../../src/engine/tuning.ts";
import { loadTuning, saveTuning, tuningFile } from "../../src/engine/tuningCache.node.ts";
import * as browser from "../../src/engine/tuningStore.ts";
import { testDevice } from "../device.ts";
import { normals, smallMobileNet, storeOf } from "./networks.ts";

const nodeOf = ({ op }: OpEntry, { inputs, attributes }: OpCase): Node =>
  makeNode(
    op,
    inputs.map(({ shape, dtype }, index) => input(`x${index}`, shape, dtype)),
    attributes,
  );

const tunable = registry.filter(({ op }) => op.candidates);

describe("candidates", () => {
  it("belong to products and convolutions", () => {
    const names = tunable.map(({ op }) => op.name);
    expect(names).toEqual(expect.arrayContaining(["matmul", "conv2d", "depthwiseConv2d", "depthwiseInputGradient"]));
  });

  for (const entry of tunable)
    it(`of ${entry.op.name} all give the same bits`, async () => {
      const device = await testDevice();
      const contextsOf = (opCase: OpCase): KernelContext => contextOf(nodeOf(entry, opCase), 1, device.traits);
      const candidatesOf = (opCase: OpCase): readonly Choice[] => entry.op.candidates?.(contextsOf(opCase)) ?? [];
      const opCase = entry.cases.reduce((most, one) =>
        candidatesOf(one).length > candidatesOf(most).length ? one : most,
      );
      const candidates = candidatesOf(opCase);
      expect(candidates.length).toBeGreaterThan(2);
      const feeds = Object.fromEntries(caseData(opCase, 3).map((data, index) => [`x${index}`, data]));
      const run = async (choice: Choice | null): Promise<Uint32Array> => {
        const graph = { outputs: { y: nodeOf(entry, opCase).outputs[0] } };
        const plan = await compile(device, graph, { tuning: fixed(choice), poison: true });
        try {
          const { y } = await plan.run(feeds);
          expect(await plan.strayWrites(), JSON.stringify(choice)).toBeNull();
          return new Uint32Array(y.buffer);
        } finally {
          plan.dispose();
          plan.parameters.dispose();
        }
      };
      const own = await run(null);
      for (const candidate of candidates) expect(await run(candidate), JSON.stringify(candidate)).toEqual(own);
    });
});

describe("tuning", () => {
  it("keeps faster choices, which plans then use, with the same bits", async () => {
    const device = await testDevice();
    const network = smallMobileNet({ explain: true, size: 14 });
    const parameters = storeOf(device, network);
    const x = normals(2 * network.perSample, 1);
    const run = async (tuning: TuningTable | null) => {
      const plan = await compile(device, network.graph, { parameters, maxBatch: 2, tuning });
      const result = { outputs: await plan.run({ x }), calls: plan.steps(2).main.map(({ call }) => call.overrides) };
      return { ...result, plan };
    };
    const own = await run(null);
    const table = new TuningTable("test");
    // Every op and shape gets its last candidate, whatever it costs here.
    for (const node of own.plan.schedule.main) {
      const context = contextOf(node, 2, device.traits);
      table.set(node, context, node.op.candidates?.(context).at(-1));
    }
    const tuned = await run(TuningTable.parse(JSON.parse(JSON.stringify(table))));
    expect(tuned.calls).not.toEqual(own.calls);
    expect(tuned.outputs).toEqual(own.outputs);
    const measured = new TuningTable("test");
    const results = await tune(device, own.plan, measured, { repeats: 1, only: "matmul" });
    expect(results.map(({ op }) => op)).toEqual(["matmul", "matmul"]);
    expect(results.map(({ dispatches }) => dispatches)).toEqual([2, 2]);
    expect(results.filter(({ choice }) => choice)).toHaveLength(measured.size);
    for (const { before, after } of results) expect(after).toBeLessThanOrEqual(before);
    for (const { plan } of [own, tuned]) plan.dispose();
    parameters.dispose();
  });

  it("passes over entries of other sources, and choices that are no candidates", async () => {
    const { traits } = await testDevice();
    const entry = tunable.find(({ op }) => op.name === "matmul") as OpEntry;
    const node = nodeOf(entry, entry.cases[2]);
    const context = contextOf(node, 1, traits);
    const table = new TuningTable("test");
    const choice = entry.op.candidates?.(context)[0];
    table.set(node, context, choice);
    expect(table.choose(node, context)).toEqual(choice);
    const record = table.toJSON();
    const key = tuningKey(node);
    const changed = (entries: object) => TuningTable.parse({ ...record, entries: { [key]: entries } });
    expect(changed({ choice, source: "00000000" }).choose(node, context)).toBeUndefined();
    const { source } = record.entries[key];
    expect(changed({ choice: { across: 3, down: 5 }, source }).choose(node, context)).toBeUndefined();
    expect(changed({ choice, source }).hash).toBe(table.hash);
    expect(changed({ choice: { across: 1, down: 128 }, source }).hash).not.toBe(table.hash);
  });

  it("refuses what is no table", () => {
    for (const record of [
      null,
      3,
      {},
      { version: 2, adapter: "a", entries: {} },
      { version: 1, adapter: "a", entries: { k: 1 } },
    ])
      expect(() => TuningTable.parse(record)).toThrow(GraphError);
  });
});

describe("the cache of a folder", () => {
  it("gives back the table of its adapter, and nothing for another or a damaged file", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tepal-tuning-"));
    const table = new TuningTable("adapter a", { k: { choice: { workgroup: 16 }, source: "01234567" } });
    expect(await loadTuning("adapter a", folder)).toBeNull();
    await saveTuning(table, folder);
    expect((await loadTuning("adapter a", folder))?.toJSON()).toEqual(table.toJSON());
    expect(await loadTuning("adapter b", folder)).toBeNull();
    writeFileSync(tuningFile("adapter a", folder), '{"version": 1');
    expect(await loadTuning("adapter a", folder)).toBeNull();
  });
});

describe("the cache of a browser", () => {
  const global = globalThis as { indexedDB?: unknown };
  afterEach(() => {
    delete global.indexedDB;
  });

  /** As much of IndexedDB as one object store needs: requests that succeed later. */
  function stubIndexedDb(kept: Map<string, unknown>): void {
    const later = <T>(result: T, ...calls: string[]) => {
      const request: Record<string, unknown> = { result };
      setTimeout(() => {
        for (const call of [...calls, "onsuccess"]) (request[call] as () => void)();
      });
      return request;
    };
    const objectStore = () => ({
      get: (key: string) => later(kept.get(key)),
      put: (value: unknown, key: string) => later(kept.set(key, structuredClone(value))),
    });
    const opened = { createObjectStore: objectStore, transaction: () => ({ objectStore }), close: () => {} };
    global.indexedDB = { open: () => later(opened, "onupgradeneeded") };
  }

  it("gives back the table of its adapter, and nothing where nothing is or can be kept", async () => {
    const table = new TuningTable("adapter a", { k: { choice: { workgroup: 16 }, source: "01234567" } });
    expect(await browser.loadTuning("adapter a")).toBeNull();
    stubIndexedDb(new Map());
    expect(await browser.loadTuning("adapter a")).toBeNull();
    await browser.saveTuning(table);
    expect((await browser.loadTuning("adapter a"))?.toJSON()).toEqual(table.toJSON());
    expect(await browser.loadTuning("adapter b")).toBeNull();
  });
});
