import { describe, expect, it } from "vitest";
import { FileError } from "../../../src/engine/errors.ts";
import { parseModel, serializeModel } from "../../../src/nn/formats/model.ts";
import { smallModel } from "./models.ts";

describe("model", () => {
  it("gives back manifest and tensors, and equal bytes for equal models", async () => {
    const model = smallModel();
    const { json, safetensors } = await serializeModel(model);
    const again = await parseModel(json, safetensors);
    const { weightsSha256, ...manifest } = again.manifest;
    expect(manifest).toEqual(model.manifest);
    expect(weightsSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(new Map([...again.tensors].sort())).toEqual(new Map([...model.tensors].sort()));
    expect(await serializeModel({ manifest, tensors: again.tensors })).toEqual({ json, safetensors });
  });

  it("refuses weights that are not the manifest's", async () => {
    const { json, safetensors } = await serializeModel(smallModel());
    safetensors[safetensors.length - 1] ^= 1;
    await expect(parseModel(json, safetensors)).rejects.toThrow(FileError);
    await expect(parseModel(json, safetensors)).rejects.toThrow(/expected SHA-256/);
  });

  // biome-ignore lint/suspicious/noExplicitAny: each case breaks the type on purpose
  type Break = (manifest: any) => void;
  const cases: [string, Break, RegExp][] = [
    ["format", (m) => (m.format = "other"), /manifest\.format to be "tepal-model"; found "other"/],
    ["version", (m) => (m.version = 2), /manifest\.version to be 1; found 2/],
    ["architecture", (m) => (m.architecture.name = "vgg"), /"mobilenetV2" or "smallCnn"; found "vgg"/],
    ["missing architecture", (m) => delete m.architecture, /manifest\.architecture to be an object; found nothing/],
    ["input size", (m) => (m.architecture.inputSize = [64]), /a pair \[height, width\]/],
    ["channels", (m) => (m.architecture.channels = [8, 0.5]), /channels\[1\] to be an integer ≥ 1; found 0.5/],
    ["head", (m) => (m.architecture = { ...m.architecture, name: "mobilenetV2", width: 1 }), /head to be "gap-dense"/],
    ["width", (m) => (m.architecture = { ...m.architecture, name: "mobilenetV2", width: -1 }), /width to be above 0/],
    ["class count", (m) => m.classNames.push("tulip"), /2 names in manifest.classNames/],
    ["class names", (m) => (m.classNames[0] = 3), /classNames\[0\] to be a string/],
    ["scale", (m) => (m.preprocessing.scale = null), /preprocessing\.scale to be a finite number/],
    ["resize", (m) => (m.preprocessing.resize = "crop"), /"aspect" or "tf"/],
    ["seed", (m) => (m.seed = -1), /seed to be an integer ≥ 0/],
    ["splits", (m) => (m.splits.test = "all"), /splits\.test to be a list/],
    ["training", (m) => (m.training = []), /training to be an object/],
    ["hash", (m) => (m.weightsSha256 = "abc"), /64 hexadecimal digits/],
  ];
  it.each(cases)("names the field that is wrong: %s", async (_, change, message) => {
    const { json, safetensors } = await serializeModel(smallModel());
    const manifest = JSON.parse(json);
    change(manifest);
    const parsing = parseModel(JSON.stringify(manifest), safetensors);
    await expect(parsing).rejects.toThrow(FileError);
    await expect(parsing).rejects.toThrow(message);
  });

  it("refuses text that is not JSON", async () => {
    await expect(parseModel("<html>", new Uint8Array(8))).rejects.toThrow(/expected JSON; found "<html>"/);
  });
});
