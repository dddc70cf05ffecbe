/** The tables of `tepal tune`, one file per adapter in the user's cache folder. */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir, platform } from "node:os";
import { join } from "node:path";
import { TuningTable, textHash } from "./tuning.ts";

/** Where the operating system keeps what can be made again: XDG's folder, Library/Caches or LOCALAPPDATA. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = env;
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, "tepal");
  if (platform() === "win32") return join(LOCALAPPDATA ?? join(homedir(), "AppData", "Local"), "tepal", "Cache");
  return join(homedir(), platform() === "darwin" ? "Library/Caches" : ".cache", "tepal");
}

/** The file of an adapter's table. */
export const tuningFile = (adapter: string, folder = cacheFolder()): string =>
  join(folder, `tuning-${textHash(adapter)}.json`);

/** The kept table of an adapter; `null` where there is none, or one that is damaged or of another adapter. */
export async function loadTuning(adapter: string, folder?: string): Promise<TuningTable | null> {
  try {
    const table = TuningTable.parse(JSON.parse(await readFile(tuningFile(adapter, folder), "utf8")));
    return table.adapter === adapter ? table : null;
  } catch {
    return null; // as good as never measured
  }
}

/** Keeps a table whole or not at all, and returns its file. Throws what the file system says. */
export async function saveTuning(table: TuningTable, folder = cacheFolder()): Promise<string> {
  const path = tuningFile(table.adapter, folder);
  await mkdir(folder, { recursive: true });
  const part = `${path}.${process.pid}`;
  await writeFile(part, `${JSON.stringify(table, null, 1)}\n`);
  await rename(part, path);
  return path;
}
