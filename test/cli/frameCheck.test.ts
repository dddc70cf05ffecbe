import { posix } from "node:path";
import { describe, expect, it } from "vitest";

type Problems = (
  paths: string[],
  read: (path: string) => string,
  resolveImport: (from: string, specifier: string) => string,
) => string[];
const { dependencyProblems } = (await import("../../script/dependencies.mjs" as string)) as {
  dependencyProblems: Problems;
};

const problemsOf = (path: string, text: string): string[] =>
  dependencyProblems(
    [path],
    () => text,
    (from, specifier) => posix.join(posix.dirname(from), specifier),
  );

describe("dependency directions", () => {
  it.each([
    ["src/engine/graph.ts", 'import { x } from "./types.ts";'],
    ["src/engine/ops/unary.ts", 'import code from "../../shaders/unary.wgsl?raw";'],
    ["src/nn/layers.ts", 'export * from "../engine/graph.ts";'],
    ["src/cli/main.ts", 'import fs from "node:fs"; const c = import("../xai/gradcam.ts");'],
    ["src/nn/formats/files.node.ts", 'import { unzipSync } from "fflate"; import "./keras.node.ts";'],
    ["src/engine/device.ts", "export const open = (a: GPUAdapter) => a;"],
    ["src/nn/layers.ts", '// import fs from "node:fs"; GPUBuffer\nconst text = "GPUBuffer";'],
  ])("allow %s: %s", (path, text) => {
    expect(problemsOf(path, text)).toEqual([]);
  });

  it.each([
    ["src/engine/graph.ts", 'import { x } from "../nn/layers.ts";', "engine must not depend on nn"],
    ["src/nn/layers.ts", 'import type { X } from "../xai/ig.ts";', "nn must not depend on xai"],
    ["src/xai/ig.ts", 'export * from "../data/images.ts";', "xai must not depend on data"],
    ["src/xai/ig.ts", 'const x = await import("../cli/main.ts");', "xai must not depend on cli"],
    ["src/nn/layers.ts", 'import code from "../shaders/x.wgsl?raw";', "nn must not depend on shaders"],
    ["src/nn/layers.ts", 'import fs from "node:fs";', 'imports "node:fs"'],
    ["src/nn/formats/zip.ts", 'import { unzipSync } from "fflate";', 'imports "fflate"'],
    ["src/data/images.ts", 'import "./decode.node.ts";', "only runs in Node"],
    ["src/index.ts", 'export * from "./engine/softwareAdapter.node.ts";', "only runs in Node"],
    ["src/xai/ig.ts", 'import "../../test/shared.ts";', "outside the layout"],
    ["src/utils/x.ts", "export {};", "outside the layout"],
    ["src/xai/ig.ts", "export const f = (buffer: GPUBuffer) => buffer;", "names GPUBuffer"],
  ])("refuse %s: %s", (path, text, message) => {
    const problems = problemsOf(path, text);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^\S+:\d+:\d+ /);
    expect(problems[0]).toContain(message);
  });
});
