import { readFileSync, writeFileSync } from "node:fs";
import type { Engine } from "./engines/engine.ts";
import { materialOf } from "./material.ts";
import { workloads } from "./workloads.ts";

/**
 * The whole life of a cold process: opens an engine, computes one image's logits, writes them to the file of the second
 * argument and ends. The first argument is the material.
 */
export async function answer(open: () => Promise<Engine>): Promise<void> {
  const [materialPath, resultPath] = process.argv.slice(2);
  const engine = await open();
  const work = await engine.prepare(workloads[0], materialOf(readFileSync(materialPath)));
  if (typeof work === "string") throw new Error(work);
  const logits = await work.run();
  writeFileSync(resultPath, new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength));
  process.stdout.write("logits\n", () => process.exit());
}
