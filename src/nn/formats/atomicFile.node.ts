import { randomUUID } from "node:crypto";
import { open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { FileError } from "../../engine/errors.ts";

export const codeOf = (cause: unknown): string => (cause as NodeJS.ErrnoException).code ?? "an error";

/** What of a file handle is used; tests give another to stop in the middle of a write. */
export interface WritableFile {
  writeFile(content: string | Uint8Array): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export type OpenFile = (path: string) => Promise<WritableFile>;

const openForWriting: OpenFile = (path) => open(path, "w");

/**
 * Writes beside the target, waits until it is on the disk, and renames: a reader, and whoever starts after a crash, sees the old
 * content or the new, never a part.
 * @throws FileError where the place cannot be written or the disk is full; the old content stays.
 */
export async function writeAtomically(
  path: string,
  content: string | Uint8Array,
  openFile: OpenFile = openForWriting,
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    const file = await openFile(temporary);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new FileError(
      `${path}: expected a writable place with room for ${content.length} bytes; found ${codeOf(cause)}; free some space or choose another path`,
      { cause },
    );
  }
}

/** Makes the rename last; folders cannot be opened everywhere (Windows), and need not be there. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r").catch(() => null);
  await folder?.sync().catch(() => {});
  await folder?.close();
}

/** Removes what writers of this file that were killed have left. */
export async function removeLeftovers(path: string): Promise<void> {
  const prefix = `.${basename(path)}.`;
  for (const name of await readdir(dirname(path)).catch(() => []))
    if (name.startsWith(prefix) && name.endsWith(".tmp")) await rm(join(dirname(path), name), { force: true });
}
