import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { headerOf } from "../../src/engine/shaderSource.ts";

const folder = fileURLToPath(new URL("../../src/shaders/", import.meta.url));
const shaders = readdirSync(folder).filter((name) => name.endsWith(".wgsl"));

it("the reading order of the kernels names each shader, and no other", () => {
  const guide = readFileSync(`${folder}README.md`, "utf8");
  const steps = guide.slice(guide.indexOf("\n1. "), guide.indexOf("To look closer"));
  const named = new Set([...steps.matchAll(/`(\w+)`/g)].map((match) => match[1]));
  expect([...named].sort()).toEqual(shaders.map((name) => name.replace(".wgsl", "")).sort());
});

it("every shader begins with a comment that says what it computes", () => {
  for (const name of shaders) expect(headerOf(readFileSync(folder + name, "utf8")).length, name).toBeGreaterThan(1);
});
