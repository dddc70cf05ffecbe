import { UsageError } from "../../engine/errors.ts";
import { convertWeights, type WeightsInfo, weightsInfo } from "../../nn/formats/files.node.ts";
import { columns, defineCommand } from "../command.ts";

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

export const command = defineCommand({
  name: "weights",
  summary: "look into a weight file, or convert it to safetensors",
  usage: "info FILE | convert FILE OUTPUT.safetensors [--dtype float32|float16]",
  positionals: [
    { name: "action", type: "choice", choices: ["info", "convert"], required: true, help: "info or convert" },
    { name: "file", type: "path", exists: "file", required: true, help: "a .h5, .keras or .safetensors file" },
    { name: "output", type: "path", help: "the .safetensors file that convert writes" },
  ],
  options: {
    dtype: { type: "choice", choices: ["float32", "float16"], help: "element type that convert writes, else float32" },
  },
  examples: [
    ["tepal weights info mobilenet.h5", "tensors, architecture, preprocessing, hash"],
    ["tepal weights convert mobilenet.h5 mobilenet.safetensors --dtype float16", "half the size"],
  ],
  async run({ action, file, output, dtype }, context) {
    if (action === "info") {
      if (output !== undefined) throw new UsageError(`weights info expects one file, found also "${output}"`);
      if (dtype !== undefined)
        throw new UsageError("--dtype belongs to weights convert; weights info takes no options");
      const info = await weightsInfo(file);
      context.print(describeWeights(info));
      return info;
    }
    if (output === undefined) throw new UsageError("weights convert expects FILE and OUTPUT, found only FILE");
    if (!output.endsWith(".safetensors")) {
      throw new UsageError(`weights convert expects an output named *.safetensors, found "${output}"`);
    }
    const info = await convertWeights(file, output, { dtype });
    context.print(`${output}: ${info.tensors.length} tensors, ${info.bytes.toLocaleString("en")} bytes`);
    return info;
  },
});
