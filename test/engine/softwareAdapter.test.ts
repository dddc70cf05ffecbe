import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DeviceError } from "../../src/engine/errors.ts";
import { driverFolders, hasDriverFiles, openGpu, openNullGpu } from "../../src/engine/softwareAdapter.node.ts";
import { cacheFolders, findSwiftShaderArchive, unpackSwiftShader } from "../../src/engine/swiftshader.node.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tepal-adapter-"));
const packaged = process.platform === "linux" && process.arch === "x64" ? findSwiftShaderArchive() : undefined;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function double(device: GPUDevice, values: Float32Array<ArrayBuffer>): Promise<number[]> {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: values.byteLength, usage });
  const copy = device.createBuffer({
    size: values.byteLength,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  device.queue.writeBuffer(buffer, 0, values);
  const code = `@group(0) @binding(0) var<storage, read_write> x: array<f32>;
    @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3u) { x[id.x] = 2 * x[id.x]; }`;
  const module = device.createShaderModule({ code });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer } }],
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(values.length);
  pass.end();
  encoder.copyBufferToBuffer(buffer, 0, copy, 0, values.byteLength);
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(GPUMapMode.READ);
  return [...new Float32Array(copy.getMappedRange())];
}

describe("openGpu", () => {
  it("computes, and gives a fresh adapter after a device was lost", async () => {
    const first = await openGpu();
    expect(first.description).not.toBe("");
    const lost = await first.adapter.requestDevice();
    lost.destroy();
    expect((await lost.lost).reason).toBe("destroyed");
    const second = await openGpu();
    expect(second.gpu).toBe(first.gpu);
    const device = await second.adapter.requestDevice();
    expect(await double(device, new Float32Array([1, -2.5, 3]))).toEqual([2, -5, 6]);
    device.destroy();
  });

  it("keeps the object that must not be collected where no module reset reaches it", async () => {
    const { gpu } = await openGpu();
    const kept = (globalThis as unknown as Record<symbol, { gpu: GPU }>)[Symbol.for("tepal.gpu")];
    expect(kept.gpu).toBe(gpu);
  });

  it.runIf(process.env.TEPAL_ADAPTER === "swiftshader")("takes SwiftShader when told to", async () => {
    const { description, software } = await openGpu();
    expect(description).toMatch(/SwiftShader/);
    expect(software).toBe(true);
  });
});

describe("openNullGpu", () => {
  it("compiles shaders and tells line and column of a mistake", async () => {
    const { adapter } = await openNullGpu();
    const device = await adapter.requestDevice();
    device.pushErrorScope("validation");
    const code = "@compute @workgroup_size(1) fn main() {\n  let a = missing;\n}";
    const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
    expect(await device.popErrorScope()).not.toBeNull();
    expect(messages.map(({ lineNum, linePos, type }) => [type, lineNum, linePos])).toEqual([["error", 2, 11]]);
    device.destroy();
  });
});

describe("looking for drivers", () => {
  it("follows the loader's folders", () => {
    expect(driverFolders({ HOME: "/h", XDG_DATA_DIRS: "/a:/b" })).toEqual(
      ["/h/.config", "/etc/xdg", "/etc", "/h/.local/share", "/a", "/b", "/usr/local/share", "/usr/share"].map(
        (base) => `${base}/vulkan/icd.d`,
      ),
    );
  });

  it("does not wake the loader for a chosen driver that is not there", () => {
    expect(hasDriverFiles({ VK_DRIVER_FILES: join(folder, "none.json") })).toBe(false);
    expect(hasDriverFiles({ VK_ICD_FILENAMES: join(folder, "none.json") })).toBe(false);
  });
});

describe.runIf(packaged)("the unpacked SwiftShader", () => {
  const { archive } = packaged ?? { archive: "" };
  const names = ["libvk_swiftshader.so", "libvulkan.so.1", "sizes.json", "vk_swiftshader_icd.json"];

  it("lies complete in the cache and is unpacked once", () => {
    const target = join(folder, "once", "swiftshader");
    expect(unpackSwiftShader(archive, [target])).toBe(target);
    expect(readdirSync(target).sort()).toEqual(names);
    const icd = JSON.parse(readFileSync(join(target, "vk_swiftshader_icd.json"), "utf8"));
    expect(icd.ICD.library_path).toBe("./libvk_swiftshader.so");
    const before = statSync(target).mtimeMs;
    unpackSwiftShader(archive, [target]);
    expect(statSync(target).mtimeMs).toBe(before);
    expect(readdirSync(join(folder, "once"))).toEqual(["swiftshader"]);
  });

  it("is repaired when a file was cut short", () => {
    const target = join(folder, "cut", "swiftshader");
    unpackSwiftShader(archive, [target]);
    const library = join(target, "libvk_swiftshader.so");
    const { size } = statSync(library);
    truncateSync(library, 1000);
    unpackSwiftShader(archive, [target]);
    expect(statSync(library).size).toBe(size);
  });

  it("goes to the next folder where one cannot be written, and says so where none can", () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    const target = join(folder, "second");
    expect(unpackSwiftShader(archive, [join(file, "x"), target])).toBe(target);
    expect(() => unpackSwiftShader(archive, [join(file, "x")])).toThrow(/writable cache.*XDG_CACHE_HOME/);
  });

  it("refuses a damaged archive", () => {
    const damaged = join(folder, "damaged.tar.br");
    writeFileSync(damaged, readFileSync(archive).subarray(0, 1000));
    expect(() => unpackSwiftShader(damaged, [join(folder, "never")])).toThrow(DeviceError);
  });

  it("is looked for in the user's cache first", () => {
    expect(cacheFolders("1.2", { XDG_CACHE_HOME: "/c" })[0]).toBe("/c/tepal/swiftshader-1.2");
    expect(cacheFolders("1.2", { HOME: "/h" })[0]).toBe("/h/.cache/tepal/swiftshader-1.2");
    expect(cacheFolders("1.2", { HOME: "/h", XDG_CACHE_HOME: "relative" })[0]).toBe("/h/.cache/tepal/swiftshader-1.2");
  });
});

describe.runIf(packaged)("in a process of its own", () => {
  // Beside node_modules, where the bundle finds Dawn.
  const programs = join(root, "node_modules", ".cache", "tepal-test");
  const program = join(programs, `adapter-${process.pid}.mjs`);
  const missing = join(folder, "none.json");

  beforeAll(async () => {
    mkdirSync(programs, { recursive: true });
    const source = `import { openGpu } from "./src/engine/softwareAdapter.node.ts";
      try {
        const [a, b] = await Promise.all([openGpu(), openGpu()]);
        const devices = await Promise.all([a.adapter.requestDevice(), b.adapter.requestDevice()]);
        console.log(JSON.stringify({ description: a.description, software: a.software, devices: devices.length }));
        process.exit(0);
      } catch (error) {
        console.log(error.name + ": " + error.message);
        process.exit(error.exitCode ?? 1);
      }`;
    await build({
      stdin: { contents: source, resolveDir: root, loader: "ts" },
      outfile: program,
      bundle: true,
      format: "esm",
      platform: "node",
      external: ["webgpu", "@sparticuz/chromium"],
    });
  });
  afterAll(() => rmSync(program, { force: true }));

  function open(env: Record<string, string>) {
    const { TEPAL_ADAPTER: _, VK_DRIVER_FILES: __, VK_ICD_FILENAMES: ___, ...rest } = process.env;
    const result = spawnSync(process.execPath, [program], { env: { ...rest, ...env }, encoding: "utf8" });
    return { code: result.status, stdout: result.stdout.trim(), stderr: result.stderr.trim() };
  }

  it("falls back to SwiftShader in one line when the chosen driver is not there", () => {
    const { code, stdout, stderr } = open({ VK_DRIVER_FILES: missing });
    expect(code, stdout).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      description: expect.stringContaining("SwiftShader"),
      software: true,
      devices: 2,
    });
    expect(stderr).toBe(`No GPU driver found at ${missing}: using the SwiftShader software adapter (slow).`);
  });

  it("unpacks into a fresh cache, silently when told to", () => {
    const cache = join(folder, "fresh");
    const { code, stdout, stderr } = open({ TEPAL_ADAPTER: "swiftshader", XDG_CACHE_HOME: cache });
    expect(code, stdout).toBe(0);
    expect(stdout).toContain("SwiftShader");
    expect(stderr).toBe("");
    expect(readdirSync(join(cache, "tepal"))).toEqual([expect.stringMatching(/^swiftshader-\d+\.\d+\.\d+$/)]);
  });

  it("honours a driver that the user chose", () => {
    const cache = join(folder, "fresh");
    const [version] = readdirSync(join(cache, "tepal"));
    const icd = join(cache, "tepal", version, "vk_swiftshader_icd.json");
    const { code, stdout } = open({ VK_DRIVER_FILES: icd, TEPAL_ADAPTER: "auto" });
    expect(code, stdout).toBe(0);
    expect(stdout).toContain("SwiftShader");
  });

  it("ends in a typed error when the system has no driver, or the choice is misspelt", () => {
    const none = open({ TEPAL_ADAPTER: "system", VK_DRIVER_FILES: missing });
    expect([none.code, none.stdout]).toEqual([9, expect.stringMatching(/^DeviceError: expected a GPU driver/)]);
    const misspelt = open({ TEPAL_ADAPTER: "swiftshadr" });
    expect([misspelt.code, misspelt.stdout]).toEqual([9, expect.stringContaining('found "swiftshadr"')]);
  });
});
