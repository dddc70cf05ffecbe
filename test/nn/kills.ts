import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { uniform } from "../../src/engine/random.ts";
import { parseCheckpoint } from "../../src/nn/formats/checkpoint.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Bundles the program where it finds the packages that are not bundled. */
async function bundled(folder: string): Promise<string> {
  const outfile = join(folder, "program.mjs");
  const entry = join(root, "test/nn/killedProgram.ts");
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["webgpu", "@sparticuz/chromium"],
    loader: { ".wgsl": "text" },
    logLevel: "error",
  });
  return outfile;
}

/** The word after which a run is killed, counted from its start. */
interface Trigger {
  readonly word: "half" | "mid-epoch" | "any";
  readonly count: number;
}

interface Ending {
  readonly finished: boolean;
  /** The last word of the program: where it was. */
  readonly last: string;
  /** Steps done when the program began. */
  readonly resumed: number;
  readonly stderr: string;
}

function run(program: string, folder: string, epochs: number, trigger: Trigger | null): Promise<Ending> {
  const child = spawn(process.execPath, [program, folder, String(epochs)], { stdio: ["ignore", "pipe", "pipe"] });
  let seen = 0;
  let last = "nothing";
  let resumed = 0;
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    last = line;
    if (line.startsWith("resumed ")) resumed = Number(line.slice("resumed ".length));
    if (trigger && (trigger.word === "any" || line === trigger.word) && ++seen === trigger.count) child.kill("SIGKILL");
  });
  return new Promise((done) => child.on("close", (code) => done({ finished: code === 0, last, resumed, stderr })));
}

export interface KillReport {
  readonly kills: number;
  /** Kills after which the last word was `half`: inside a write. */
  readonly insideWrite: number;
  /** Kills after a step that was not the last of its epoch. */
  readonly midEpoch: number;
  /** Runs that went on from a checkpoint. */
  readonly resumed: number;
  /** Histories (JSON and CSV) of trainings that were killed at least once, and of one that was not. */
  readonly histories: readonly string[];
  readonly undisturbed: string;
}

const historyOf = (folder: string): string =>
  readFileSync(join(folder, "history.json"), "utf8") + readFileSync(join(folder, "history.csv"), "utf8");

/** Kills trainings again and again until `kills` are done; throws when a checkpoint cannot be read, or a program fails by itself. */
export async function killTrainings(kills: number, epochs: number): Promise<KillReport> {
  const cache = join(root, "node_modules/.cache");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "tepal-kills-"));
  const inFolder = (name: string): string => {
    mkdirSync(join(folder, name), { recursive: true });
    return join(folder, name);
  };
  try {
    const program = await bundled(folder);
    const whole = inFolder("undisturbed");
    const { finished, stderr } = await run(program, whole, epochs, null);
    if (!finished) throw new Error(`the undisturbed training failed: ${stderr}`);
    const histories: string[] = [];
    const endings: string[] = [];
    let resumed = 0;
    for (let training = 0; endings.length < kills; training++) {
      const own = inFolder(`training-${training}`);
      for (let done = false; !done; ) {
        const word = (["half", "mid-epoch", "any"] as const)[endings.length % 3];
        const count = 1 + Math.floor((word === "any" ? 14 : 4) * uniform(7, training, endings.length));
        const ending = await run(program, own, epochs, endings.length < kills ? { word, count } : null);
        done = ending.finished;
        if (ending.resumed > 0) resumed++;
        if (!done && ending.last === "nothing") throw new Error(`the training failed: ${ending.stderr}`);
        if (!done) endings.push(ending.last);
        const path = join(own, "checkpoint.safetensors");
        if (existsSync(path)) await parseCheckpoint(new Uint8Array(await readFile(path)));
      }
      histories.push(historyOf(own));
    }
    const counted = (last: string): number => endings.filter((ending) => ending === last).length;
    return {
      kills: endings.length,
      insideWrite: counted("half"),
      midEpoch: counted("mid-epoch"),
      resumed,
      histories,
      undisturbed: historyOf(whole),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
