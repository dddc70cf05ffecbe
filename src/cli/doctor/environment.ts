/** What the engine stands on here: the adapter and where it came from, its features and limits, and versions. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Device } from "../../engine/device.ts";
import type { OpenedGpu } from "../../engine/softwareAdapter.node.ts";

export interface Environment {
  readonly adapter: {
    readonly description: string;
    readonly vendor: string;
    readonly architecture: string;
    readonly device: string;
    /** True when a CPU does the work. */
    readonly software: boolean;
    /** Which driver, and who chose it. */
    readonly source: string;
  };
  /** Features that the engine makes use of, and whether they are there. */
  readonly features: Readonly<Record<string, boolean>>;
  /** Limits that decide batch sizes, slabs and kernels, as the device was given them. */
  readonly limits: Readonly<Record<string, number>>;
  readonly versions: Readonly<Record<string, string>>;
}

const features = ["timestamp-query", "shader-f16", "subgroups"] as const;

const limits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
  "minUniformBufferOffsetAlignment",
  "minStorageBufferOffsetAlignment",
] as const;

/** The driver files in force; opening the packaged SwiftShader sets them. */
export const driverFiles = (): string | undefined => process.env.VK_DRIVER_FILES || process.env.VK_ICD_FILENAMES;

/** Who chose the driver, given the driver files before the adapter was opened. */
export function sourceOf(description: string, before: string | undefined): string {
  const now = driverFiles();
  const wish = process.env.TEPAL_ADAPTER ? `TEPAL_ADAPTER=${process.env.TEPAL_ADAPTER}` : "no other driver was found";
  if (now !== before && /swiftshader/i.test(description)) return `packaged SwiftShader, ${now} (${wish})`;
  if (now) return `the driver chosen by VK_DRIVER_FILES or VK_ICD_FILENAMES, ${now}`;
  return "a driver of the system, found by Dawn";
}

function ownVersion(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    try {
      const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      if (name === "tepal") return version;
    } catch {
      // No package.json here: the next folder up.
    }
    if (folder === dirname(folder)) return "unknown";
  }
}

function dawnVersion(): string {
  const path = createRequire(import.meta.url).resolve("webgpu/package.json");
  return JSON.parse(readFileSync(path, "utf8")).version;
}

/** Describes an opened device; `before` are the driver files before it was opened. */
export function describeEnvironment(
  { adapter, software, description }: OpenedGpu,
  device: Device,
  before: string | undefined,
): Environment {
  const { vendor, architecture, device: model } = adapter.info;
  const source = sourceOf(description, before);
  return {
    adapter: { description, vendor, architecture, device: model, software, source },
    features: Object.fromEntries(features.map((name) => [name, device.gpu.features.has(name)])),
    limits: Object.fromEntries(limits.map((name) => [name, device.gpu.limits[name]])),
    versions: { tepal: ownVersion(), node: process.versions.node, webgpu: dawnVersion() },
  };
}
