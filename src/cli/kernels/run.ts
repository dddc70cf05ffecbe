/** `tepal kernels run`: the checks of one kernel, once or after every save of its source. */
import { existsSync, readFileSync, unwatchFile, watchFile } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Device } from "../../engine/device.ts";
import { DeviceLostError, FileError, TepalError, ToleranceError } from "../../engine/errors.ts";
import type { Attributes, OpEntry } from "../../engine/op.ts";
import { measureRoofline } from "../../engine/roofline.ts";
import type { CommandContext } from "../command.ts";
import { type AloneResult, aloneText, casesOf, findOps, runAlone, withSource } from "./alone.ts";
import { catalogue } from "./catalogue.ts";
import { rooflineText } from "./text.ts";

export interface RunOptions {
  readonly name: string;
  readonly shapes?: number[][];
  readonly attributes?: Attributes;
  readonly repeats: number;
}

/** Milliseconds between two looks at the file: editors replace files, which events of the file system miss. */
const lookEvery = 200;

const failedExitCode = new ToleranceError("").exitCode;

async function check(device: Device, entries: readonly OpEntry[], options: RunOptions, context: CommandContext) {
  const results: AloneResult[] = [];
  for (const entry of entries)
    for (const opCase of casesOf(entry, options.shapes, options.attributes)) {
      const result = await runAlone(device, entry, opCase, options.repeats);
      results.push(result);
      context.print(aloneText(result));
    }
  return results;
}

/** Runs the kernel's cases; the exit code is 12 when one is above its tolerance. */
export async function runKernel(device: Device, adapter: string, options: RunOptions, context: CommandContext) {
  const entries = findOps(options.name, device);
  context.print(`on ${adapter}`);
  const results = await check(device, entries, options, context);
  const roofline = await measureRoofline(device, options.repeats);
  context.print(rooflineText(roofline));
  if (results.some(({ ok }) => !ok)) context.setExitCode(failedExitCode);
  return { adapter, results, roofline };
}

/** The folder of the WGSL sources beside this program, in a source checkout. */
function shaderFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const found = ["../src/shaders", "../../shaders"].map((path) => join(here, path)).find((path) => existsSync(path));
  if (found) return found;
  throw new FileError("--watch expects the sources in src/shaders, found none; give their folder with --shaders DIR");
}

/** The file of the shader that a name means, among those of the ops. */
function watchedShader(name: string, entries: readonly OpEntry[]): string {
  const shaders = catalogue();
  const byName = name.replace(/(\.wgsl)?(\..*)?$/, "");
  if (shaders.has(byName)) return byName;
  const ops = new Set(entries.map(({ op }) => op.name));
  const serving = [...shaders.values()].filter((shader) => shader.ops.some((op) => ops.has(op)));
  return serving[serving.length - 1].shader.name;
}

/**
 * Checks the kernel now and after every save of its WGSL, until the process is interrupted. A source that does not compile is
 * reported and waited out.
 */
export async function watchKernel(
  device: Device,
  options: RunOptions & { readonly shaders?: string },
  context: CommandContext,
): Promise<never> {
  const entries = findOps(options.name, device);
  const name = watchedShader(options.name, entries);
  const path = join(options.shaders ?? shaderFolder(), `${name}.wgsl`);
  if (!existsSync(path)) throw new FileError(`--watch expects ${path}, found none; give the folder with --shaders DIR`);
  let version = 0;
  const again = async (): Promise<void> => {
    version++;
    const source = { name, code: readFileSync(path, "utf8") };
    context.print(`\n${path}, version ${version}`);
    try {
      const edited = entries.map((entry) => withSource(entry, source, version));
      await check(device, edited, options, context);
    } catch (error) {
      if (!(error instanceof TepalError) || error instanceof DeviceLostError) throw error;
      context.print(`FAILED  ${error.message}`);
    }
  };
  await again();
  context.print(`watching ${path}; Ctrl-C ends it`);
  return new Promise<never>((_, reject) => {
    let running: Promise<void> = Promise.resolve();
    watchFile(path, { interval: lookEvery }, () => {
      running = running.then(again).catch((error: unknown) => {
        unwatchFile(path);
        reject(error);
      });
    });
  });
}
