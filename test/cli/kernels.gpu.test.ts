import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { KernelCost, LayerCost } from "../../src/cli/kernels/measure.ts";
import { compileModule } from "../../src/engine/device.ts";
import { testDevice } from "../device.ts";

const program = fileURLToPath(new URL("../../bin/tepal.mjs", import.meta.url));

function kernels(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, "kernels", ...args], { encoding: "utf8" });
  return { code: status, stdout, stderr };
}

const total = (costs: readonly (LayerCost | KernelCost)[], key: "flops" | "bytes" | "milliseconds" | "share") =>
  costs.reduce((sum, cost) => sum + cost[key], 0);

describe("tepal kernels", () => {
  it("adds up: layers, kernels and totals; and each specialised source compiles by itself", async () => {
    const { code, stdout } = kernels("--size", "64", "--batch", "2", "--repeats", "2", "--source", "--json");
    expect(code).toBe(0);
    const result = JSON.parse(stdout);
    const layers: LayerCost[] = result.layers;
    const { totals } = result;
    for (const key of ["flops", "bytes", "milliseconds"] as const) {
      expect(total(layers, key) / totals[key]).toBeCloseTo(1, 9);
      expect(total(result.kernels, key) / totals[key]).toBeCloseTo(1, 9);
    }
    expect(total(layers, "share")).toBeCloseTo(1, 9);
    expect(layers).toHaveLength(totals.dispatches);
    expect(result.kernels.reduce((sum: number, { dispatches }: KernelCost) => sum + dispatches, 0)).toBe(layers.length);
    expect(totals.dispatches).toBeLessThanOrEqual(56);
    const names = layers.map(({ name }) => name);
    for (const name of ["Conv1_relu", "block_2_add", "out_relu", "predictions"]) expect(names).toContain(name);
    const [first] = layers;
    expect(first).toMatchObject({ name: "Conv1_relu", output: [2, 32, 32, 32], flops: 2 * 2 * 32 * 32 * 32 * 27 });
    expect(first.intensity).toBeCloseTo(first.flops / first.bytes, 9);
    expect(first.gflopsPerSecond).toBeCloseTo(first.flops / first.milliseconds / 1e6, 6);
    expect(result.roofline.copyGigabytesPerSecond).toBeGreaterThan(0);
    expect(result.roofline.multiplyAddGflopsPerSecond).toBeGreaterThan(0);

    const covered = result.sources.flatMap((source: { layers: string[] }) => source.layers);
    expect(covered).toHaveLength(layers.length);
    const device = await testDevice();
    for (const { kernel, wgsl } of result.sources) {
      expect(wgsl, kernel).not.toMatch(/^override/m);
      await compileModule(device.gpu, { name: kernel, code: wgsl });
    }
  });

  it("shows one kernel: its header, its source and the layers that use it", () => {
    const { code, stdout } = kernels("reduce.partialSumVectors", "--size", "64", "--repeats", "1", "--json");
    expect(code).toBe(0);
    const { layers, sources, shaders } = JSON.parse(stdout);
    expect(layers.length).toBeGreaterThan(0);
    for (const { kernel } of [...layers, ...sources]) expect(kernel).toBe("reduce.partialSumVectors");
    expect(shaders[0].header[0]).toMatch(/^Sums over/);
  });

  it("shows a kernel that the network does not use with its defaults", () => {
    const { code, stdout } = kernels("unary", "--size", "32", "--repeats", "1");
    expect(code).toBe(0);
    expect(stdout).toMatch(/── unary\.scale: no layer of MobileNetV2/);
    expect(stdout).toMatch(/const WORKGROUP: u32 = 64;/);
  });

  it("lists every shader without opening a GPU", () => {
    const { code, stdout, stderr } = kernels("--list", "--json");
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/SwiftShader|Warning/);
    const names = JSON.parse(stdout).shaders.map(({ name }: { name: string }) => name);
    expect(names).toEqual(expect.arrayContaining(["conv2d", "depthwise", "matmul", "reduce", "unary"]));
  });

  it("refuses an unknown kernel and suggests a near one", () => {
    const { code, stderr } = kernels("depthwis", "--size", "32");
    expect(code).toBe(2);
    expect(stderr).toMatch(/unknown kernel "depthwis"; did you mean depthwise\?/);
  });
});
