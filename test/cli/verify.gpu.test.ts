import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { readCases } from "../../src/cli/verify/cases.ts";
import { runCase } from "../../src/cli/verify/run.ts";
import { gradients } from "../../src/engine/autodiff.ts";
import type { Tensor } from "../../src/engine/graph.ts";
import { batchNormTraining } from "../../src/engine/ops/batchNormTraining.ts";
import { add, multiply } from "../../src/engine/ops/binary.ts";
import { biasAdd } from "../../src/engine/ops/channel.ts";
import { conv2d } from "../../src/engine/ops/conv2d.ts";
import { depthwiseConv2d } from "../../src/engine/ops/depthwise.ts";
import { sparseCrossEntropy } from "../../src/engine/ops/losses.ts";
import { matmul } from "../../src/engine/ops/matmul.ts";
import { maxPool2d } from "../../src/engine/ops/pool.ts";
import { mean, sum } from "../../src/engine/ops/reduce.ts";
import { references } from "../../src/engine/ops/registry.ts";
import { reshape } from "../../src/engine/ops/reshape.ts";
import { resizeBilinear } from "../../src/engine/ops/resize.ts";
import { input } from "../../src/engine/ops/sources.ts";
import { exp, relu6 } from "../../src/engine/ops/unary.ts";
import { normal } from "../../src/engine/random.ts";
import { runReference } from "../../src/engine/reference.ts";
import { type Shape, sizeOf, type TypedArray } from "../../src/engine/types.ts";
import { parseSafetensors, serializeSafetensors, type TensorToStore } from "../../src/nn/formats/safetensors.ts";
import { testDevice } from "../device.ts";
import { hasShared, shared } from "../shared.ts";

const program = fileURLToPath(new URL("../../bin/tepal.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tepal-verify-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type File = Record<string, TensorToStore>;

function verify(content: File | Uint8Array | string, ...options: string[]) {
  const path = typeof content === "string" ? content : join(folder, "cases.safetensors");
  if (typeof content !== "string")
    writeFileSync(path, content instanceof Uint8Array ? content : serializeSafetensors(content));
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, "verify", path, ...options], {
    encoding: "utf8",
  });
  return { code: status, stdout, stderr };
}

const random = (shape: Shape, stream: number): Float32Array =>
  Float32Array.from({ length: sizeOf(shape) }, (_, at) => normal(5, stream, at));
const stored = (data: Float32Array | Int32Array, shape: Shape): TensorToStore => ({
  dtype: data instanceof Float32Array ? "F32" : "I32",
  shape,
  data,
});

/** One case as a reference file holds it, computed in float64. Labels are given as data; they have no gradient. */
function writeCase(name: string, operands: readonly (Shape | Int32Array)[], build: (...x: Tensor[]) => Tensor): File {
  const feeds: Record<string, TypedArray> = {};
  const file: File = {};
  const inputs = operands.map((operand, index) => {
    const isData = operand instanceof Int32Array;
    const shape = isData ? [operand.length] : operand;
    const data = isData ? operand : random(shape, index);
    feeds[`in${index}`] = data;
    file[`${name}/in${index}`] = stored(data, shape);
    return input(`in${index}`, shape, isData ? "i32" : "f32");
  });
  const y = build(...inputs);
  const wrt = inputs.filter(({ dtype }) => dtype === "f32");
  feeds.cotangent = random(y.shape, 99);
  file[`${name}/cotangent`] = stored(feeds.cotangent as Float32Array, y.shape);
  const outputs: Record<string, Tensor> = { out: y };
  gradients(y, wrt, input("cotangent", y.shape)).forEach((gradient, index) => {
    outputs[`grad${inputs.indexOf(wrt[index])}`] = gradient;
  });
  const results = runReference({ outputs }, feeds, { references }).outputs;
  for (const [role, tensor] of Object.entries(outputs))
    file[`${name}/${role}`] = stored(Float32Array.from(results[role]), tensor.shape);
  return file;
}

async function run(file: File) {
  const device = await testDevice();
  const results = [];
  for (const one of readCases(parseSafetensors(serializeSafetensors(file))))
    results.push(await runCase(device, one, 1e-5));
  return results;
}

const relu6Case = () => writeCase("relu6/100", [[100]], (x) => relu6(x));
const window = (stride: number, ...padding: [number, number, number, number]) => ({
  strides: [stride, stride] as const,
  padding,
});

describe("cases with other names, and settings left out", () => {
  const cases: readonly [string, readonly (Shape | Int32Array)[], (...x: Tensor[]) => Tensor][] = [
    [
      "conv2d/k3_s2_valid",
      [
        [2, 9, 8, 3],
        [3, 3, 3, 5],
      ],
      (x, w) => conv2d(x, w, window(2, 0, 0, 0, 0)),
    ],
    [
      "conv2d/no_settings",
      [
        [1, 9, 9, 3],
        [3, 3, 3, 4],
      ],
      (x, w) => conv2d(x, w, window(2, 1, 1, 1, 1)),
    ],
    [
      "conv2d/three_readings",
      [
        [1, 7, 7, 2],
        [3, 3, 2, 4],
      ],
      (x, w) => conv2d(x, w, window(2, 0, 0, 0, 0)),
    ],
    [
      "Conv2D/stride2x1_p1",
      [
        [1, 8, 9, 2],
        [3, 3, 2, 4],
      ],
      (x, w) => conv2d(x, w, { ...window(1, 1, 1, 1, 1), strides: [2, 1] }),
    ],
    [
      "depthwise_conv2d/s2_same",
      [
        [1, 8, 6, 5],
        [3, 3, 5, 1],
      ],
      (x, w) => depthwiseConv2d(x, reshape(w, [3, 3, 5]), window(2, 0, 1, 0, 1)),
    ],
    [
      "batchnorm_train/eps1e-4",
      [[3, 4, 5, 6], [6], [6]],
      (x, g, b) => batchNormTraining(x, g, b, { epsilon: 1e-4 })[0],
    ],
    ["batch_norm/unstated", [[3, 4, 5, 6], [6], [6]], (x, g, b) => batchNormTraining(x, g, b, { epsilon: 1e-5 })[0]],
    ["max_pool/k3_s2_same", [[1, 7, 9, 3]], (x) => maxPool2d(x, { size: [3, 3], ...window(2, 1, 1, 1, 1) })],
    ["maxpool/8x6", [[2, 8, 6, 3]], (x) => maxPool2d(x, { size: [2, 2], strides: [2, 2] })],
    ["resize_bilinear/up", [[1, 4, 5, 3]], (x) => resizeBilinear(x, { height: 7, width: 11 })],
    ["dense/with_bias", [[4, 7], [7, 3], [3]], (x, w, b) => biasAdd(matmul(x, w), b)],
    ["add/broadcast", [[2, 3, 4], [4]], (a, b) => add(a, b)],
    ["mul/plain", [[6], [6]], (a, b) => multiply(a, b)],
    ["reduce_sum/axis1", [[3, 3, 3]], (x) => sum(x, [1])],
    ["reduce_mean/which_axis", [[4, 4, 2]], (x) => mean(x, [0])],
    ["sparse_cross_entropy/4x5", [[4, 5], Int32Array.of(0, 4, 2, 2)], (z, labels) => sparseCrossEntropy(z, labels)],
    [
      "cross_entropy/mean",
      [[4, 5], Int32Array.of(1, 0, 3, 4)],
      (z, labels) => mean(sparseCrossEntropy(z, labels), [0]),
    ],
    ["exp/registry_name", [[50]], (x) => exp(x)],
  ];

  for (const [name, operands, build] of cases)
    it(`${name} is understood`, async () => {
      const [result] = await run(writeCase(name, operands, build));
      expect(result.error).toBeUndefined();
      expect(result.worst).toBeLessThanOrEqual(1e-5);
      expect(result.ok).toBe(true);
    });

  it("names the reading where the file leaves a choice, and only there", async () => {
    const [ambiguous] = await run(writeCase(...cases[2]));
    expect(ambiguous.reading).toBe("stride 2×2, padding valid");
    const [stated] = await run(writeCase(...cases[0]));
    expect(stated.reading).toBeUndefined();
  });

  it("runs a case without gradients forward", async () => {
    const { "relu6/100/cotangent": _, "relu6/100/grad0": __, ...file } = relu6Case();
    expect(await run(file)).toEqual([{ name: "relu6/100", forward: 0, gradients: [null], worst: 0, ok: true }]);
  });
});

describe("cases that must fail", () => {
  it("measures a wrong number in the output and in each gradient", async () => {
    for (const role of ["out", "grad0", "grad1"]) {
      const file = writeCase(
        "matmul/3x4x2",
        [
          [3, 4],
          [4, 2],
        ],
        (a, b) => matmul(a, b),
      );
      (file[`matmul/3x4x2/${role}`].data as Float32Array)[1] += 0.01;
      const [result] = await run(file);
      expect(result.ok).toBe(false);
      expect(role === "out" ? result.forward : result.gradients[Number(role.slice(4))]).toBeGreaterThan(1e-4);
    }
  });

  it("never accepts a NaN or an infinity, not even where both sides have it", async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const file = relu6Case();
      for (const role of ["in0", "out"]) (file[`relu6/100/${role}`].data as Float32Array)[3] = value;
      const [result] = await run(file);
      expect(result.forward).toBe(Number.POSITIVE_INFINITY);
      expect(result.ok).toBe(false);
    }
  });

  const broken: readonly [string, (file: File) => void, RegExp][] = [
    ["no output", (file) => delete file["relu6/100/out"], /expected out/],
    ["no input", (file) => delete file["relu6/100/in0"], /expected in0/],
    ["a gradient without a cotangent", (file) => delete file["relu6/100/cotangent"], /expected a cotangent/],
    ["a cotangent without a gradient", (file) => delete file["relu6/100/grad0"], /expected grad0/],
    [
      "a gradient of nothing",
      (file) => {
        file["relu6/100/grad3"] = file["relu6/100/grad0"];
      },
      /grad3/,
    ],
    [
      "a tensor with no role",
      (file) => {
        file["relu6/100/weights"] = file["relu6/100/in0"];
      },
      /found weights/,
    ],
    [
      "an output of another shape",
      (file) => {
        for (const role of ["out", "cotangent"]) file[`relu6/100/${role}`] = stored(random([10, 10], 1), [10, 10]);
      },
      /expected out of the shape/,
    ],
    [
      "too many inputs",
      (file) => {
        file["relu6/100/in1"] = file["relu6/100/in0"];
      },
      /expected 1 inputs of relu6/,
    ],
  ];
  for (const [what, harm, message] of broken)
    it(`reports ${what}`, async () => {
      const file = relu6Case();
      harm(file);
      const results = await run(file);
      expect(results.map(({ name }) => name)).toEqual(["relu6/100"]);
      expect(results[0].ok).toBe(false);
      expect(results[0].error).toMatch(message);
    });

  it("reports dilations, which the ops here do not have", async () => {
    const file = writeCase(
      "conv2d/k3_d2_valid",
      [
        [1, 8, 8, 1],
        [3, 3, 1, 1],
      ],
      (x, w) => conv2d(x, w, window(1, 0, 0, 0, 0)),
    );
    expect((await run(file))[0].error).toMatch(/dilation/);
  });
});

describe("the command", () => {
  it.skipIf(!hasShared)("finds every single-op case of the reference within 1e-5", () => {
    const { code, stdout } = verify(shared("reference/ops.safetensors"), "--json");
    const result = JSON.parse(stdout);
    const names = [...parseSafetensors(readFileSync(shared("reference/ops.safetensors"))).tensors.keys()];
    expect(new Set(result.cases.map((one: { name: string }) => one.name))).toEqual(
      new Set(names.map((name) => name.slice(0, name.lastIndexOf("/")))),
    );
    for (const { name, worst, gradients: errors } of result.cases) {
      expect(worst, name).toBeLessThanOrEqual(1e-5);
      expect(errors, name).not.toContain(null);
    }
    expect(result).toMatchObject({ passed: result.cases.length, failed: 0, tolerance: 1e-5 });
    expect(code).toBe(0);
  });

  it("ends with code 1 and names the case when one number of many is wrong", () => {
    const good = writeCase(
      "matmul/3x4x2",
      [
        [3, 4],
        [4, 2],
      ],
      (a, b) => matmul(a, b),
    );
    const bad = relu6Case();
    (bad["relu6/100/out"].data as Float32Array)[7] += 0.01;
    const { code, stdout } = verify({ ...good, ...bad });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^FAILED {2}relu6\/100 .*out \d\.\de-\d/m);
    expect(stdout).toMatch(/^ok {6}matmul\/3x4x2/m);
    expect(stdout).toMatch(/1 of 2 cases within 1e-5/);
    expect(verify({ ...good, ...bad }, "--tolerance", "0.1").code).toBe(0);
  });

  it("ends with code 1 and names an op that it does not know", () => {
    const file = { ...relu6Case(), ...writeCase("fourier/100", [[100]], (x) => relu6(x)) };
    const { code, stdout } = verify(file, "--json");
    expect(code).toBe(1);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ passed: 1, failed: 1, worst: null });
    const fourier = result.cases.find(({ name }: { name: string }) => name === "fourier/100");
    expect(fourier).toMatchObject({ ok: false, worst: null, error: expect.stringMatching(/^unknown op "fourier"/) });
  });

  it.each([
    ["garbage", new TextEncoder().encode("this is no safetensors file, and it is long enough")],
    ["no bytes", new Uint8Array()],
    ["no tensor", serializeSafetensors({})],
  ])("refuses a file with %s", (_, bytes) => {
    const { code, stdout, stderr } = verify(bytes);
    expect({ code, stdout }).toEqual({ code: 3, stdout: "" });
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toMatch(/^tepal: .*expected/);
  });

  it("refuses a file that does not exist", () => {
    expect(verify(join(folder, "absent.safetensors")).code).toBe(3);
  });
});
