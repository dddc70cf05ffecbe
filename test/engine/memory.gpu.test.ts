import { expect, it } from "vitest";
import { gradients } from "../../src/engine/autodiff.ts";
import { compile } from "../../src/engine/compile.ts";
import { biasAdd } from "../../src/engine/ops/channel.ts";
import { matmul } from "../../src/engine/ops/matmul.ts";
import { mean } from "../../src/engine/ops/reduce.ts";
import { input, parameter } from "../../src/engine/ops/sources.ts";
import { relu, square } from "../../src/engine/ops/unary.ts";
import { ParameterStore } from "../../src/engine/parameters.ts";
import { BATCH } from "../../src/engine/types.ts";
import { testDevice } from "../device.ts";
import { descend, normals } from "./networks.ts";

const steps = 2000;

it(`${steps} steps of training, with changing batch sizes and evaluation between, keep the same buffers alive`, async () => {
  const device = await testDevice();
  // What the device keeps for all plans is there before the count.
  const start = [device.liveBuffers, device.liveBytes];
  const parameters = new ParameterStore(device);
  parameters.set("w", normals(24, 1, 0, 0.3), [6, 4]);
  parameters.set("b", new Float32Array(4), [4]);
  const [w, b] = [parameter("w", [6, 4]), parameter("b", [4])];
  const y = biasAdd(matmul(relu(input("x", [BATCH, 6])), w), b);
  const loss = mean(square(y), [0, 1]);
  const [dw, db] = gradients(loss, [w, b]);
  const training = await compile(
    device,
    { outputs: { loss }, updates: [descend(w, dw, 0.05), descend(b, db, 0.05)] },
    { parameters, maxBatch: 8 },
  );
  const evaluation = await compile(device, { outputs: { y } }, { parameters, maxBatch: 8 });
  const x = normals(8 * 6, 2);
  const losses: number[] = [];
  let settled: number[] = [];
  for (let step = 0; step < steps; step++) {
    losses.push((await training.run({ x: x.subarray(0, 6 * (5 + (step % 4))) })).loss[0]);
    if (step % 50 === 0) {
      await evaluation.run({ x });
      await parameters.get("w");
    }
    if (step === 10) settled = [device.liveBuffers, device.liveBytes];
    if (step > 10 && step % 100 === 0) expect([device.liveBuffers, device.liveBytes]).toEqual(settled);
  }
  expect([device.liveBuffers, device.liveBytes]).toEqual(settled);
  expect(losses[steps - 1]).toBeLessThan(0.1 * losses[0]);
  training.dispose();
  evaluation.dispose();
  parameters.dispose();
  expect([device.liveBuffers, device.liveBytes]).toEqual(start);
});

it("compiling and disposing a plan 200 times leaves nothing", async () => {
  const device = await testDevice();
  const start = [device.liveBuffers, device.liveBytes];
  for (let round = 0; round < 200; round++) {
    const parameters = new ParameterStore(device);
    parameters.set("w", normals(12, 1), [3, 4]);
    using plan = await compile(
      device,
      { outputs: { y: matmul(input("x", [2, 3]), parameter("w", [3, 4])) } },
      { parameters },
    );
    await plan.run({ x: normals(6, round) });
    parameters.dispose();
  }
  expect([device.liveBuffers, device.liveBytes]).toEqual(start);
});
