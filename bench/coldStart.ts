import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Material, materialBytes } from "./material.ts";
import { agreementOf, agrees, type MeasureOptions, summarise, type WorkloadResult } from "./measure.ts";
import { bundles } from "./paths.ts";
import { coldStart } from "./workloads.ts";

const children: ReadonlyMap<string, string> = new Map([
  ["tepal", "cold-tepal.mjs"],
  ["tfjs-webgpu", "cold-tfjs.mjs"],
  ["jax-js", "cold-jax.mjs"],
]);

/** Milliseconds from the start of a process until it says that it has logits. Drivers may not use shaders of earlier runs. */
function launch(file: string, material: string, result: string): Promise<number> {
  const start = performance.now();
  const environment = { ...process.env, MESA_SHADER_CACHE_DISABLE: "true", NODE_NO_WARNINGS: "1" };
  const child = spawn(process.execPath, [join(bundles, file), material, result], { env: environment });
  let errors = "";
  child.stderr.on("data", (data) => {
    errors += data;
  });
  return new Promise((resolve, reject) => {
    let elapsed = Number.NaN;
    child.stdout.on("data", () => {
      if (Number.isNaN(elapsed)) elapsed = performance.now() - start;
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0 && elapsed > 0) resolve(elapsed);
      else reject(new Error(`the fresh process ended with ${code}: ${errors.trim().split("\n").pop()}`));
    });
  });
}

function readFloats(path: string): Float32Array {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** The first result of a fresh process, of each engine in turn. */
export async function measureColdStart(
  peers: readonly string[],
  material: Material,
  { rounds, log }: MeasureOptions,
): Promise<WorkloadResult> {
  const folder = mkdtempSync(join(tmpdir(), "tepal-bench-"));
  const contenders = ["tepal", ...peers.filter((name) => children.has(name))].map((name) => ({
    name,
    times: [] as number[],
    result: join(folder, name),
  }));
  try {
    const path = join(folder, "material.safetensors");
    writeFileSync(path, materialBytes(material));
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < contenders.length; turn++) {
        const { name, times, result } = contenders[(round + turn) % contenders.length];
        times.push(await launch(children.get(name)!, path, result));
      }
      log(`${coldStart}: round ${round + 1} of ${rounds}`);
    }
    const want = readFloats(contenders[0].result);
    const agreement: Record<string, number> = {};
    for (const { name, result } of contenders.slice(1))
      agreement[name] = agreementOf("values", readFloats(result), want);
    const disagreeing = new Set(Object.keys(agreement).filter((name) => !agrees("values", agreement[name])));
    const notes = [...disagreeing].map(
      (name) => `${name}: its result differs from this engine's, so there is no ratio`,
    );
    return {
      name: coldStart,
      ...summarise(contenders, disagreeing),
      agreement,
      notes,
      peakBytes: {},
      faults: disagreeing.size,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
