import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Inside the repository, so that the bundle finds the package `webgpu`. */
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(root, "node_modules/.exit-code-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const shaders: Plugin = {
  name: "shaders",
  setup(builder) {
    builder.onResolve({ filter: /\.wgsl\?raw$/ }, ({ path, resolveDir }) => ({
      path: join(resolveDir, path.replace("?raw", "")),
      namespace: "shader",
    }));
    builder.onLoad({ filter: /.*/, namespace: "shader" }, ({ path }) => ({
      contents: readFileSync(path, "utf8"),
      loader: "text",
    }));
  },
};

const program = (body: string): string => `
  import { compile } from "./src/engine/compile.ts";
  import { Device } from "./src/engine/device.ts";
  import { input, parameter } from "./src/engine/ops/sources.ts";
  import { multiply } from "./src/engine/ops/binary.ts";
  import { ParameterStore } from "./src/engine/parameters.ts";
  import { openGpu } from "./src/engine/softwareAdapter.node.ts";
  const device = await Device.open((await openGpu()).adapter);
  const parameters = new ParameterStore(device);
  parameters.set("w", new Float32Array([2, 3]), [2]);
  const plan = await compile(device, { outputs: { y: multiply(input("x", [2]), parameter("w", [2])) } }, { parameters });
  ${body}
  const { y } = await plan.run({ x: new Float32Array([10, 100]) });
  console.log("result", y.join());
  process.exit(0);`;

/** Runs a small program of its own process; nothing in it catches an error. */
async function run(name: string, body: string) {
  const outfile = join(folder, `${name}.mjs`);
  await build({
    stdin: { contents: program(body), resolveDir: root, loader: "ts" },
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    plugins: [shaders],
    logLevel: "silent",
  });
  const { status, stdout, stderr } = spawnSync(process.execPath, [outfile], { encoding: "utf8", timeout: 60_000 });
  return { status, stdout, stderr };
}

describe("the exit code of a program", () => {
  it("is 0 when nothing went wrong", async () => {
    const { status, stdout } = await run("sound", "");
    expect(stdout).toContain("result 20,300");
    expect(status).toBe(0);
  });

  const planted: [string, string][] = [
    [
      "an invalid buffer",
      "device.gpu.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });",
    ],
    ["a destroyed buffer", 'parameters.delete("w");'],
    [
      "a pipeline of an invalid shader",
      `device.gpu.createComputePipeline({ layout: "auto", compute: { module: device.gpu.createShaderModule({ code: "fn" }) } });`,
    ],
    ["a lost device", "device.destroy();"],
  ];
  for (const [name, body] of planted)
    it(`is not 0 after ${name}, and no zeros are printed`, async () => {
      const { status, stdout, stderr } = await run(name.replace(/ /g, "-"), body);
      expect(stdout).not.toContain("result");
      expect(status).not.toBe(0);
      expect(status).not.toBeNull();
      expect(stderr).toMatch(/Device(Lost)?Error/);
    });
});
