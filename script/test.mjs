// npm test: builds, then runs the tests on SwiftShader, then those of the GPU again on the system's driver, and ends with
// one line that counts them. Further arguments select test files, as vitest takes them.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, root } from "./build.mjs";

const long = process.argv.includes("--long");
const filters = process.argv.slice(2).filter((argument) => argument !== "--long");
const vitest = join(root, "node_modules/vitest/vitest.mjs");

/** The name of the driver that Dawn takes from the system, or undefined. In a process of its own: drivers may crash. */
function systemDriver() {
  const probe = `
    import { create } from "webgpu";
    globalThis.gpu = create([]);
    const adapter = await globalThis.gpu.requestAdapter({ powerPreference: "high-performance" });
    console.log(adapter ? adapter.info.description || adapter.info.device || "unnamed" : "");
    process.exit(0);`;
  const result = spawnSync(process.execPath, ["--input-type=module", "-e", probe], { cwd: root, encoding: "utf8" });
  return result.status === 0 ? result.stdout.trim() || undefined : undefined;
}

/** Counts of one report; a file that could not even be loaded is one failure. */
function count(report) {
  const unloaded = report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0);
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloaded.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

function runVitest(adapter, args, environment) {
  const folder = mkdtempSync(join(tmpdir(), "tepal-test-"));
  const output = join(folder, "report.json");
  const options = ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${output}`, "--passWithNoTests"];
  const env = { ...process.env, ...environment, TEPAL_ADAPTER: adapter };
  return new Promise((done) => {
    const child = spawn(process.execPath, [vitest, ...options, ...args], { cwd: root, env, stdio: "inherit" });
    child.on("close", (status, signal) => {
      const counts = existsSync(output)
        ? count(JSON.parse(readFileSync(output, "utf8")))
        : { passed: 0, failed: 0, skipped: 0 };
      rmSync(folder, { recursive: true, force: true });
      // Nothing failed and still no success: a worker died, or an error came after its test.
      if (status !== 0 && counts.failed === 0) {
        console.log(`the run on ${adapter} broke off (${signal ?? `exit code ${status}`}): see the output above`);
        counts.failed = 1;
      }
      done(counts);
    });
  });
}

const add = (a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped });

await build().catch((error) => {
  console.error(`the sources cannot be built: ${error.message}`);
  console.log("0 passed, 1 failed");
  process.exit(1);
});
const environment = long ? { TEPAL_LONG: "1" } : {};
let total = await runVitest("swiftshader", filters, environment);
const driver = systemDriver();
if (driver) {
  console.log(`\nThe GPU's tests again, on the system's driver: ${driver}`);
  total = add(total, await runVitest("system", filters, { TEPAL_GPU_TESTS: "1" }));
} else {
  console.log("\nNo system driver that Dawn accepts: the tests ran on SwiftShader only.");
}
if (total.passed + total.failed === 0) console.log("no test ran");
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
