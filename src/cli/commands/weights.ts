import { statSync } from "node:fs";
import { FileError, UsageError } from "../../engine/errors.ts";
import { convertWeights, type WeightsInfo, weightsInfo } from "../../nn/formats/files.node.ts";
import { columns, defineCommand } from "../command.ts";
import { pullOptions, pullWeights } from "../data/pull.ts";
import { flagOf } from "../options.ts";

function describeWeights(info: WeightsInfo): string {
  const { preprocessing } = info;
  const network = info.width === null ? info.architecture : `${info.architecture}, width ${info.width}`;
  const rows: [string, string][] = [
    ["file", info.file],
    ["format", `${info.format}, ${info.bytes.toLocaleString("en")} bytes`],
    ["sha256", info.sha256],
    ["architecture", network],
    ["head", info.classes === null ? "none" : `${info.classes} classes`],
    ["preprocessing", preprocessing ? `${preprocessing.name}, resize ${preprocessing.resize}` : "not stated"],
    ["parameters", info.parameters.toLocaleString("en")],
    ["tensors", String(info.tensors.length)],
  ];
  const tensors = info.tensors.map(
    ({ name, dtype, shape }) => [name, `${dtype} [${shape.join(", ")}]`] satisfies [string, string],
  );
  return `${columns(rows)}\n\n${columns(tensors)}`;
}

/** @throws FileError unless the path is a file. */
function checkFile(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) throw new FileError(`FILE expects a file, "${path}" does not exist; check the path`);
  if (stats.isDirectory()) throw new FileError(`FILE expects a file, "${path}" is a folder`);
}

/** @throws UsageError for an option of another action. */
function checkOptions(action: string, args: Readonly<Record<string, unknown>>): void {
  const options = { convert: ["dtype"], pull: [...Object.keys(pullOptions), "noTop"] };
  for (const [owner, names] of Object.entries(options)) {
    const given = names.find((name) => {
      const value = args[name];
      return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
    });
    if (owner !== action && given !== undefined)
      throw new UsageError(`${flagOf(given)} belongs to weights ${owner}; weights ${action} does not take it`);
  }
}

async function convert(file: string, output: string | undefined, dtype: "float32" | "float16" | undefined) {
  if (output === undefined) throw new UsageError("weights convert expects FILE and OUTPUT, found only FILE");
  if (!output.endsWith(".safetensors")) {
    throw new UsageError(`weights convert expects an output named *.safetensors, found "${output}"`);
  }
  return convertWeights(file, output, { dtype });
}

export const command = defineCommand({
  name: "weights",
  summary: "look into a weight file, convert it to safetensors, or fetch one",
  usage:
    "info FILE | convert FILE OUTPUT.safetensors [--dtype float32|float16] | pull mobilenet_v2 [--no-top] [--out FILE] [--from URL|DIR]",
  positionals: [
    {
      name: "action",
      type: "choice",
      choices: ["info", "convert", "pull"],
      required: true,
      help: "info, convert, or pull",
    },
    {
      name: "file",
      type: "path",
      required: true,
      help: "a .h5, .keras or .safetensors file; for pull the name mobilenet_v2",
    },
    { name: "output", type: "path", help: "the .safetensors file that convert writes" },
  ],
  options: {
    dtype: { type: "choice", choices: ["float32", "float16"], help: "element type that convert writes, else float32" },
    noTop: { type: "boolean", help: "pull: the file without the 1000-class head" },
    ...pullOptions,
  },
  examples: [
    ["tepal weights info mobilenet.h5", "tensors, architecture, preprocessing, hash"],
    ["tepal weights convert mobilenet.h5 mobilenet.safetensors --dtype float16", "half the size"],
    ["tepal weights pull mobilenet_v2 --out mobilenet.h5", "the published weights, from Keras"],
  ],
  async run(args, context) {
    const { action, file, output } = args;
    checkOptions(action, args);
    if (action !== "convert" && output !== undefined)
      throw new UsageError(
        `weights ${action} expects one ${action === "info" ? "file" : "name"}, found also "${output}"`,
      );
    if (action === "pull") {
      if (file !== "mobilenet_v2") throw new UsageError(`weights pull expects mobilenet_v2, found "${file}"`);
      return pullWeights(args, context);
    }
    checkFile(file);
    if (action === "info") {
      const info = await weightsInfo(file);
      context.print(describeWeights(info));
      return info;
    }
    const info = await convert(file, output, args.dtype);
    context.print(`${output}: ${info.tensors.length} tensors, ${info.bytes.toLocaleString("en")} bytes`);
    return info;
  },
});
