import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FileError, WeightsError } from "../../../src/engine/errors.ts";
import { convertWeights, loadModel, loadWeights, saveModel, weightsInfo } from "../../../src/nn/formats/files.node.ts";
import { KERAS_MOBILENET_V2_PREPROCESSING } from "../../../src/nn/formats/inspect.ts";
import { asFloat32Tensors } from "../../../src/nn/formats/model.ts";
import { parseSafetensors, serializeSafetensors } from "../../../src/nn/formats/safetensors.ts";
import { hasShared, shared } from "../../shared.ts";
import { inTemporaryDirectory, smallArchive, smallNamed } from "./fixtures.ts";
import { smallModel, syntheticMobileNetV2 } from "./models.ts";

describe("weight files", () => {
  it("are recognised by content, not by name", () =>
    inTemporaryDirectory(async (directory) => {
      const path = join(directory, "weights.bin");
      writeFileSync(path, await smallNamed(2));
      expect((await loadWeights(path)).source).toBe("keras-h5");
      writeFileSync(path, await smallArchive());
      expect((await loadWeights(path)).source).toBe("keras-zip");
      writeFileSync(path, serializeSafetensors({}));
      expect((await loadWeights(path)).source).toBe("safetensors");
    }));

  it("that cannot be read end with exit code 3, naming the file in one line", () =>
    inTemporaryDirectory(async (directory) => {
      const text = join(directory, "photo.jpg");
      writeFileSync(text, "not weights, but longer than eight bytes");
      for (const [path, message] of [
        [join(directory, "absent.h5"), /absent\.h5: expected a readable file; found no such file/],
        [directory, /expected a file; found none/],
        [text, /photo\.jpg: safetensors: expected/],
      ] as const) {
        const error = await loadWeights(path).catch((reason) => reason);
        expect(error).toBeInstanceOf(FileError);
        expect(error.exitCode).toBe(3);
        expect(error.message).toMatch(message);
        expect(error.message).not.toContain("\n");
      }
    }));

  it("convert to safetensors that know their network, the same bytes each time", () =>
    inTemporaryDirectory(async (directory) => {
      const [input, output, half] = ["in.safetensors", "out.safetensors", "half.safetensors"].map((f) =>
        join(directory, f),
      );
      const { tensors } = syntheticMobileNetV2(0.35, 3);
      const preprocessing = JSON.stringify(KERAS_MOBILENET_V2_PREPROCESSING);
      writeFileSync(input, serializeSafetensors(asFloat32Tensors(tensors), { preprocessing }));
      const info = await convertWeights(input, output);
      const first = readFileSync(output);
      await convertWeights(input, output);
      expect(Buffer.compare(readFileSync(output), first)).toBe(0);
      expect(JSON.parse(JSON.stringify(info))).toEqual(await weightsInfo(output));
      expect(info).toMatchObject({ format: "safetensors", architecture: "mobilenetV2", width: 0.35, classes: 3 });
      expect(info.preprocessing).toEqual(KERAS_MOBILENET_V2_PREPROCESSING);
      const { metadata } = parseSafetensors(new Uint8Array(first));
      expect(metadata.sourceSha256).toBe((await weightsInfo(input)).sha256);

      const halfInfo = await convertWeights(input, half, { dtype: "float16" });
      expect(new Set(halfInfo.tensors.map(({ dtype }) => dtype))).toEqual(new Set(["F16"]));
      expect(halfInfo.bytes).toBeLessThan(0.52 * info.bytes);
      const halves = await loadWeights(half);
      for (const [name, { data }] of tensors) {
        const rounded = halves.tensors.get(name)!.data;
        const wrong = data.findIndex(
          (value, i) => !(Math.abs(rounded[i] - value) <= 2 ** -11 * Math.abs(value) + 2 ** -25),
        );
        expect(wrong, name).toBe(-1);
      }
      expect(readdirSync(directory).sort()).toEqual(["half.safetensors", "in.safetensors", "out.safetensors"]);
    }));

  it("refuse float16 where a value would become infinite, and leave no file behind", () =>
    inTemporaryDirectory(async (directory) => {
      const [input, output] = ["in", "out"].map((f) => join(directory, f));
      writeFileSync(input, serializeSafetensors({ a: { dtype: "F32", shape: [1], data: new Float32Array([70000]) } }));
      await expect(convertWeights(input, output, { dtype: "float16" })).rejects.toThrow(WeightsError);
      await expect(convertWeights(input, join(directory, "no", "where"))).rejects.toThrow(FileError);
      expect(readdirSync(directory)).toEqual(["in"]);
    }));
});

describe("model directories", () => {
  it("are created, replaced as a whole, and read back", () =>
    inTemporaryDirectory(async (directory) => {
      const place = join(directory, "deep", "model");
      await saveModel(place, smallModel());
      await saveModel(place, smallModel());
      expect(readdirSync(place).sort()).toEqual(["model.json", "model.safetensors"]);
      const { manifest, tensors } = await loadModel(place);
      expect(manifest.classNames).toEqual(["daisy", "rose"]);
      expect(tensors.get("dense/kernel")).toEqual(smallModel().tensors.get("dense/kernel"));
    }));

  it("give a FileError where a part is missing or the place is taken", () =>
    inTemporaryDirectory(async (directory) => {
      await expect(loadModel(directory)).rejects.toThrow(/model\.json: expected a readable file/);
      const taken = join(directory, "taken");
      writeFileSync(taken, "");
      await expect(saveModel(taken, smallModel())).rejects.toThrow(FileError);
      const blocked = join(directory, "blocked");
      mkdirSync(join(blocked, "model.json"), { recursive: true });
      await expect(saveModel(blocked, smallModel())).rejects.toThrow(FileError);
      expect(readdirSync(blocked).sort()).toEqual(["model.json", "model.safetensors"]);
    }));
});

describe.skipIf(!hasShared)("the public Keras file", () => {
  it("converts without a change of a value", () =>
    inTemporaryDirectory(async (directory) => {
      const source = shared("weights/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5");
      const output = join(directory, "mobilenet.safetensors");
      const info = await convertWeights(source, output);
      expect(info).toMatchObject({ width: 1, classes: null, preprocessing: KERAS_MOBILENET_V2_PREPROCESSING });
      const [before, after] = [await loadWeights(source), await loadWeights(output)];
      expect(after.tensors.size).toBe(260);
      for (const [name, { shape, data }] of before.tensors) {
        const tensor = after.tensors.get(name)!;
        expect(tensor.shape).toEqual(shape);
        expect(Buffer.compare(Buffer.from(tensor.data.buffer), Buffer.from(data.buffer)), name).toBe(0);
      }
    }));
});
