import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import * as exported from "../../src/node.ts";

it("the page about stable names speaks of exports alone", () => {
  const page = readFileSync(new URL("../../docs/guide/stability.md", import.meta.url), "utf8");
  const rows = page.split("\n").filter((line) => line.startsWith("| `"));
  const names = rows.flatMap((line) => [...line.split("|")[1].matchAll(/`(\w+)`/g)].map(([, name]) => name));
  expect(names.length).toBeGreaterThan(40);
  expect(names.filter((name) => !(name in exported))).toEqual([]);
});
