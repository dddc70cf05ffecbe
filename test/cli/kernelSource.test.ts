import { describe, expect, it } from "vitest";
import { catalogue } from "../../src/cli/kernels/catalogue.ts";
import { entryPointsOf, headerOf, specialise } from "../../src/engine/shaderSource.ts";

const code = `// First line.
//   y = x
const A: u32 = 1;
// not the header
override B: u32 = 8; // registers
override C: f32;
override D: bool = false;

fn helper() {}

@compute @workgroup_size(B)
fn first(@builtin(global_invocation_id) id: vec3u) {
  if (D) { return; }
}

@compute @workgroup_size(8, 8) fn second() {
}
`;

describe("a kernel's source", () => {
  it("has a header and entry points", () => {
    expect(headerOf(code)).toEqual(["First line.", "  y = x"]);
    expect(headerOf("// only a comment")).toEqual(["only a comment"]);
    expect(entryPointsOf(code)).toEqual(["first", "second"]);
  });

  it("is specialised by constants of the right type, for one entry point", () => {
    const source = specialise(code, "second", { B: 16, C: 0.5 });
    expect(source).toContain("const B: u32 = 16u; // registers");
    expect(source).toContain("const C: f32 = f32(0.5);");
    expect(source).toContain("const D: bool = false;");
    expect(source).toContain("const A: u32 = 1;");
    expect(source).toContain("fn helper() {}");
    expect(entryPointsOf(source)).toEqual(["second"]);
    expect(source).not.toMatch(/override|first/);
  });
});

describe("the catalogue", () => {
  it("has a header line and an entry point for every shader that an op uses, without a GPU", () => {
    const shaders = catalogue();
    expect([...shaders.keys()]).toEqual([...shaders.keys()].sort());
    for (const name of ["conv2d", "depthwise", "matmul", "softmax", "updates"])
      expect(shaders.has(name), name).toBe(true);
    for (const { shader, summary, entryPoints, ops } of shaders.values()) {
      expect(summary, shader.name).not.toBe("");
      expect(entryPoints.length, shader.name).toBeGreaterThan(0);
      expect(ops.length, shader.name).toBeGreaterThan(0);
    }
  });
});
