import {
  checkDataset,
  type DatasetChecks,
  type DuplicateGroup,
  type Request,
  requestWarnings,
  type Spread,
} from "../../data/checks.node.ts";
import { openDataset } from "../../data/loaders.node.ts";
import { PART_NAMES, type PartName } from "../../data/loaders.ts";
import { tooManyBroken } from "../../data/loadImages.node.ts";
import { FileError, UsageError } from "../../engine/errors.ts";
import { type CommandContext, columns } from "../command.ts";
import type { DataAction, DataArguments } from "./action.ts";

/** `train=5000`. */
function parseRequest(text: string): Request {
  const match = /^(\w+)=(\d{1,9})$/.exec(text);
  const part = PART_NAMES.find((name) => name === match?.[1]);
  if (!match || !part)
    throw new UsageError(`--take expects PART=COUNT with PART of ${PART_NAMES.join(", ")}, found "${text}"`);
  return { part, count: Number(match[2]) };
}

const describeSpread = (spread: Spread | null): string =>
  spread ? `${spread.min} / ${spread.median} / ${spread.max}` : "none";

/** A table with the first column to the left and numbers to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map(
      (row) =>
        `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column] + 2))).join("")}`,
    )
    .join("\n");
}

function classTable({ classes, parts, images }: DatasetChecks): string {
  const names = PART_NAMES.filter((name) => parts?.[name] !== undefined);
  const row = (name: string, counts: Partial<Record<PartName, number>> | null | undefined, total: number) => [
    name,
    ...names.map((part) => String(counts?.[part] ?? 0)),
    String(total),
  ];
  const rows = classes.map(({ name, parts: counts, total }) => row(name, counts, total));
  return table([["class", ...names, "all"], ...rows, row("together", parts, images)]);
}

function describeDuplicates(duplicates: readonly DuplicateGroup[]): string {
  const lines = duplicates.map(({ by, names, parts, acrossParts }) => {
    const places = names.map((name, index) => (parts[index] ? `${name} (${parts[index]})` : name));
    return `  ${places.join(" = ")}: the same ${by}${acrossParts ? ", in different parts" : ""}`;
  });
  const shown =
    lines.length > 20 ? [...lines.slice(0, 20), `  and ${lines.length - 20} more; --json lists them`] : lines;
  return `duplicates (by the hash of the decoded pixels): ${duplicates.length}${shown.length > 0 ? `\n${shown.join("\n")}` : ""}`;
}

function describe(checks: DatasetChecks): string {
  const { name, images, classes, unused, width, height, bytes, broken, duplicates } = checks;
  const rows: [string, string][] = [
    ["data set", name],
    ["images", `${images} in ${classes.length} classes${unused > 0 ? `, ${unused} of them in no part` : ""}`],
    ["width, pixels", `${describeSpread(width)} (least / median / most)`],
    ["height, pixels", describeSpread(height)],
    ["bytes", describeSpread(bytes)],
    ["broken", String(broken.length)],
  ];
  const brokenLines = broken.map(({ path, reason }) => `  ${path}: ${reason}`);
  return [columns(rows), ...brokenLines, "", classTable(checks), "", describeDuplicates(duplicates)].join("\n");
}

/** The report is given whole, also of a data set that cannot be used; then the command ends with the error's code. */
function judge(checks: DatasetChecks, strict: boolean, context: CommandContext): void {
  const { broken, images, name } = checks;
  if (broken.length === 0 || !(strict || checks.tooManyBroken)) return;
  const error = checks.tooManyBroken
    ? tooManyBroken(name, broken, images)
    : new FileError(`${broken[0].reason} (--strict: ${broken.length} broken of ${images})`);
  context.setExitCode(error.exitCode);
  context.terminal.line(`tepal: ${error.message}`);
}

export const info: DataAction = {
  usage: "NAME_OR_DIR [--root DIR] [--take PART=COUNT] [--strict]",
  options: {
    root: {
      type: "path",
      placeholder: "DIR",
      help: "the folder with the files of flowers102 or cifar10, or that a list's paths start from",
    },
    take: {
      type: "string",
      multiple: true,
      placeholder: "PART=COUNT",
      help: "warn when the part has fewer images than these",
    },
    seed: { type: "integer", min: 0, default: 1, help: "decides the drawings of petals" },
    strict: { type: "boolean", help: "fail at a broken image" },
  },
  examples: [
    ["tepal data info flowers102 --root DIR --take train=5000", "counts, sizes, broken ones, duplicates"],
    ["tepal data info photographs --strict --json", "fails where an image of photographs/<class>/ is broken"],
  ],
  async run({ name, root, take, seed, strict }: DataArguments, context) {
    const requests = (take as string[]).map(parseRequest);
    const dataset = await openDataset(name, { root: root as string | undefined, seed: seed as number });
    const progress = context.terminal.progress("checking", dataset.items.length);
    const checked = await checkDataset(dataset, { onProgress: (done) => progress.update(done) });
    progress.finish();
    const checks = { ...checked, warnings: [...checked.warnings, ...requestWarnings(dataset, requests)] };
    context.print(describe(checks));
    for (const warning of checks.warnings) context.terminal.warn(warning);
    judge(checks, strict === true, context);
    return checks;
  },
};
