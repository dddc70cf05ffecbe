import { stat } from "node:fs/promises";
import { FileError } from "../../engine/errors.ts";
import { type OpenFile, removeLeftovers, writeAtomically } from "./atomicFile.node.ts";
import { type Checkpoint, parseCheckpoint, serializeCheckpoint } from "./checkpoint.ts";
import { readBytes } from "./files.node.ts";

/**
 * Replaces a checkpoint file; until the new one is complete on the disk, the old one stays.
 * @throws FileError when it cannot be written or the disk is full.
 */
export async function writeCheckpoint(path: string, checkpoint: Checkpoint, openFile?: OpenFile): Promise<void> {
  await writeAtomically(path, await serializeCheckpoint(checkpoint), openFile);
}

/**
 * The checkpoint in a file, null where there is none; what killed writers left beside it is removed.
 * @throws FileError for a file that cannot be read or is not a whole checkpoint.
 */
export async function readCheckpoint(path: string): Promise<Checkpoint | null> {
  await removeLeftovers(path);
  if (!(await stat(path).catch(() => null))) return null;
  const bytes = await readBytes(path);
  try {
    return await parseCheckpoint(bytes);
  } catch (cause) {
    if (cause instanceof FileError) throw new FileError(`${path}: ${cause.message}`, { cause });
    throw cause;
  }
}
