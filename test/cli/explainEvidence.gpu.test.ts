import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { renderPetal } from "../../src/data/petals.ts";
import { encodePng } from "../../src/data/png.node.ts";
import { smallModelFiles } from "../embed/model.ts";

const program = fileURLToPath(new URL("../../bin/tepal.mjs", import.meta.url));
const size = 48;
let folder: string;
const at = (name: string): string => join(folder, name);

const explain = (...args: string[]) => {
  const given = ["explain", ...args, "--model", at("model"), "--out", at("out")];
  const { status, stdout, stderr } = spawnSync("node", [program, ...given], { encoding: "utf8" });
  return { status, stdout, stderr };
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tepal-evidence-"));
  const { json, safetensors } = await smallModelFiles();
  mkdirSync(at("model"));
  writeFileSync(at("model/model.json"), json);
  writeFileSync(at("model/model.safetensors"), safetensors);
  const { image, mask } = renderPetal({ seed: 1, index: 0, species: 0, size });
  writeFileSync(at("rose.png"), encodePng(image));
  const white = Uint8Array.from({ length: 3 * mask.length }, (_, place) => mask[Math.floor(place / 3)]);
  writeFileSync(at("mask.png"), encodePng({ width: size, height: size, data: white }));
  writeFileSync(at("black.png"), encodePng({ width: size, height: size, data: new Uint8Array(3 * size * size) }));
});
afterAll(() => rmSync(folder, { recursive: true }));

it("explain --evidence gives every measure of a map in its JSON, for the difference of two classes too", () => {
  const masked = ["--evidence", "--mask", at("mask.png")];
  const run = explain(at("rose.png"), ...masked, "--method", "ig", "--target", "rose", "--versus", "tulip", "--json");
  expect(run.stderr).not.toMatch(/error/i);
  expect(run.status).toBe(0);
  const [{ evidence, versus }] = JSON.parse(run.stdout).images;
  expect(versus.label).toBe("tulip");
  expect(evidence.target).toEqual({ class: 1, versus: 2 });
  expect(evidence.completeness.relativeGap).toBeLessThan(0.05);
  for (const curves of [evidence.curves, evidence.curves.controls.random, evidence.curves.controls.centre])
    for (const { shares, scores, auc } of [curves.insertion, curves.deletion]) {
      expect([shares.length, scores.length]).toEqual([21, 21]);
      expect(Math.abs(auc)).toBeLessThan(1);
    }
  expect(evidence.road.mostRelevantFirst).toHaveLength(7);
  expect(evidence.randomisation.stages.at(-1).layers).toBeGreaterThan(1);
  expect(evidence.sensitivity.maximum).toBeGreaterThan(0);
  expect(evidence.location.maskArea).toBeGreaterThan(0.1);
  expect(evidence.location.relevanceMass).toBeGreaterThan(0);
});

it("explain --evidence tells people the same, and says what a mask lacks", () => {
  const run = explain(at("rose.png"), "--evidence", "--mask", at("mask.png"), "--target", "daisy+rose");
  expect(run.status).toBe(0);
  for (const words of [
    "daisy + rose",
    "insertion AUC",
    "deletion AUC",
    "ROAD",
    "sanity:",
    "max-sensitivity",
    "object:",
  ])
    expect(run.stdout).toContain(words);
  expect(run.stdout).toContain("claims no sum");
  expect(explain(at("rose.png"), "--mask", at("mask.png")).stderr).toContain("add --evidence");
  expect(explain(at("rose.png"), "--evidence", "--mask", at("black.png")).stderr).toContain("the object in white");
  const two = explain(at("rose.png"), "--evidence", "--mask", at("mask.png"), "--mask", at("mask.png"));
  expect(two.stderr).toContain("one file for each of the 1 images, found 2");
});

it("names the option that a wrong class came in, and refuses two targets", () => {
  for (const option of ["--class", "--target"]) {
    const { status, stderr } = explain(at("rose.png"), option, "dragon");
    expect(status).toBe(2);
    expect(stderr).toContain(`${option} expects top, a class name`);
  }
  const both = explain(at("rose.png"), "--class", "1", "--target", "2");
  expect(both.status).toBe(2);
  expect(both.stderr).toContain("found 2 and 1");
});

it("says which score each of several methods explains", () => {
  const scores = ["gradcam", "rise", "gradcam,rise"].map((methods) => {
    const run = explain(at("rose.png"), "--method", methods, "--samples", "4", "--json");
    return JSON.parse(run.stdout).score;
  });
  expect(scores).toEqual(["logit", "prob", "logit, for rise prob"]);
});
