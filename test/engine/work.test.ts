import { beforeAll, describe, expect, it } from "vitest";
import { compile } from "../../src/engine/compile.ts";
import { Device } from "../../src/engine/device.ts";
import { LimitError } from "../../src/engine/errors.ts";
import type { Tensor } from "../../src/engine/graph.ts";
import { conv2d } from "../../src/engine/ops/conv2d.ts";
import { matmul } from "../../src/engine/ops/matmul.ts";
import { mean } from "../../src/engine/ops/reduce.ts";
import { input, parameter } from "../../src/engine/ops/sources.ts";
import { relu6, square } from "../../src/engine/ops/unary.ts";
import { ParameterStore } from "../../src/engine/parameters.ts";
import { cutSubmissions, submissionBudget, workOf } from "../../src/engine/plan/encoding.ts";
import { openNullGpu } from "../../src/engine/softwareAdapter.node.ts";
import { BATCH } from "../../src/engine/types.ts";
import { smallMobileNet, storeOf } from "./networks.ts";

/** Nothing is computed, so a device that only compiles will do. */
let device: Device;
let budget: number;
beforeAll(async () => {
  const { adapter } = await openNullGpu();
  device = await Device.open(adapter);
  budget = submissionBudget(device);
});

const wide = 64;
function deepConvolution(layers: number, size: number, coupled = false) {
  const parameters = new ParameterStore(device);
  let y: Tensor = input("x", [BATCH, size, size, wide]);
  for (let layer = 0; layer < layers; layer++) {
    parameters.set(`w${layer}`, new Float32Array(9 * wide * wide), [3, 3, wide, wide]);
    y = relu6(conv2d(y, parameter(`w${layer}`, [3, 3, wide, wide]), { padding: [1, 1, 1, 1] }));
  }
  return { graph: { outputs: { y: coupled ? mean(square(y), [0, 1, 2, 3]) : y } }, parameters };
}

describe("work", () => {
  it("of every dispatch and every submission stays within the budget, over depths, sizes and batches", async () => {
    for (const [layers, size, maxBatch] of [
      [1, 8, 64],
      [4, 16, 200],
      [6, 32, 500],
      [2, 112, 33],
      [3, 57, 127],
    ]) {
      const { graph, parameters } = deepConvolution(layers, size);
      using plan = await compile(device, graph, { parameters, maxBatch, memoryBudget: 8 * 2 ** 30 });
      const { prologue, main } = plan.steps(plan.chunk);
      const steps = [...prologue, ...main];
      for (const { call } of steps) expect(workOf(call)).toBeLessThanOrEqual(budget);
      const submissions = cutSubmissions(steps, budget);
      expect(submissions.flat()).toEqual(steps);
      for (const part of submissions)
        expect(part.reduce((work, { call }) => work + workOf(call), 0)).toBeLessThanOrEqual(budget);
      // The budget is what cut the batch, and it cut no more than it had to.
      if (plan.chunk < maxBatch) {
        const most = Math.max(...plan.steps(plan.chunk + 1).main.map(({ call }) => workOf(call)));
        const isFull = plan.layout.bytes * (1 + 1 / plan.chunk) > 8 * 2 ** 30 || plan.layout.bytes > 2 ** 27;
        expect(most > budget || isFull).toBe(true);
      }
      parameters.dispose();
    }
  });

  it("of a network and its backward pass is counted for every dispatch", async () => {
    const network = smallMobileNet({ size: 33, explain: true });
    const parameters = storeOf(device, network);
    using plan = await compile(device, network.graph, { parameters, maxBatch: 16 });
    for (const { call, node } of plan.steps(16).main) {
      expect(call.bytes, node.op.name).toBeGreaterThan(0);
      expect(Number.isFinite(workOf(call)), node.op.name).toBe(true);
    }
    parameters.dispose();
  });

  it("above the budget in one dispatch is cut to a smaller batch", async () => {
    const { graph, parameters } = deepConvolution(1, 32);
    const perSample = 2 * 32 * 32 * wide * 9 * wide;
    const fitting = Math.floor(budget / perSample);
    using plan = await compile(device, graph, { parameters, maxBatch: 2 * fitting, memoryBudget: 2 ** 40 });
    expect(plan.chunk).toBeLessThanOrEqual(fitting);
    parameters.dispose();
  });

  it("above the budget in a graph that couples its samples is refused, naming the batch that fits", async () => {
    const { graph, parameters } = deepConvolution(1, 32, true);
    const before = [device.liveBuffers, device.liveBytes];
    const attempt = compile(device, graph, { parameters, maxBatch: 100_000, memoryBudget: 2 ** 50 });
    await expect(attempt).rejects.toThrow(LimitError);
    await expect(attempt).rejects.toThrow(/use a batch of \d+ or less/);
    expect([device.liveBuffers, device.liveBytes]).toEqual(before);
    parameters.dispose();
  });

  it("above the budget for one sample is refused", async () => {
    const huge = Math.ceil(Math.cbrt(budget));
    const graph = { outputs: { y: matmul(input("a", [huge, huge]), input("b", [huge, huge])) } };
    await expect(compile(device, graph, { memoryBudget: 2 ** 50 })).rejects.toThrow(
      /GFLOP; a submission takes .* GFLOP; not even one sample fits/,
    );
  });
});
