import { readFile } from "node:fs/promises";
import { FileError } from "../../engine/errors.ts";
import { parseSafetensors } from "../../nn/formats/safetensors.ts";
import { requiredShare, type TensorResult, verifyAugmentations } from "../augment/verifyFile.ts";
import { defineCommand } from "../command.ts";
import { withDevice } from "../device.ts";

/** What the command ends with when a tensor is below the required share. */
const failedExitCode = 1;

const percent = (share: number): string => `${(100 * share).toFixed(4)} %`;

function describe({ name, share, tolerance, worst, ok, error }: TensorResult): string {
  const mark = ok ? "ok    " : "FAILED";
  if (error !== undefined) return `${mark}  ${name}: ${error}`;
  const largest = Number.isFinite(worst) ? worst.toFixed(4) : "not finite";
  return `${mark}  ${name.padEnd(26)} ${percent(share).padStart(11)} within ${tolerance} of 255; largest difference ${largest}`;
}

async function readTensors(file: string) {
  try {
    return parseSafetensors(await readFile(file));
  } catch (error) {
    throw error instanceof FileError ? new FileError(`${file}: ${error.message}`) : error;
  }
}

async function readParameters(file: string): Promise<object> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new FileError(`${file}: expected JSON with the parameters of each tensor: ${error.message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new FileError(`${file}: expected a JSON object with the parameters of each tensor, found ${typeof value}`);
  return value;
}

export const command = defineCommand({
  name: "augment-verify",
  summary: "make the tensors of an augmentation reference again on the GPU and compare",
  usage: "FILE.safetensors FILE.json",
  positionals: [
    {
      name: "file",
      type: "path",
      exists: "file",
      required: true,
      help: "images, rotation/FILL, zoom/FILL, translation/FILL, flip, brightness, contrast, resize/input, resize/bilinear_HxW",
    },
    {
      name: "parameters",
      type: "path",
      exists: "file",
      required: true,
      help: "the recorded parameters of each tensor",
    },
  ],
  options: {},
  examples: [
    [
      "tepal augment-verify augment.safetensors augment.json",
      "exit code 1 when a tensor has under 99.9 % of values within tolerance",
    ],
  ],
  async run({ file, parameters }, context) {
    const [tensors, recorded] = await Promise.all([readTensors(file), readParameters(parameters)]);
    return withDevice(async (device, adapter) => {
      const results = await verifyAugmentations(device, tensors, recorded, (result) => context.print(describe(result)));
      const passed = results.filter(({ ok }) => ok).length;
      context.print(
        `${passed} of ${results.length} tensors with at least ${percent(requiredShare)} of values within tolerance on ${adapter}`,
      );
      if (passed < results.length) context.setExitCode(failedExitCode);
      return { file, parameters, adapter, requiredShare, tensors: results, passed, failed: results.length - passed };
    });
  },
});
