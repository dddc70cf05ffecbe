import { Device } from "../../engine/device.ts";
import { ToleranceError } from "../../engine/errors.ts";
import { registry } from "../../engine/ops/registry.ts";
import { openGpu } from "../../engine/softwareAdapter.node.ts";
import { columns, defineCommand } from "../command.ts";
import { describeEnvironment, driverFiles, type Environment } from "../doctor/environment.ts";
import { type OpResult, testOp } from "../doctor/selfTest.ts";

/** Relative L2 error allowed of every op and gradient. */
const tolerance = 1e-5;

const failedExitCode = new ToleranceError("").exitCode;

const sizes = (name: string, value: number): string =>
  /Size$/.test(name) && value >= 2 ** 10 ? `${value.toLocaleString("en")} bytes` : value.toLocaleString("en");

function describe({ adapter, features, limits, versions }: Environment): string {
  const maker = [adapter.vendor, adapter.architecture].filter(Boolean).join(" ");
  const rows: [string, string][] = [
    ["adapter", `${adapter.description} (${maker})${adapter.software ? "; software: a CPU does the work" : ""}`],
    ["driver", adapter.source],
    ...Object.entries(features).map(([name, has]): [string, string] => [name, has ? "yes" : "no"]),
    ...Object.entries(limits).map(([name, value]): [string, string] => [name, sizes(name, value)]),
    ...Object.entries(versions).map(([name, version]): [string, string] => [`version of ${name}`, version]),
  ];
  return columns(rows);
}

const formatError = (error: number | null): string =>
  error === null ? "–" : Number.isFinite(error) ? error.toExponential(1) : "not finite";

function describeOp({ name, cases, forward, gradient, ok, worstCase, error }: OpResult): string {
  const errors = `forward ${formatError(forward).padEnd(8)} gradient ${formatError(gradient).padEnd(8)}`;
  const line = `${ok ? "ok    " : "FAILED"}  ${name.padEnd(24)} ${errors} ${cases} cases`;
  if (ok) return line;
  return `${line}; worst ${worstCase}${error === undefined ? "" : `: ${error}`}`;
}

export const command = defineCommand({
  name: "doctor",
  summary: "describe the adapter, and test every kernel on it against float64",
  usage: "[--seed K]",
  positionals: [],
  options: {
    seed: { type: "integer", default: 1, min: 0, help: "of the random values that the kernels are tested with" },
  },
  examples: [
    ["tepal doctor", "adapter, features, limits, self-test; exit code 12 when an error is above 1e-5"],
    ["TEPAL_ADAPTER=swiftshader tepal doctor --json", "the same on the packaged software adapter, as JSON"],
  ],
  async run({ seed }, context) {
    const before = driverFiles();
    const opened = await openGpu();
    const device = await Device.open(opened.adapter, opened.description);
    try {
      const environment = describeEnvironment(opened, device, before);
      context.print(`${describe(environment)}\n`);
      const progress = context.terminal.progress("self-test", registry.length, "ops");
      const ops: OpResult[] = [];
      for (const entry of registry) {
        const result = await testOp(device, entry, seed, tolerance);
        ops.push(result);
        progress.update(ops.length, result.name);
      }
      progress.finish();
      const failed = ops.filter(({ ok }) => !ok).length;
      const worst = Math.max(...ops.map((result) => result.worst));
      context.print(ops.map(describeOp).join("\n"));
      context.print(
        `${ops.length - failed} of ${ops.length} ops within ${tolerance.toExponential()} (relative L2), seed ${seed}; worst error ${formatError(worst)}`,
      );
      if (failed > 0) context.setExitCode(failedExitCode);
      return { ...environment, tolerance, seed, ops, worst, passed: ops.length - failed, failed };
    } finally {
      device.destroy();
    }
  },
});
