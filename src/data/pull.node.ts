/** `pull`: files from their publishers or a mirror, complete only when their hash says so. */
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { FileError } from "../engine/errors.ts";
import type { KnownFile } from "./pullManifest.ts";
import { discardPart, downloadPart, type TransferLimits } from "./pullPart.node.ts";
import { checkedUrl, type Expectation, expectationOf, shown } from "./pullPolicy.ts";

export interface PullOptions extends Partial<TransferLimits> {
  /** A mirror's http(s) address or a local folder that holds the files by name; a single file may be named itself. */
  readonly from?: string;
  /** Hashes by file name that count instead of the known ones; lower-case hexadecimal. */
  readonly sha256?: Readonly<Record<string, string>>;
  /** Called as bytes arrive; `resumedAt` of them were there before, total is null where the server does not say. */
  readonly onProgress?: (name: string, received: number, total: number | null, resumedAt: number) => void;
  /** One line that the user should read. */
  readonly onNote?: (text: string) => void;
}

export interface PulledFile {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Whose hash it was held against; `first use` where its own was recorded. */
  readonly verifiedBy: string;
  /** True where nothing was fetched. */
  readonly wasThere: boolean;
}

interface Source {
  readonly url: URL | null;
  readonly local: string | null;
  readonly official: boolean;
  readonly trustedHost: string | null;
}

async function sourceOf(file: KnownFile, from: string | undefined): Promise<Source> {
  if (from === undefined) return { url: checkedUrl(file.url), local: null, official: true, trustedHost: null };
  if (/^[a-z][a-z\d+.-]+:\/\//i.test(from)) {
    const base = checkedUrl(from);
    const named = base.pathname.endsWith(`/${file.name}`);
    if (!named && !base.pathname.endsWith("/")) base.pathname += "/";
    const url = named ? base : new URL(encodeURIComponent(file.name), base);
    return { url, local: null, official: url.href === file.url, trustedHost: base.hostname.replace(/^\[|\]$/g, "") };
  }
  const found = await stat(from).catch(() => null);
  if (!found) throw new FileError(`--from expects an address or a folder, "${from}" does not exist; check the path`);
  const local = found.isDirectory() ? join(from, file.name) : from;
  return { url: null, local, official: false, trustedHost: null };
}

interface Digest {
  readonly bytes: number;
  readonly sha256: string;
  readonly md5: string;
}

/** Hashes what the disk holds, not what went by. */
async function digestOf(path: string): Promise<Digest> {
  const [sha256, md5] = [createHash("sha256"), createHash("md5")];
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
    sha256.update(chunk);
    md5.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: sha256.digest("hex"), md5: md5.digest("hex") };
}

/** What a mismatch is, or null where the file is the expected one. */
function mismatch(found: Digest, { sha256, md5, by, remedy }: Expectation): string | null {
  if (md5 !== undefined && found.md5 !== md5) return `expected MD5 ${md5} (${by}), found ${found.md5}; ${remedy}`;
  if (sha256 !== undefined && found.sha256 !== sha256)
    return `expected SHA-256 ${sha256} (${by}), found ${found.sha256}; ${remedy}`;
  return null;
}

const recordOf = (path: string): string => `${path}.sha256`;

/**
 * The hash recorded at first use, in the format of `sha256sum`.
 * @throws FileError where the record is damaged: it must not count as absent.
 */
async function recordedHash(path: string): Promise<string | undefined> {
  const text = await readFile(recordOf(path), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (text === null) return undefined;
  const match = /^([\da-f]{64}) [ *]/m.exec(text);
  if (!match) throw new FileError(`${recordOf(path)}: expected a SHA-256 and a name, found none; remove the file`);
  return match[1];
}

async function record(path: string, sha256: string, source: Source): Promise<void> {
  const temporary = `${recordOf(path)}.${process.pid}.tmp`;
  const origin = source.url ? shown(source.url) : source.local;
  await writeFile(temporary, `# recorded by tepal at first use, from ${origin}\n${sha256}  ${basename(path)}\n`);
  await rename(temporary, recordOf(path));
}

async function copyPart(source: string, part: string, maxBytes: number, job: PullJob): Promise<void> {
  const found = await stat(source).catch(() => null);
  if (!found?.isFile()) throw new FileError(`"${source}": expected a file, found none; check --from`);
  if (found.size > maxBytes)
    throw new FileError(
      `"${source}": expected at most ${maxBytes} bytes, found ${found.size}; raise --max-bytes if that is right`,
    );
  let received = 0;
  const counted = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      received += chunk.length;
      job.options.onProgress?.(job.file.name, received, found.size, 0);
      yield chunk;
    }
  };
  await pipeline(createReadStream(source, { end: Math.max(0, found.size - 1) }), counted, createWriteStream(part));
}

interface PullJob {
  readonly file: KnownFile;
  readonly path: string;
  readonly source: Source;
  readonly expected: Expectation;
  readonly options: PullOptions;
}

const partOf = (path: string): string => `${path}.part`;

/** Fetches into the part; gives its digest once it is the expected file. */
async function fetchPart(job: PullJob): Promise<Digest> {
  const { file, source, expected, options, path } = job;
  const part = partOf(path);
  const { maxBytes = file.maxBytes, stallMs = 30_000, tries = 5, backoffMs = 1000 } = options;
  const onProgress = (received: number, total: number | null, resumedAt: number) =>
    options.onProgress?.(file.name, received, total, resumedAt);
  for (let fresh = false; ; fresh = true) {
    let pieces = false;
    if (source.url === null) await copyPart(source.local as string, part, maxBytes, job);
    else
      pieces = await downloadPart({
        part,
        url: source.url,
        trustedHost: source.trustedHost,
        ...{ maxBytes, stallMs, tries, backoffMs, onProgress },
      });
    const digest = await digestOf(part);
    const wrong = mismatch(digest, expected);
    if (wrong === null) return digest;
    await discardPart(part);
    // A part of an older file may have been continued: one download in one piece decides.
    if (!pieces || fresh) throw new FileError(`${file.name}: ${wrong}`);
    options.onNote?.(`${file.name}: what was resumed has another hash; begins again`);
  }
}

/** Only one process writes a part; a process that was killed does not hold it. */
async function holdPart(path: string): Promise<() => Promise<void>> {
  const holder = `${partOf(path)}.pid`;
  for (let tries = 0; tries < 2; tries++) {
    try {
      await writeFile(holder, String(process.pid), { flag: "wx" });
      return () => rm(holder, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const pid = Number(await readFile(holder, "utf8").catch(() => "0"));
      if (pid !== process.pid && isAlive(pid))
        throw new FileError(
          `${path}: expected no other pull of it, found process ${pid}; wait for it, or remove ${holder}`,
        );
      await rm(holder, { force: true });
    }
  }
  throw new FileError(`${path}: expected no other pull of it, found one that starts now; wait for it`);
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** The bytes are on the disk before the name is: a power cut leaves no final file with holes. */
async function settle(part: string, path: string): Promise<void> {
  const handle = await open(part, "r+");
  await handle.sync().finally(() => handle.close());
  await rename(part, path);
  await discardPart(part);
}

function note({ file, path, expected, options }: PullJob, digest: Digest): void {
  const notes: string[] = [];
  if (expected.by === "first use")
    notes.push(`no hash of its publisher's holds here: trusted at first use, SHA-256 recorded in ${recordOf(path)}`);
  if (file.sha256 !== undefined && digest.sha256 !== file.sha256)
    notes.push(`not the official file, whose SHA-256 is ${file.sha256} (${file.hashesBy})`);
  if (notes.length > 0) options.onNote?.(`${file.name}: ${notes.join("; ")}`);
}

/** Makes the folder of a target; tells whether the target is there already. */
async function prepareTarget(path: string): Promise<boolean> {
  const folder = resolve(path, "..");
  await mkdir(folder, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new FileError(`"${folder}": expected a folder to write to, found ${cause.code}; use another --out`, {
      cause,
    });
  });
  const found = await stat(path).catch(() => null);
  if (found && !found.isFile())
    throw new FileError(`"${path}": expected a file or none, found a folder; use another --out`);
  return found !== null;
}

/**
 * Fetches one file into `path`, which exists afterwards only with the expected content: it is written beside as
 * `.part`, hashed from the disk, then renamed. A file that is there already is hashed and not fetched.
 * @throws FileError for a wrong hash, a failed download, a file that is too large or cannot be written.
 */
export async function pullFile(file: KnownFile, path: string, options: PullOptions = {}): Promise<PulledFile> {
  const source = await sourceOf(file, options.from);
  const wasThere = await prepareTarget(path);
  const release = await holdPart(path);
  try {
    const stated = options.sha256?.[file.name];
    const recorded = await recordedHash(path);
    const expected = expectationOf(file, { stated, recorded, recordedIn: recordOf(path), official: source.official });
    const job: PullJob = { file, path, source, expected, options };
    const digest = wasThere ? await digestOf(path) : await fetchPart(job);
    const wrong = mismatch(digest, expected);
    if (wrong !== null) throw new FileError(`${path} is there already: ${wrong}, or remove it to pull it again`);
    const firstUse = expected.by === "first use";
    // The record comes first: a kill between the two leaves a hash without a file, never a file without its hash.
    if (firstUse || (stated !== undefined && stated !== file.sha256)) await record(path, digest.sha256, source);
    if (!wasThere) await settle(partOf(path), path);
    note(job, digest);
    return { name: file.name, path, bytes: digest.bytes, sha256: digest.sha256, verifiedBy: expected.by, wasThere };
  } finally {
    await release();
  }
}

/** Fetches files one after the other into a folder, which is created where it is missing. See `pullFile`. */
export async function pullFiles(
  files: readonly KnownFile[],
  folder: string,
  options: PullOptions = {},
): Promise<PulledFile[]> {
  const named = options.from === undefined ? null : await stat(options.from).catch(() => null);
  if (files.length > 1 && named?.isFile())
    throw new FileError(`--from expects a folder or an address of ${files.length} files, "${options.from}" is a file`);
  const pulled: PulledFile[] = [];
  for (const file of files) pulled.push(await pullFile(file, join(folder, file.name), options));
  return pulled;
}
