/** What an earlier call finished and left in a file, with the settings that made it. */
import { readFile } from "node:fs/promises";
import { DataError, FileError } from "../engine/errors.ts";

/** The JSON of a file, null where there is none. Throws a FileError for other text. */
export const readRecord = async (path: string): Promise<Record<string, unknown> | null> => {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FileError(`${path}: expected JSON, found other text; remove it or choose another --out`, { cause });
  }
};

/** The record of a file if it was made with these settings, null if there is none. Throws a DataError if they differ. */
export async function keptRecord(
  path: string,
  settings: object,
  remedy = "choose another --out",
): Promise<Record<string, unknown> | null> {
  const kept = await readRecord(path);
  if (kept && JSON.stringify(kept.settings) !== JSON.stringify(settings))
    throw new DataError(`${path}: expected what was made with these settings, found others; ${remedy}`);
  return kept;
}
