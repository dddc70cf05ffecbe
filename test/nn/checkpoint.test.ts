/** Checkpoint files when the disk is full, when writers were killed, and when somebody else's file lies there. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, describe, expect, it } from "vitest";
import { FileError } from "../../src/engine/errors.ts";
import type { OpenFile } from "../../src/nn/formats/atomicFile.node.ts";
import { readCheckpoint, writeCheckpoint } from "../../src/nn/formats/checkpoint.node.ts";
import { type Checkpoint, checkConfig } from "../../src/nn/formats/checkpoint.ts";
import { initialPosition } from "../../src/nn/trainingState.ts";

const folder = mkdtempSync(join(tmpdir(), "tepal-checkpoint-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const checkpoint = (step: number): Checkpoint => {
  const tensor = { shape: [64, 32], data: Float32Array.from({ length: 2048 }, (_, index) => step + index / 7) };
  return {
    state: { position: { ...initialPosition, step }, tensors: new Map([["a/kernel", tensor]]), best: new Map() },
    config: { learningRate: 0.1, policy: "none" },
    adapter: "an adapter",
    tuning: null,
  };
};

describe("a checkpoint file", () => {
  it("survives a disk that fills up in the middle of its successor", async () => {
    const path = join(folder, "full.safetensors");
    await writeCheckpoint(path, checkpoint(1));
    for (const room of [0, 1, 4096, 8192]) {
      const small: OpenFile = async (to) => {
        const file = await open(to, "w");
        const writeFile = async (content: string | Uint8Array) => {
          await file.write((content as Uint8Array).subarray(0, room));
          throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
        };
        return { writeFile, sync: () => file.sync(), close: () => file.close() };
      };
      await expect(writeCheckpoint(path, checkpoint(2), small)).rejects.toThrow(FileError);
      await expect(writeCheckpoint(path, checkpoint(2), small)).rejects.toThrow(/found ENOSPC; free some space/);
      expect(await readCheckpoint(path)).toEqual(checkpoint(1));
    }
    expect(readdirSync(folder)).toEqual(["full.safetensors"]);
    await writeCheckpoint(path, checkpoint(3));
    expect(await readCheckpoint(path)).toEqual(checkpoint(3));
  });

  it("survives a limit of the operating system in the middle of its successor", async () => {
    const place = join(folder, "limit");
    mkdirSync(place);
    const path = join(place, "checkpoint.safetensors");
    await writeCheckpoint(path, checkpoint(1));
    const outfile = join(place, "program.mjs");
    const source = fileURLToPath(new URL("../../src/nn/formats/checkpoint.node.ts", import.meta.url));
    const contents = `
      import { readCheckpoint, writeCheckpoint } from ${JSON.stringify(source)};
      const path = process.argv[2];
      await writeCheckpoint(path, await readCheckpoint(path)).catch((error) => console.log(error.name, error.message));`;
    await build({
      stdin: { contents, resolveDir: folder },
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
      banner: {
        js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
      },
    });
    // The limit counts blocks of 1,024 bytes; the signal that comes with it is ignored, so that the write fails instead.
    const { stdout } = spawnSync(
      "bash",
      ["-c", `trap '' XFSZ; ulimit -f 4; exec "$0" "$1" "$2"`, process.execPath, outfile, path],
      {
        encoding: "utf8",
      },
    );
    expect(stdout).toMatch(/^FileError .*EFBIG/);
    expect(await readCheckpoint(path)).toEqual(checkpoint(1));
    expect(readdirSync(place).sort()).toEqual(["checkpoint.safetensors", "program.mjs"]);
  });

  it("is null where there is none, and what killed writers left is removed", async () => {
    const place = join(folder, "left");
    mkdirSync(place);
    writeFileSync(join(place, ".checkpoint.safetensors.0123.tmp"), "half");
    writeFileSync(join(place, ".other.tmp"), "somebody's");
    expect(await readCheckpoint(join(place, "checkpoint.safetensors"))).toBeNull();
    expect(readdirSync(place)).toEqual([".other.tmp"]);
  });

  it("of another kind is a FileError that names the file", async () => {
    const path = join(folder, "other.safetensors");
    for (const content of ["", "text", readFileSync(process.execPath).subarray(0, 4096)]) {
      writeFileSync(path, content);
      await expect(readCheckpoint(path)).rejects.toThrow(FileError);
      await expect(readCheckpoint(path)).rejects.toThrow(/other\.safetensors/);
    }
  });

  it("says which settings differ from those it was made with", () => {
    const { config } = checkpoint(1);
    expect(() => checkConfig(config, { ...config })).not.toThrow();
    expect(() => checkConfig(config, { ...config, learningRate: 0.2 })).toThrow(
      /expected learningRate 0.2; found 0.1; resume with the settings/,
    );
    expect(() => checkConfig(config, { learningRate: 0.2, seed: 1 })).toThrow(/2 more \(policy, seed\)|and 2 more/);
  });
});
