import { inflateSync } from "fflate";
import { FileError } from "../../engine/errors.ts";

const END_RECORD = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_HEADER = 0x04034b50;
const END_BYTES = 22;

const broken = (expected: string, actual: string, cause?: unknown): FileError =>
  new FileError(`zip archive: expected ${expected}; found ${actual}; get the file again or save it again from Keras`, {
    cause,
  });

interface Entry {
  readonly method: number;
  readonly checksum: number;
  readonly storedBytes: number;
  readonly bytes: number;
  readonly headerAt: number;
}

const CHECKSUMS = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) value = CHECKSUMS[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

function findEnd(view: DataView): number {
  const first = Math.max(0, view.byteLength - END_BYTES - 0xffff);
  for (let at = view.byteLength - END_BYTES; at >= first; at--) {
    if (view.getUint32(at, true) === END_RECORD) return at;
  }
  throw broken("an end-of-directory record", "none (is the file complete?)");
}

/** The central directory. Zip64 and encryption are refused: Keras writes neither. */
function readDirectory(bytes: Uint8Array, view: DataView): Map<string, Entry> {
  const end = findEnd(view);
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  const entries = new Map<string, Entry>();
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== DIRECTORY_ENTRY) {
      throw broken(`${count} directory entries`, `no entry ${i + 1} at byte ${at}`);
    }
    if (view.getUint16(at + 8, true) & 1) throw broken("plain entries", "an encrypted one");
    const nameBytes = view.getUint16(at + 28, true);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameBytes));
    if (entries.has(name)) throw broken("every name once", `${JSON.stringify(name)} twice`);
    entries.set(name, {
      method: view.getUint16(at + 10, true),
      checksum: view.getUint32(at + 16, true),
      storedBytes: view.getUint32(at + 20, true),
      bytes: view.getUint32(at + 24, true),
      headerAt: view.getUint32(at + 42, true),
    });
    at += 46 + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return entries;
}

function extract(bytes: Uint8Array, view: DataView, name: string, entry: Entry): Uint8Array {
  const { headerAt, storedBytes } = entry;
  if (headerAt + 30 > bytes.length || view.getUint32(headerAt, true) !== LOCAL_HEADER) {
    throw broken(`a local header of ${name}`, `none at byte ${headerAt}`);
  }
  const start = headerAt + 30 + view.getUint16(headerAt + 26, true) + view.getUint16(headerAt + 28, true);
  if (start + storedBytes > bytes.length) throw broken(`${storedBytes} bytes of ${name}`, "the end of the file");
  const stored = bytes.subarray(start, start + storedBytes);
  if (entry.method !== 0 && entry.method !== 8) throw broken("stored or deflated entries", `method ${entry.method}`);
  let content = stored;
  if (entry.method === 8) {
    try {
      content = inflateSync(stored, { out: new Uint8Array(entry.bytes) });
    } catch (cause) {
      throw broken(`deflated data in ${name}`, "damaged data", cause);
    }
  }
  if (content.length !== entry.bytes || crc32(content) !== entry.checksum) {
    throw broken(`${name} with the checksum of the directory`, "other bytes");
  }
  return content;
}

/**
 * The named entries of a zip archive, those that exist. Their announced sizes are checked before anything is
 * decompressed, their checksums after.
 *
 * @param limits entry name to the most bytes it may decompress to.
 * @throws FileError where the archive is damaged or announces too much.
 */
export function readZip(bytes: Uint8Array, limits: Record<string, number>): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const directory = readDirectory(bytes, view);
  const contents = new Map<string, Uint8Array>();
  for (const [name, limit] of Object.entries(limits)) {
    const entry = directory.get(name);
    if (entry === undefined) continue;
    if (entry.bytes > limit) throw broken(`${name} of at most ${limit} bytes`, `${entry.bytes} announced`);
    contents.set(name, extract(bytes, view, name, entry));
  }
  return contents;
}
