import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { verifyAugmentations } from "../../src/cli/augment/verifyFile.ts";
import { renderPetal } from "../../src/data/petals.ts";
import { decodePng, encodePng } from "../../src/data/png.node.ts";
import { FileError } from "../../src/engine/errors.ts";
import { parseSafetensors, serializeSafetensors, type TensorToStore } from "../../src/nn/formats/safetensors.ts";
import { testDevice } from "../device.ts";

const program = fileURLToPath(new URL("../../bin/tepal.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tepal-augment-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const path = (name: string): string => join(folder, name);
const flower = (name: string, species: number): string => {
  writeFileSync(path(name), encodePng(renderPetal({ seed: 2, index: species, species, size: 64 }).image));
  return path(name);
};
const first = flower("first.png", 3);
const second = flower("second.png", 5);

function tepal(args: readonly string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  return { code: status, stdout, stderr };
}

describe("tepal augment", () => {
  it("draws a sheet, whose cells --replay makes again byte for byte", () => {
    const common = ["augment", first, "--policy", "advanced", "--size", "64"];
    const sheet = tepal([...common, "--grid", "3x2", "--seed", "5", "--out", path("sheet.png"), "--json"]);
    expect(sheet.code, sheet.stderr).toBe(0);
    const record = JSON.parse(sheet.stdout);
    expect(record.images.map(({ address }: { address: string }) => address)).toEqual([
      "5:0:0",
      "5:0:1",
      "5:0:2",
      "5:0:3",
      "5:0:4",
    ]);
    expect(JSON.parse(readFileSync(path("sheet.json"), "utf8"))).toEqual(record);
    expect(tepal([...common, "--replay", "5:0:3", "--out", path("one.png")]).code).toBe(0);
    const [all, one] = ["sheet.png", "one.png"].map((name) => decodePng(readFileSync(path(name))));
    expect([one.height, one.width]).toEqual([64, 64]);
    // Cell 4 is the second of the second row: 6 pixels of white around cells of 64, and 20 for a line of words.
    const [left, top] = [6 + 70, 6 + 64 + 20 + 6];
    for (let y = 0; y < 64; y++) {
      const from = ((top + y) * all.width + left) * 3;
      expect(
        Buffer.from(all.data.subarray(from, from + 192)).equals(one.data.subarray(y * 192, y * 192 + 192)),
        `row ${y}`,
      ).toBe(true);
    }
  });

  it("takes a policy from a file", () => {
    const policy = { name: "mine", layers: [{ type: "posterise", bits: [2, 2], probability: 1 }] };
    writeFileSync(path("mine.json"), JSON.stringify(policy));
    const run = tepal([
      "augment",
      first,
      "--policy",
      path("mine.json"),
      "--size",
      "32",
      "--replay",
      "1:2:3",
      "--out",
      path("p.png"),
      "--json",
    ]);
    expect(run.code, run.stderr).toBe(0);
    const levels = new Set(decodePng(readFileSync(path("p.png"))).data);
    expect(levels.size).toBeGreaterThan(1);
    for (const level of levels) expect([0, 64, 128, 192]).toContain(level);
    expect(JSON.parse(run.stdout).policy.layers).toEqual([{ type: "posterise", bits: [2, 2], probability: 1 }]);
  });

  it("mixes two images, and shows every operation at rising strength", () => {
    for (const mix of ["mixup", "cutmix"])
      expect(
        tepal(["augment", first, second, "--mix", mix, "--grid", "4x1", "--size", "32", "--out", path(`${mix}.png`)])
          .code,
      ).toBe(0);
    expect(decodePng(readFileSync(path("cutmix.png"))).width).toBe(6 + 4 * 38);
    const timeline = tepal(["augment", first, "--timeline", "--size", "32", "--out", path("timeline.png"), "--json"]);
    expect(timeline.code, timeline.stderr).toBe(0);
    expect(JSON.parse(timeline.stdout).operations).toContain("rotation");
  });

  const mistakes: [string[], number, RegExp][] = [
    [[first, "--grid", "3"], 2, /--grid expects COLUMNSxROWS/],
    [[first, "--mix", "mixup"], 2, /needs a second image/],
    [[first, second], 2, /say how to mix it/],
    [[first, "--replay", "1:2"], 5, /expected an address seed:epoch:id/],
    [[first, "--policy", "advnced"], 2, /--policy expects basic, advanced or a JSON file, found "advnced"/],
    [[path("none.png")], 3, /none\.png/],
  ];
  for (const [args, code, message] of mistakes)
    it(`ends ${args.slice(1).join(" ") || "a missing file"} with code ${code} and one line`, () => {
      const run = tepal(["augment", ...args, "--out", path("never.png")]);
      expect(run.stderr).toMatch(message);
      expect(run.stderr.split("\n").filter((line) => line.startsWith("tepal:"))).toHaveLength(1);
      expect(run.code).toBe(code);
    });

  const adapters = ["system", "swiftshader"];
  const isThere = adapters.map(
    (adapter) =>
      tepal(["augment", first, "--size", "16", "--out", path("probe.png")], { TEPAL_ADAPTER: adapter }).code === 0,
  );
  it.skipIf(!isThere.every(Boolean))(
    "gives pixels within 1/255 on 99.9 % of the values on two unrelated drivers",
    () => {
      const layers = [
        "flip",
        "rotation",
        "zoom",
        "translation",
        "shear",
        "brightness",
        "contrast",
        "hue",
        "saturation",
        "blur",
        "noise",
        "sharpen",
        "erasing",
      ];
      writeFileSync(path("all.json"), JSON.stringify({ layers: layers.map((type) => ({ type })) }));
      for (const policy of [path("all.json"), "advanced"])
        for (const address of ["3:1:4", "1:5:9"]) {
          const [a, b] = adapters.map((adapter) => {
            const out = path(`${adapter}.png`);
            const run = tepal(
              ["augment", first, "--policy", policy, "--size", "128", "--replay", address, "--out", out],
              { TEPAL_ADAPTER: adapter },
            );
            expect(run.code, run.stderr).toBe(0);
            return decodePng(readFileSync(out)).data;
          });
          let within = 0;
          a.forEach((value, index) => {
            if (Math.abs(value - b[index]) <= 1) within++;
          });
          console.info(
            `${policy === "advanced" ? policy : "all"} ${address}: ${((100 * within) / a.length).toFixed(3)} % within 1/255`,
          );
          expect(within / a.length).toBeGreaterThanOrEqual(0.999);
        }
    },
  );
});

describe("tepal augment-verify", () => {
  const shape = [2, 6, 8, 3];
  const images = Float32Array.from({ length: 288 }, (_, index) => (index * 37) % 251);
  const brighter = images.map((value, index) => Math.min(Math.max(value + (index < 144 ? 20 : -30), 0), 255));
  const parameters = { brightness: { rgb_delta: [[[[20]]], [[[-30]]]] } };
  const stored = (data: Float32Array): TensorToStore => ({ dtype: "F32", shape, data });

  function verify(tensors: Record<string, TensorToStore>, json: unknown = parameters) {
    writeFileSync(path("v.safetensors"), serializeSafetensors(tensors));
    writeFileSync(path("v.json"), typeof json === "string" ? json : JSON.stringify(json));
    return tepal(["augment-verify", path("v.safetensors"), path("v.json"), "--json"]);
  }

  it("passes what is right, and fails one wrong value in a hundred, with code 1", () => {
    const right = verify({ images: stored(images), brightness: stored(brighter) });
    expect(right.code, right.stderr).toBe(0);
    expect(JSON.parse(right.stdout)).toMatchObject({
      passed: 1,
      failed: 0,
      tensors: [{ name: "brightness", share: 1, ok: true }],
    });
    const wrong = verify({
      images: stored(images),
      brightness: stored(brighter.map((value, index) => (index % 100 === 0 ? value + 1 : value))),
    });
    expect(wrong.code).toBe(1);
    expect(JSON.parse(wrong.stdout)).toMatchObject({ passed: 0, failed: 1 });
  });

  it("takes the nearest pixel with halves away from zero, and a fill value, where the file says so", async () => {
    // u = x − 1/2: the first column lies at −1/2, outside; every other is rounded up to itself.
    const moved = images.map((value, index) => (index % 24 < 3 ? 9 : value));
    const record = {
      translations: [
        [0.5, 0],
        [0.5, 0],
      ],
      fill_value: 9,
    };
    const name = "translation/constant/nearest";
    const file = parseSafetensors(serializeSafetensors({ images: stored(images), [name]: stored(moved) }));
    const [result] = await verifyAugmentations(await testDevice(), file, { [name]: record });
    expect(result).toMatchObject({ ok: true, worst: 0 });
  });

  it("counts a NaN, an unknown tensor and missing parameters as failures", async () => {
    const device = await testDevice();
    const run = (tensors: Record<string, TensorToStore>, json: object) =>
      verifyAugmentations(device, parseSafetensors(serializeSafetensors(tensors)), json);
    const nan = brighter.slice();
    nan[5] = Number.NaN;
    const [result] = await run({ images: stored(images), brightness: stored(nan) }, parameters);
    expect(result).toMatchObject({ ok: false, worst: Number.POSITIVE_INFINITY });
    const cases: [string, object, RegExp][] = [
      ["twirl", { twirl: {} }, /expected rotation/],
      ["zoom/mirror", { "zoom/mirror": {} }, /fill of reflect/],
      ["brightness", {}, /parameters of brightness/],
      ["brightness", { brightness: "error: none" }, /as an object/],
      ["brightness", { brightness: { rgb_delta: [1, 2, 3] } }, /expected 2 × 1 numbers/],
    ];
    for (const [name, json, message] of cases) {
      const [broken] = await run({ images: stored(images), [name]: stored(brighter) }, json);
      expect(broken.ok).toBe(false);
      expect(broken.error).toMatch(message);
    }
    await expect(run({ images: stored(images) }, {})).rejects.toThrow(FileError);
  });

  it("refuses parameters that are no JSON object with a FileError", () => {
    for (const json of ["{", "[]", "3"]) {
      const run = verify({ images: stored(images), brightness: stored(brighter) }, json);
      expect(run.code).toBe(3);
      expect(run.stderr).toMatch(/v\.json: expected/);
    }
  });
});
