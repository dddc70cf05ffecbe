import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { guideText } from "../../src/cli/augment/guide.ts";
import { layerTypes } from "../../src/data/augment/layers.ts";

const docs = fileURLToPath(new URL("../../docs/", import.meta.url));

it("docs/augmentation.md is what script/augmentation-figures.mjs writes", () => {
  expect(readFileSync(`${docs}augmentation.md`, "utf8")).toBe(guideText());
});

it("every layer has its picture on the page, and no picture is left over", () => {
  const linked = [...guideText().matchAll(/\]\(augmentation\/(\w+\.png)\)/g)].map(([, name]) => name);
  expect([...linked].sort()).toEqual(readdirSync(`${docs}augmentation`).sort());
  for (const name of Object.keys(layerTypes)) expect(linked).toContain(`${name}.png`);
});

it("no two layers share the number that their addresses are made of", () => {
  const numbers = Object.values(layerTypes).map(({ number }) => number);
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(Math.max(...numbers)).toBeLessThan(256);
});
