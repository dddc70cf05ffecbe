import { readFile } from "node:fs/promises";
import { FileError } from "../../engine/errors.ts";
import { parseSafetensors } from "../../nn/formats/safetensors.ts";
import { defineCommand } from "../command.ts";
import { withDevice } from "../device.ts";
import { readCases } from "../verify/cases.ts";
import { type CaseResult, runCase } from "../verify/run.ts";

/** What `verify` ends with when a case is above the tolerance or cannot be run. */
const failedExitCode = 1;

/** @throws FileError, which names the file, where it is no safetensors file or holds no case. */
async function readFileCases(file: string) {
  try {
    return readCases(parseSafetensors(await readFile(file)));
  } catch (error) {
    throw error instanceof FileError ? new FileError(`${file}: ${error.message}`) : error;
  }
}

const formatError = (error: number): string => (Number.isFinite(error) ? error.toExponential(1) : "not finite");

function describeCase({ name, forward, gradients, ok, reading, error }: CaseResult): string {
  const mark = ok ? "ok    " : "FAILED";
  if (error !== undefined) return `${mark}  ${name}: ${error}`;
  const parts = [
    `out ${formatError(forward)}`,
    ...gradients.map((one, index) => `grad${index} ${one === null ? "not in the file" : formatError(one)}`),
    reading === undefined ? "" : `(read as ${reading})`,
  ];
  return `${mark}  ${name.padEnd(36)}  ${parts.filter(Boolean).join("  ")}`;
}

export const command = defineCommand({
  name: "verify",
  summary: "run the single-op cases of a reference file on the GPU and compare",
  usage: "FILE.safetensors [--tolerance 1e-5]",
  positionals: [
    {
      name: "file",
      type: "path",
      exists: "file",
      required: true,
      help: "tensors named <op>/<description>/in0…, out, cotangent, grad0…",
    },
  ],
  options: {
    tolerance: {
      type: "number",
      default: 1e-5,
      min: 0,
      help: "relative L2 error allowed of each output and gradient; ends with exit code 1 above it",
    },
  },
  examples: [
    [
      "tepal verify ops.safetensors",
      "forward and gradients of every case; exit code 1 when one fails or cannot be run",
    ],
    ["tepal verify ops.safetensors --tolerance 1e-6 --json", "the errors as JSON; null stands for NaN or infinity"],
  ],
  async run({ file, tolerance }, context) {
    const references = await readFileCases(file);
    return withDevice(async (device, adapter) => {
      const progress = context.terminal.progress("verify", references.length, "cases");
      const cases: CaseResult[] = [];
      for (const reference of references) {
        cases.push(await runCase(device, reference, tolerance));
        progress.update(cases.length);
      }
      progress.finish();
      const passed = cases.filter(({ ok }) => ok).length;
      const failed = cases.length - passed;
      const worst = Math.max(...cases.map((one) => one.worst));
      context.print(cases.map(describeCase).join("\n"));
      context.print(
        `${passed} of ${cases.length} cases within ${tolerance.toExponential()} (relative L2) on ${adapter}; worst error ${formatError(worst)}`,
      );
      if (failed > 0) context.setExitCode(failedExitCode);
      return { file, adapter, tolerance, cases, worst, passed, failed };
    });
  },
});
