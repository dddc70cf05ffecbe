import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { robustnessGuide } from "../../src/cli/robustness/guide.ts";
import { corruptionNames } from "../../src/data/corruptions/corruption.ts";

const docs = fileURLToPath(new URL("../../docs/", import.meta.url));

it("docs/robustness.md is what script/robustness-figures.mjs writes, and every family has its picture", () => {
  expect(readFileSync(`${docs}robustness.md`, "utf8")).toBe(robustnessGuide());
  const linked = [...robustnessGuide().matchAll(/\]\(robustness\/(\w+\.png)\)/g)].map(([, name]) => name);
  expect([...linked].sort()).toEqual(readdirSync(`${docs}robustness`).sort());
  expect(linked).toEqual(corruptionNames.map((name) => `${name}.png`));
});
