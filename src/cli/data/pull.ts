/** What `tepal data pull` and `tepal weights pull` share: options, progress, and the lines that say what was verified. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type PulledFile, type PullOptions, pullFile, pullFiles } from "../../data/pull.node.ts";
import { datasetFiles, type KnownFile, type PullableDataset, weightFiles } from "../../data/pullManifest.ts";
import { UsageError } from "../../engine/errors.ts";
import type { CommandContext } from "../command.ts";
import type { Progress } from "../terminal.ts";
import type { DataAction } from "./action.ts";

/** The options of `pull`; spread them into a command's. */
export const pullOptions = {
  out: { type: "path", help: "pull: where the files go" },
  from: { type: "string", placeholder: "URL|DIR", help: "pull: a mirror or a local folder instead of the publisher" },
  maxBytes: { type: "integer", min: 1, help: "pull: the most that one file may have" },
  sha256: { type: "string", multiple: true, placeholder: "NAME=HASH", help: "pull: the hash that a file must have" },
  timeout: { type: "number", min: 0.1, help: "pull: seconds without data before a connection is given up, else 30" },
} as const;

export interface PullArguments {
  readonly out?: string;
  readonly from?: string;
  readonly maxBytes?: number;
  readonly sha256: readonly string[];
  readonly timeout?: number;
}

/** `NAME=HASH`, or the hash alone where there is one file. */
function statedHashes(texts: readonly string[], files: readonly KnownFile[]): Record<string, string> {
  const names = files.map(({ name }) => name);
  const entries = texts.map((text) => {
    const [, name = names.length === 1 ? names[0] : "", hash] = /^(?:(.+)=)?([\da-f]{64})$/i.exec(text) ?? [];
    if (!hash || !names.includes(name))
      throw new UsageError(`--sha256 expects NAME=HASH with a name of ${names.join(", ")}, found "${text}"`);
    return [name, hash.toLowerCase()] as const;
  });
  return Object.fromEntries(entries);
}

const MEGABYTE = 1e6;
const inMegabytes = (bytes: number): number => Math.round((10 * bytes) / MEGABYTE) / 10;

/** Shows each file's bytes, rate and time left; what was there before a resumed download does not count as fast. */
function progressOf({ terminal }: CommandContext): NonNullable<PullOptions["onProgress"]> {
  let shown: { readonly key: string; readonly bar: Progress } | null = null;
  return (name, received, total, resumedAt) => {
    // Small files come at once.
    if (total === null || total < MEGABYTE) return;
    const key = `${name} ${resumedAt}`;
    if (shown?.key !== key) shown = { key, bar: terminal.progress(name, inMegabytes(total - resumedAt), "MB") };
    const note = resumedAt > 0 ? `resumed at ${inMegabytes(resumedAt)} MB` : "";
    shown.bar.update(inMegabytes(received - resumedAt), note);
    if (received === total) shown.bar.finish(note);
  };
}

function optionsOf(args: PullArguments, files: readonly KnownFile[], context: CommandContext): PullOptions {
  return {
    from: args.from,
    maxBytes: args.maxBytes,
    sha256: statedHashes(args.sha256, files),
    stallMs: args.timeout === undefined ? undefined : args.timeout * 1000,
    onProgress: progressOf(context),
    onNote: (text) => context.terminal.line(text),
  };
}

function report(files: readonly PulledFile[], context: CommandContext): void {
  for (const { path, bytes, sha256, verifiedBy, wasThere } of files) {
    const how = wasThere ? "was there" : "pulled";
    context.print(`${path}: ${how}, ${bytes.toLocaleString("en")} bytes, SHA-256 ${sha256} (${verifiedBy})`);
  }
}

const pullable = Object.keys(datasetFiles);

/** `tepal data pull NAME`: the files of a data set into `--out`, by default a folder of its name. */
export const pull: DataAction = {
  usage: `${pullable.join("|")} [--out DIR] [--from URL|DIR]`,
  options: pullOptions,
  examples: [
    ["tepal data pull flowers102 --out flowers", "Oxford Flowers 102 from its publisher, resumed where it was cut"],
    ["tepal data pull cifar10 --from http://127.0.0.1:8000/", "the same from a mirror that you name"],
  ],
  async run(given, context) {
    const { name } = given;
    if (!Object.hasOwn(datasetFiles, name))
      throw new UsageError(`data pull expects one of ${pullable.join(", ")}, found "${name}"`);
    // `pullOptions` declares them: the frame has checked their types.
    const args = given as unknown as PullArguments;
    const known: readonly KnownFile[] = datasetFiles[name as PullableDataset];
    const folder = args.out ?? name;
    const files = await pullFiles(known, folder, optionsOf(args, known, context));
    report(files, context);
    return { name, folder, files };
  },
};

/**
 * `tepal weights pull mobilenet_v2`: one weight file to `--out` (a file, or a folder that exists), by default under
 * the publisher's name.
 * @throws UsageError for a malformed hash; FileError as `pullFile`.
 */
export async function pullWeights(args: PullArguments & { readonly noTop: boolean }, context: CommandContext) {
  const known = args.noTop ? weightFiles.withoutHead : weightFiles.withHead;
  const out = args.out ?? known.name;
  const isFolder = (await stat(out).catch(() => null))?.isDirectory() ?? false;
  const file = await pullFile(known, isFolder ? join(out, known.name) : out, optionsOf(args, [known], context));
  report([file], context);
  return file;
}
