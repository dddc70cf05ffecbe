/**
 * The software driver for machines without one: three files of the optional package `@sparticuz/chromium`, unpacked
 * once into a cache folder. Nothing is downloaded, and neither root nor a system Vulkan loader is needed.
 */
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir, constants as osConstants, tmpdir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { DeviceError } from "./errors.ts";

const DRIVER = "vk_swiftshader_icd.json";
const LOADER = "libvulkan.so.1";
const FILES = [LOADER, "libvk_swiftshader.so", DRIVER];
const SIZES = "sizes.json";
/** Keeps a library mapped after Node has closed it (glibc's value; Node does not export it). */
const RTLD_NODELETE = 0x1000;

type Environment = Record<string, string | undefined>;

/** Where the packed driver lies, or undefined when the optional package is not installed. */
export function findSwiftShaderArchive(): { archive: string; version: string } | undefined {
  try {
    const entry = createRequire(import.meta.url).resolve("@sparticuz/chromium");
    const root = join(dirname(entry), "..", "..");
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    return { archive: join(root, "bin", "swiftshader.tar.br"), version };
  } catch {
    return undefined;
  }
}

/** Folders to try for the unpacked driver, best first: the user's cache, then the system's temporary folder. */
export function cacheFolders(version: string, env: Environment = process.env): string[] {
  const cache = env.XDG_CACHE_HOME;
  const base = cache && isAbsolute(cache) ? cache : join(env.HOME || homedir(), ".cache");
  const user = process.getuid?.() ?? "user";
  return [join(base, "tepal", `swiftshader-${version}`), join(tmpdir(), `tepal-${user}`, `swiftshader-${version}`)];
}

/** The regular files of a tar archive, by name. */
function readTar(tar: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const field = (start: number, length: number) =>
    tar
      .toString("latin1", start, start + length)
      .split("\0", 1)[0]!
      .trim();
  for (let offset = 0; offset + 512 <= tar.length; ) {
    const name = field(offset, 100);
    if (name === "") break;
    const size = Number.parseInt(field(offset + 124, 12), 8);
    files.set(name, tar.subarray(offset + 512, offset + 512 + size));
    offset += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

/** True when the folder belongs to this user and every file has the size that was written. */
function isComplete(folder: string): boolean {
  try {
    const owner = lstatSync(folder);
    // A folder that somebody else placed under /tmp must not be loaded as code.
    if (!owner.isDirectory() || (process.getuid && owner.uid !== process.getuid())) return false;
    const sizes = JSON.parse(readFileSync(join(folder, SIZES), "utf8")) as Record<string, number>;
    return FILES.every((name) => sizes[name] > 0 && statSync(join(folder, name)).size === sizes[name]);
  } catch {
    return false;
  }
}

function readArchive(archive: string): Map<string, Buffer> {
  let files: Map<string, Buffer>;
  try {
    files = readTar(brotliDecompressSync(readFileSync(archive)));
  } catch (cause) {
    const message = `expected a packed driver in ${archive}, it cannot be read; reinstall the packages`;
    throw new DeviceError(message, { cause });
  }
  const missing = FILES.find((name) => !files.get(name)?.length);
  if (missing) throw new DeviceError(`expected ${missing} in ${archive}, found none; reinstall the packages`);
  return files;
}

/** Writes the files beside `folder` and moves them into place in one step, so that no reader sees half of them. */
function unpackInto(folder: string, archive: string): void {
  mkdirSync(dirname(folder), { recursive: true, mode: 0o700 });
  const temporary = mkdtempSync(`${folder}-`);
  try {
    const files = readArchive(archive);
    for (const name of FILES) writeFileSync(join(temporary, name), files.get(name)!);
    const sizes = Object.fromEntries(FILES.map((name) => [name, files.get(name)!.length]));
    writeFileSync(join(temporary, SIZES), JSON.stringify(sizes));
    rmSync(folder, { recursive: true, force: true });
    renameSync(temporary, folder);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    // Another process may have moved its own copy into place between our two calls.
    if (!isComplete(folder)) throw error;
  }
}

/**
 * The first of `folders` that holds the driver, or can: it is unpacked where it is missing, damaged or cut short.
 * @throws DeviceError when no folder can be written, or the archive is damaged.
 */
export function unpackSwiftShader(archive: string, folders: string[]): string {
  let cause: unknown;
  for (const folder of folders) {
    try {
      if (!isComplete(folder)) unpackInto(folder, archive);
      if (isComplete(folder)) return folder;
    } catch (error) {
      if (error instanceof DeviceError) throw error;
      cause = error;
    }
  }
  const tried = folders.join(", ");
  const message = `expected a writable cache for the software driver, found none among ${tried}; set XDG_CACHE_HOME`;
  throw new DeviceError(message, { cause });
}

/**
 * Loads a shared library for good. Node refuses it afterwards because it is no add-on, which is expected: the dynamic
 * linker has it by then, and finds it by its name when Dawn asks.
 * @returns whether the library could be loaded.
 */
export function loadLibrary(path: string, keep: boolean): boolean {
  try {
    process.dlopen({ exports: {} }, path, osConstants.dlopen.RTLD_NOW | (keep ? RTLD_NODELETE : 0));
    return true;
  } catch (error) {
    return /did not self-register/.test((error as Error).message);
  }
}

/** Unpacks SwiftShader and its Vulkan loader, or undefined where the package has none for this platform. */
export function swiftShaderFiles(): { loader: string; driver: string } | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") return undefined;
  const found = findSwiftShaderArchive();
  if (!found) return undefined;
  const folder = unpackSwiftShader(found.archive, cacheFolders(found.version));
  return { loader: join(folder, LOADER), driver: join(folder, DRIVER) };
}
