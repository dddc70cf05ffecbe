import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";
import { measureSizes } from "../../bench/size.ts";
import { rawText } from "../../script/rawText.mjs";

const plugin = rawText({ comments: false });

/** What a page loads of all that the package exports, as one script. */
async function wholeCore(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("../../src/index.ts", import.meta.url))],
    bundle: true,
    format: "iife",
    globalName: "tepal",
    platform: "browser",
    target: "es2022",
    write: false,
    plugins: [plugin],
  });
  return outputFiles[0].text;
}

describe("the core in a page", () => {
  it("takes at most 45 kB with MobileNetV2, Grad-CAM and Integrated Gradients, minified and gzipped, and no wasm", async () => {
    const { tepal } = await measureSizes(plugin, false);
    console.log(`${tepal.gzip} bytes (bound 45000)`);
    expect(tepal.gzip).toBeGreaterThan(20_000);
    expect(tepal.gzip).toBeLessThanOrEqual(45_000);
    expect(tepal.wasm).toBeUndefined();
  });

  it("touches no global when it is imported, and needs none but the language", async () => {
    const code = await wholeCore();
    const context = createContext(Object.create(null));
    const before = runInContext("Object.getOwnPropertyNames(globalThis)", context) as string[];
    runInContext(
      `for (const name of Object.getOwnPropertyNames(globalThis)) {
      const value = globalThis[name];
      if (typeof value === "function") { Object.freeze(value); if (value.prototype) Object.freeze(value.prototype); }
    }`,
      context,
    );
    runInContext(`"use strict";${code}`, context);
    const added = (runInContext("Object.getOwnPropertyNames(globalThis)", context) as string[]).filter(
      (name) => !before.includes(name),
    );
    expect(added).toEqual(["tepal"]);
    expect(runInContext("typeof tepal.compile", context)).toBe("function");
    expect(code).not.toMatch(/\bnew Worker\b|\bWebAssembly\b/);
  });
});
