import { beforeAll, describe, expect, it } from "vitest";
import { relativeL2 } from "../../src/engine/checkOp.ts";
import { compile } from "../../src/engine/compile.ts";
import type { Graph } from "../../src/engine/graph.ts";
import { input } from "../../src/engine/ops/sources.ts";
import { scale } from "../../src/engine/ops/unary.ts";
import { ParameterStore } from "../../src/engine/parameters.ts";
import { BATCH } from "../../src/engine/types.ts";
import { loadWeights } from "../../src/nn/formats/files.node.ts";
import { mobileNetV2 } from "../../src/nn/mobilenetV2.ts";
import { testDevice } from "../device.ts";
import { expectDistance, loadTruth, type Truth, weightsFile } from "../reference.ts";
import { hasShared, shared } from "../shared.ts";

describe.skipIf(!hasShared)("MobileNetV2 against float64 truth", () => {
  let truth: Truth;
  let store: ParameterStore;
  beforeAll(async () => {
    truth = loadTruth();
    store = new ParameterStore(await testDevice());
    const weights = await loadWeights(shared(weightsFile));
    for (const [name, { data, shape }] of weights.tensors) store.set(name, data as Float32Array<ArrayBuffer>, shape);
  });

  /** No farther than twice TensorFlow's own float32, or 5e-6 where that is more. */
  const bound = (name: string): number => Math.max(5e-6, 2 * truth.tensorFlow[name]);

  it("gives the activations and logits of the photographs", async () => {
    const x = input("x", [BATCH, 224, 224, 3]);
    const { logits, pooled } = mobileNetV2(x, { classes: 1000 });
    const graph: Graph = { outputs: { logits: logits as NonNullable<typeof logits>, gap: pooled } };
    const plan = await compile(await testDevice(), graph, { parameters: store, maxBatch: 4, fetch: truth.taps });
    const got = await plan.run({ x: truth.tensor("input") });
    plan.dispose();
    const names = ["logits", "gap", ...truth.taps.map((tap) => `act/${tap}`)];
    for (const name of names) {
      const want = truth.tensor(name);
      expectDistance(name, relativeL2(got[name.replace("act/", "")].subarray(0, want.length), want), bound(name));
    }
    const top = truth.classes.map((_, sample) => argmax(got.logits.subarray(1000 * sample, 1000 * (sample + 1))));
    expect(top).toEqual(truth.classes);
  });

  it("runs in at most 56 dispatches and 8 MiB of activations per image", async () => {
    const x = scale(input("pixels", [BATCH, 224, 224, 3]), 1 / 127.5, -1);
    const logits = mobileNetV2(x, { classes: 1000 }).logits as NonNullable<ReturnType<typeof mobileNetV2>["logits"]>;
    const plan = await compile(await testDevice(), { outputs: { logits } }, { parameters: store });
    expect(plan.dispatches).toBeLessThanOrEqual(56);
    expect(plan.activationBytes).toBeLessThanOrEqual(8 * 2 ** 20);
    plan.dispose();
  });
});

const argmax = (values: ArrayLike<number>): number => {
  let best = 0;
  for (let index = 1; index < values.length; index++) if (values[index] > values[best]) best = index;
  return best;
};
