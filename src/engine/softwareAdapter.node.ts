/**
 * Opens WebGPU in Node, on the best adapter that can be had: the driver the user names, a system driver that Dawn
 * accepts, or the SwiftShader that comes with the npm packages.
 */
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { DeviceError } from "./errors.ts";
import { loadLibrary, swiftShaderFiles } from "./swiftshader.node.ts";

export interface OpenedGpu {
  readonly gpu: GPU;
  /** Fresh and unused: `requestDevice` consumes it, so call `openGpu` again for another. */
  readonly adapter: GPUAdapter;
  /** True when a CPU does the work (SwiftShader, lavapipe, WARP). */
  readonly software: boolean;
  /** What the driver calls itself, for a person. */
  readonly description: string;
}

/** What `TEPAL_ADAPTER` may say: `auto` takes a system driver and falls back to the packaged SwiftShader. */
export type AdapterChoice = "auto" | "system" | "swiftshader";
const CHOICES: readonly string[] = ["auto", "system", "swiftshader"] satisfies AdapterChoice[];

type Environment = Record<string, string | undefined>;

interface Shared {
  gpu?: GPU;
  nullGpu?: GPU;
  opening?: Promise<GPU>;
  globalsAssigned?: boolean;
}

/**
 * Dawn crashes at the next garbage collection when the object `create()` returned is dropped while a device lives, so
 * it is kept for the life of the process, where the module resets of a test runner cannot reach it.
 */
const key = Symbol.for("tepal.gpu");
const holder = globalThis as unknown as Record<symbol, Shared | undefined>;

function shared(): Shared {
  holder[key] ??= {};
  return holder[key];
}

/** Nanosecond timestamps: Dawn rounds them to 100 µs by default, which hides most kernels. */
const FLAGS = ["disable-dawn-features=timestamp_quantization"];

async function createGpu(flags: string[]): Promise<GPU> {
  let webgpu: typeof import("webgpu");
  try {
    webgpu = await import("webgpu");
  } catch (cause) {
    const platform = `${process.platform}-${process.arch}`;
    throw new DeviceError(
      `expected Dawn for ${platform}, it cannot be loaded; install the package "webgpu" (glibc 2.34 or newer on Linux)`,
      { cause },
    );
  }
  if (!shared().globalsAssigned) Object.assign(globalThis, webgpu.globals);
  shared().globalsAssigned = true;
  return webgpu.create(flags);
}

const request = (gpu: GPU) => gpu.requestAdapter({ powerPreference: "high-performance" });

/** The folders in which a Vulkan loader looks for drivers on Linux (Khronos, "Driver discovery"). */
export function driverFolders(env: Environment = process.env): string[] {
  const home = env.HOME || homedir();
  const list = (value: string | undefined, fallback: string) => (value || fallback).split(delimiter);
  const bases = [
    ...list(env.XDG_CONFIG_HOME, join(home, ".config")),
    ...list(env.XDG_CONFIG_DIRS, "/etc/xdg"),
    "/etc",
    ...list(env.XDG_DATA_HOME, join(home, ".local/share")),
    ...list(env.XDG_DATA_DIRS, "/usr/local/share:/usr/share"),
    "/usr/local/share",
    "/usr/share",
  ];
  return [...new Set(bases)].map((base) => join(base, "vulkan", "icd.d"));
}

function listsDriver(folder: string): boolean {
  try {
    return readdirSync(folder).some((name) => name.endsWith(".json"));
  } catch {
    return false;
  }
}

/** The driver files that the user chose, in the loader's own variables. */
const chosenDrivers = (env: Environment) => env.VK_DRIVER_FILES || env.VK_ICD_FILENAMES;

/**
 * Whether the system has any driver to offer. Looked at first because a Vulkan loader without a driver prints warnings
 * of its own on stderr.
 */
export function hasDriverFiles(env: Environment = process.env): boolean {
  const chosen = chosenDrivers(env);
  if (chosen) return chosen.split(delimiter).some((path) => existsSync(path));
  return Boolean(env.VK_ADD_DRIVER_FILES) || driverFolders(env).some(listsDriver);
}

/** A container may have a driver and no loader; the packaged one serves any driver. */
function hasLoader(): boolean {
  if (loadLibrary("libvulkan.so.1", false)) return true;
  const files = isMainThread ? swiftShaderFiles() : undefined;
  return files !== undefined && loadLibrary(files.loader, true);
}

async function createOnSystem(): Promise<GPU | undefined> {
  // Other systems have their own interface: Metal, Direct3D.
  if (process.platform === "linux" && !(hasDriverFiles() && hasLoader())) return undefined;
  const gpu = await createGpu(FLAGS);
  return (await request(gpu)) ? gpu : undefined;
}

async function createOnSwiftShader(): Promise<GPU | undefined> {
  const files = swiftShaderFiles();
  if (!files) return undefined;
  if (!isMainThread) {
    throw new DeviceError("expected the main thread, found a worker: the software adapter can only be loaded there");
  }
  process.env.VK_DRIVER_FILES = files.driver;
  process.env.VK_ICD_FILENAMES = files.driver;
  loadLibrary(files.loader, true);
  const gpu = await createGpu(FLAGS);
  return (await request(gpu)) ? gpu : undefined;
}

function adapterChoice(): AdapterChoice {
  const choice = process.env.TEPAL_ADAPTER || "auto";
  if (CHOICES.includes(choice)) return choice as AdapterChoice;
  throw new DeviceError(`expected TEPAL_ADAPTER to be ${CHOICES.join(", ")}, found "${choice}"`);
}

async function findGpu(): Promise<GPU> {
  const choice = adapterChoice();
  const chosen = chosenDrivers(process.env);
  if (choice !== "swiftshader") {
    const gpu = await createOnSystem();
    if (gpu) return gpu;
  }
  if (choice === "system") {
    throw new DeviceError("expected a GPU driver of the system, found none that Dawn accepts; unset TEPAL_ADAPTER");
  }
  const gpu = await createOnSwiftShader();
  if (!gpu) {
    throw new DeviceError(
      `expected a GPU, found none, and no software adapter for ${process.platform}-${process.arch}; ` +
        "install a Vulkan driver, or the optional package @sparticuz/chromium on Linux x64",
    );
  }
  if (choice === "auto") {
    const reason = chosen ? `No GPU driver found at ${chosen}` : "No GPU driver found";
    process.stderr.write(`${reason}: using the SwiftShader software adapter (slow).\n`);
  }
  return gpu;
}

/**
 * Opens an adapter; the first call decides which driver serves the process. Call it again after a device was lost, or
 * for a second device. Says in one line on stderr when it has to fall back to software.
 * @throws DeviceError when no adapter can be had.
 */
export async function openGpu(): Promise<OpenedGpu> {
  const state = shared();
  state.opening ??= findGpu();
  try {
    state.gpu = await state.opening;
  } catch (error) {
    state.opening = undefined;
    throw error;
  }
  const adapter = await request(state.gpu);
  if (!adapter) throw new DeviceError("the GPU no longer offers an adapter; start the program again");
  const { info } = adapter;
  const description = info.description || [info.vendor, info.architecture, info.device].filter(Boolean).join(" ");
  const software = info.isFallbackAdapter || /swiftshader|llvmpipe|softpipe|basic render/i.test(description);
  return { gpu: state.gpu, adapter, software, description };
}

/**
 * Opens Dawn's null backend: it compiles every shader and encodes every plan on any machine, and computes nothing.
 * @throws DeviceError when Dawn itself cannot be loaded.
 */
export async function openNullGpu(): Promise<OpenedGpu> {
  const state = shared();
  state.nullGpu ??= await createGpu(["backend=null"]);
  const adapter = await request(state.nullGpu);
  if (!adapter) throw new DeviceError("expected Dawn's null adapter, found none; reinstall the package webgpu");
  return { gpu: state.nullGpu, adapter, software: true, description: "null backend (compiles, computes nothing)" };
}
