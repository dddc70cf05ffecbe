import { expect, it } from "vitest";
import { gradients } from "../../src/engine/autodiff.ts";
import { compile } from "../../src/engine/compile.ts";
import { Device } from "../../src/engine/device.ts";
import { matmul } from "../../src/engine/ops/matmul.ts";
import { mean } from "../../src/engine/ops/reduce.ts";
import { input, parameter } from "../../src/engine/ops/sources.ts";
import { relu, square } from "../../src/engine/ops/unary.ts";
import { ParameterStore } from "../../src/engine/parameters.ts";
import { openGpu } from "../../src/engine/softwareAdapter.node.ts";
import { BATCH } from "../../src/engine/types.ts";
import { testDevice } from "../device.ts";
import { descend, normals } from "./networks.ts";

/** Losses and final weights of sixty steps from one seed. */
async function history(device: Device): Promise<{ losses: number[]; v: ArrayLike<number>; w: ArrayLike<number> }> {
  using parameters = new ParameterStore(device);
  parameters.set("v", normals(37 * 65, 1, 0, 0.1), [37, 65]);
  parameters.set("w", normals(65 * 7, 1, 1, 0.1), [65, 7]);
  const [v, w] = [parameter("v", [37, 65]), parameter("w", [65, 7])];
  const loss = mean(square(matmul(relu(matmul(input("x", [BATCH, 37]), v)), w)), [0, 1]);
  const [dv, dw] = gradients(loss, [v, w]);
  const graph = { outputs: { loss }, updates: [descend(v, dv, 0.1), descend(w, dw, 0.1)] };
  using plan = await compile(device, graph, { parameters, maxBatch: 32 });
  const losses: number[] = [];
  for (let step = 0; step < 60; step++)
    losses.push((await plan.run({ x: normals(37 * (step % 5 === 4 ? 28 : 32), 2, step) })).loss[0]);
  return { losses, v: await parameters.get("v"), w: await parameters.get("w") };
}

it("the same seed gives the same history and the same weights, bit for bit, also on a device opened anew", async () => {
  const first = await history(await testDevice());
  expect(first.losses[59]).toBeLessThan(first.losses[0]);
  expect(await history(await testDevice())).toEqual(first);
  const { adapter } = await openGpu();
  const other = await Device.open(adapter);
  expect(await history(other)).toEqual(first);
  other.destroy();
});
