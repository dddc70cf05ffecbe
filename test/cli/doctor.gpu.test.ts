import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { sourceOf } from "../../src/cli/doctor/environment.ts";
import { testOp } from "../../src/cli/doctor/selfTest.ts";
import { GraphError } from "../../src/engine/errors.ts";
import type { OpEntry } from "../../src/engine/op.ts";
import { registry } from "../../src/engine/ops/registry.ts";
import { testDevice } from "../device.ts";

const program = fileURLToPath(new URL("../../bin/tepal.mjs", import.meta.url));

const entryOf = (name: string): OpEntry => registry.find(({ op }) => op.name === name)!;

describe("tepal doctor", () => {
  it("describes the adapter, and finds every op of the registry within 1e-5", () => {
    const { status, stdout } = spawnSync(process.execPath, [program, "doctor", "--seed", "7", "--json"], {
      encoding: "utf8",
    });
    const result = JSON.parse(stdout);
    expect(status).toBe(0);
    expect(result.ops.map(({ name }: { name: string }) => name)).toEqual(registry.map(({ op }) => op.name));
    for (const { name, worst, cases } of result.ops) {
      expect(worst, name).toBeLessThanOrEqual(1e-5);
      expect(cases, name).toBe(entryOf(name).cases.length);
    }
    expect(result).toMatchObject({ seed: 7, passed: registry.length, failed: 0 });
    expect(result.adapter.description).not.toBe("");
    expect(result.adapter.source).toMatch(/SwiftShader|driver/);
    expect(result.versions).toEqual({
      tepal: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      node: process.versions.node,
      webgpu: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    });
    expect(result.limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(128 * 2 ** 20);
    expect(Object.keys(result.features)).toContain("timestamp-query");
  }, 300_000);
});

describe("the self-test", () => {
  it("notices a kernel that computes something else, in the forward pass and in the gradient", async () => {
    const device = await testDevice();
    const relu = entryOf("relu");
    const square = entryOf("square");
    const wrongForward: OpEntry = { ...relu, op: { ...relu.op, kernel: square.op.kernel } };
    const forward = await testOp(device, wrongForward, 1, 1e-5);
    expect(forward).toMatchObject({ name: "relu", ok: false, worstCase: expect.stringContaining("relu/") });
    expect(forward.forward).toBeGreaterThan(0.1);
    const healthy = await testOp(device, relu, 1, 1e-5);
    expect(healthy).toMatchObject({ ok: true, cases: relu.cases.length });
  });

  it("reports a kernel that cannot be compiled or run, instead of ending", async () => {
    const device = await testDevice();
    const relu = entryOf("relu");
    const broken: OpEntry = {
      ...relu,
      op: {
        ...relu.op,
        kernel: (context) => ({ ...relu.op.kernel!(context), shader: { name: "brokenForTest", code: "fn relu( {" } }),
      },
    };
    const result = await testOp(device, broken, 1, 1e-5);
    expect(result.ok).toBe(false);
    expect(result.worst).toBe(Number.POSITIVE_INFINITY);
    expect(result.error).toMatch(/brokenForTest/);
    const bug = new GraphError("a bug");
    const throwing: OpEntry = {
      ...relu,
      op: {
        ...relu.op,
        kernel: () => {
          throw bug;
        },
      },
    };
    expect((await testOp(device, throwing, 1, 1e-5)).error).toBe("a bug");
  });
});

describe("where the adapter came from", () => {
  it("tells the packaged driver, a chosen one and the system's apart", () => {
    const before = process.env.VK_DRIVER_FILES;
    try {
      process.env.VK_DRIVER_FILES = "chosen.json";
      expect(sourceOf("SwiftShader driver 5.0.0", undefined)).toMatch(/^packaged SwiftShader, chosen.json/);
      expect(sourceOf("SwiftShader driver 5.0.0", "chosen.json")).toMatch(/^the driver chosen by/);
      expect(sourceOf("llvmpipe", "chosen.json")).toMatch(/^the driver chosen by/);
    } finally {
      if (before === undefined) delete process.env.VK_DRIVER_FILES;
      else process.env.VK_DRIVER_FILES = before;
    }
  });
});
