/**
 * Tar archives, plain or gzipped, read as streams: no archive and no large entry is ever whole in memory, and an entry that
 * would leave its target, or is no file or folder, is refused by name before anything of it is read.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { lstat, mkdir, open, realpath, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { type Extract, extract, type Header } from "tar-stream";
import { FileError, TepalError } from "../engine/errors.ts";

export interface ArchiveLimits {
  /** Bytes of one entry. */
  readonly entryBytes: number;
  readonly entries: number;
}

/** Real data sets stay far below: CIFAR-10's entries have 30 MB each, Flowers 102 has 8190 of them. */
export const ARCHIVE_LIMITS: ArchiveLimits = { entryBytes: 2 ** 30, entries: 2_000_000 };

/** A photograph that is read whole may have this many bytes. */
export const MAX_IMAGE_BYTES = 32 * 2 ** 20;

/** Photographs hardly shrink by compression; an archive that grows more than this is made to fill a disk. */
const MAX_GROWTH = 20;
const GROWTH_FLOOR = 16 * 2 ** 20;

export interface ArchiveEntry {
  /** Relative, with `/`, without `.` and `..`. */
  readonly name: string;
  readonly kind: "file" | "folder";
  readonly size: number;
  /** The contents in pieces. */
  chunks(): AsyncIterable<Uint8Array>;
  /** The whole contents. Throws FileError when they are more than `limit` bytes. */
  read(limit?: number): Promise<Uint8Array>;
}

/**
 * An entry's path inside its target.
 * @throws FileError naming an entry that is absolute, leaves its target, or has a name that some system reads otherwise
 */
export function safeEntryName(name: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  const refused = (reason: string) =>
    new FileError(`entry ${JSON.stringify(name.slice(0, 200))} ${reason}; get the archive from its publisher`);
  if (name.startsWith("/") || /^[A-Za-z]:/.test(name)) throw refused("is an absolute path, expected a relative one");
  if (parts.includes("..")) throw refused('leaves its target by "..", expected a path inside');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be in a name
  if (/[\\\x00-\x1f]/.test(name)) throw refused("has a backslash or a control character in its name, expected neither");
  if (name.length > 1024) throw refused("has a name of more than 1024 characters, expected a shorter one");
  return parts.join("/");
}

function checkEntry(header: Header, limits: ArchiveLimits): Pick<ArchiveEntry, "name" | "kind" | "size"> {
  const name = safeEntryName(header.name);
  const { type, size } = header;
  const isFile = type === "file" || type === "contiguous-file";
  if (!isFile && type !== "directory") {
    const to = header.linkname ? ` to ${JSON.stringify(header.linkname.slice(0, 200))}` : "";
    throw new FileError(
      `entry "${name}" is a ${type ?? "special file"}${to}, expected a file or a folder; get the archive from its publisher`,
    );
  }
  if (isFile && name === "")
    throw new FileError("an entry has no name, expected one; get the archive from its publisher");
  if (size > limits.entryBytes)
    throw new FileError(
      `entry "${name}" announces ${size} bytes, expected at most ${limits.entryBytes}; get the archive from its publisher`,
    );
  return { name, kind: isFile ? "file" : "folder", size };
}

async function readWhole(entry: ArchiveEntry, limit: number): Promise<Uint8Array> {
  if (entry.size > limit)
    throw new FileError(`entry "${entry.name}" has ${entry.size} bytes, expected at most ${limit}; make it smaller`);
  const parts: Uint8Array[] = [];
  for await (const chunk of entry.chunks()) parts.push(chunk);
  return new Uint8Array(Buffer.concat(parts));
}

/** Waits until the tar reader takes more, or has been ended by whoever reads its entries. */
const drained = (tar: Extract): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      tar.off("drain", done);
      tar.off("close", done);
      resolve();
    };
    tar.on("drain", done);
    tar.on("close", done);
  });

/** Sends the unpacked bytes to the tar reader, no faster than entries are read. */
async function feed(path: string, tar: Extract): Promise<void> {
  const { size } = await stat(path);
  const limit = GROWTH_FLOOR + MAX_GROWTH * size;
  let refused: FileError | undefined;
  const consume = async (source: AsyncIterable<Uint8Array>): Promise<void> => {
    let total = 0;
    for await (const chunk of source) {
      total += chunk.length;
      if (total > limit) {
        refused = new FileError(
          `expected at most ${limit} bytes from a file of ${size}, found more; get the archive from its publisher`,
        );
        throw refused;
      }
      if (tar.destroyed) return;
      if (!tar.write(chunk)) await drained(tar);
    }
    tar.end(null);
  };
  const file = createReadStream(path);
  const sent = (await isGzip(path)) ? pipeline(file, createGunzip(), consume) : pipeline(file, consume);
  // The pipeline itself only says that it was aborted.
  await sent.catch((cause) => {
    throw refused ?? cause;
  });
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await file.close();
  }
}

function archiveError(path: string, cause: unknown): FileError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "ENOENT")
    return new FileError(`${path}: expected an archive, but there is no such file; check the path`, { cause });
  if (cause instanceof TepalError) return new FileError(`${path}: ${message}`, { cause });
  return new FileError(
    `${path}: expected an intact tar archive, found damage (${message.replace(/\s+/g, " ")}); download it again`,
    { cause },
  );
}

/**
 * The entries of a .tar, .tgz or .tar.gz in their order. An entry can be read until the next one is asked for; what is not
 * read is passed over.
 * @throws FileError naming the archive and the entry: damaged or cut, no file or folder, a name that leaves the target, too
 * many entries, too large, or growing more than twentyfold
 */
export async function* readArchive(path: string, limits: ArchiveLimits = ARCHIVE_LIMITS): AsyncGenerator<ArchiveEntry> {
  const tar = extract();
  // What ended the reading: the tar reader itself would only say that it was ended.
  let failure: unknown;
  const fed = feed(path, tar).catch((error: Error) => {
    failure = error;
    tar.destroy(error);
  });
  const named = (cause: unknown): FileError => archiveError(path, failure ?? cause);
  let count = 0;
  try {
    for await (const entry of tar) {
      const checked = checkEntry(entry.header, limits);
      if (++count > limits.entries)
        throw new FileError(
          `expected at most ${limits.entries} entries, found more; get the archive from its publisher`,
        );
      const current: ArchiveEntry = {
        ...checked,
        chunks: () => chunksOf(entry as AsyncIterable<Uint8Array>, named),
        read: (limit = MAX_IMAGE_BYTES) => readWhole(current, limit),
      };
      yield current;
      entry.resume();
    }
  } catch (cause) {
    throw named(cause);
  } finally {
    tar.destroy(null);
    await fed;
  }
}

async function* chunksOf(
  entry: AsyncIterable<Uint8Array>,
  named: (cause: unknown) => FileError,
): AsyncGenerator<Uint8Array> {
  try {
    yield* entry;
  } catch (cause) {
    throw named(cause);
  }
}

/**
 * Unpacks an archive below `target`, which is made when it is missing. Existing files are never overwritten or followed; after
 * a failure none of this run's files stay.
 * @returns the names of the files written
 * @throws FileError as `readArchive`, or naming what exists already
 */
export async function unpackArchive(
  path: string,
  target: string,
  { limits, onEntry }: { readonly limits?: ArchiveLimits; onEntry?(count: number): void } = {},
): Promise<string[]> {
  await mkdir(target, { recursive: true });
  const root = await realpath(target);
  const written: string[] = [];
  try {
    for await (const entry of readArchive(path, limits)) {
      const parts = entry.name.split("/").filter(Boolean);
      await makeFolders(root, entry.kind === "folder" ? parts : parts.slice(0, -1), entry.name);
      if (entry.kind === "folder") continue;
      await writeEntry(entry, join(root, entry.name), () => written.push(entry.name));
      onEntry?.(written.length);
    }
  } catch (error) {
    await Promise.all(written.map((name) => rm(join(root, name), { force: true })));
    throw error;
  }
  return written;
}

/** Writes a file that must not exist: `wx` also refuses a link that somebody laid in its place. */
async function writeEntry(entry: ArchiveEntry, file: string, opened: () => void): Promise<void> {
  const output = createWriteStream(file, { flags: "wx" });
  output.once("open", opened);
  await pipeline(Readable.from(entry.chunks()), output).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EEXIST") throw cause;
    throw new FileError(`${file}: expected no such file, found one; remove it or choose another folder`, { cause });
  });
}

/** Makes the folders of an entry one by one: a link among those that were there already could lead elsewhere. */
async function makeFolders(root: string, parts: readonly string[], name: string): Promise<void> {
  let folder = root;
  for (const part of parts) {
    folder = join(folder, part);
    const failed = await mkdir(folder).then(
      () => null,
      (cause: NodeJS.ErrnoException) => cause,
    );
    if (!failed) continue;
    const found = failed.code === "EEXIST" ? await lstat(folder) : null;
    if (!found?.isDirectory())
      throw new FileError(
        `entry "${name}": expected a folder at ${folder}, found ${found ? "a link or a file" : failed.code}; remove it or choose another folder`,
        { cause: failed },
      );
  }
}
