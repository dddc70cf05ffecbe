/** The words and tables that `tepal kernels` prints for people. */
import type { Shader } from "../../engine/op.ts";
import type { Roofline } from "../../engine/roofline.ts";
import { headerOf, specialise } from "../../engine/shaderSource.ts";
import { formatShape } from "../../engine/types.ts";
import type { KernelCost, LayerCost, NetworkCost, Specialisation } from "./measure.ts";

/** Columns as wide as their widest cell; cells after the first `left` ones stand at the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], left: number): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column < left ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join("  ")
      .trimEnd();
  return [line(head), line(widths.map((width) => "─".repeat(width))), ...rows.map(line)].join("\n");
}

const costHead = ["MFLOP", "MiB", "FLOP/B", "ms", "GFLOP/s", "GB/s", "share"];

const costCells = (cost: LayerCost | KernelCost): string[] => [
  (cost.flops / 1e6).toFixed(2),
  (cost.bytes / 2 ** 20).toFixed(2),
  cost.intensity.toFixed(1),
  cost.milliseconds.toFixed(3),
  cost.gflopsPerSecond.toFixed(2),
  cost.gigabytesPerSecond.toFixed(2),
  `${(100 * cost.share).toFixed(1)} %`,
];

export const layerTable = (layers: readonly LayerCost[]): string =>
  table(
    ["layer", "kernel", "output", ...costHead],
    layers.map((layer) => [layer.name, layer.kernel, formatShape(layer.output), ...costCells(layer)]),
    3,
  );

export const kernelTable = (kernels: readonly KernelCost[]): string =>
  table(
    ["kernel", "dispatches", ...costHead],
    kernels.map((cost) => [cost.kernel, String(cost.dispatches), ...costCells(cost)]),
    1,
  );

export function totalsText({ totals }: NetworkCost, batch: number): string {
  const { dispatches, prologueDispatches, flops, bytes, milliseconds, activationMebibytesPerImage } = totals;
  return [
    `${dispatches} dispatches (and ${prologueDispatches} when parameters change), ${(flops / 1e6).toFixed(0)} MFLOP, ${(bytes / 2 ** 20).toFixed(1)} MiB moved at least`,
    `${milliseconds.toFixed(1)} ms in kernels for a batch of ${batch}: ${(flops / milliseconds / 1e6).toFixed(2)} GFLOP/s`,
    `activations: ${activationMebibytesPerImage.toFixed(2)} MiB per image`,
  ].join("\n");
}

export const rooflineText = ({ copyGigabytesPerSecond, multiplyAddGflopsPerSecond }: Roofline): string =>
  `roofline: copies reach ${copyGigabytesPerSecond.toFixed(1)} GB/s, multiply-adds ${multiplyAddGflopsPerSecond.toFixed(1)} GFLOP/s`;

/** What a specialisation is and what it computes, then its source without the header comment. */
export function specialisationText({ shader, entryPoint, overrides, layers }: Specialisation): string {
  const settings = Object.entries(overrides).map(([name, value]) => `${name} = ${value}`);
  const shown = layers.length > 6 ? [...layers.slice(0, 6), `${layers.length - 6} more`] : layers;
  const source = specialise(shader.code, entryPoint, overrides).split("\n").slice(headerOf(shader.code).length);
  return [
    `── ${[`${shader.name}.${entryPoint}`, ...settings].join(", ")}: ${shown.join(", ") || "no layer of MobileNetV2"}`,
    source.join("\n").trim(),
  ].join("\n\n");
}

export const headerText = ({ name, code }: Shader): string => [`${name}.wgsl`, ...headerOf(code)].join("\n  ");
