// npm run check: everything about the sources that can be said without a device and without running a test.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { dependencyProblems } from "./dependencies.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Paths relative to the root, of all files that are or will be tracked. */
function trackedFiles() {
  const git = spawnSync(
    "git",
    ["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    {
      cwd: root,
      encoding: "utf8",
      maxBuffer: 1 << 26,
    },
  );
  if (git.status !== 0) throw new Error(`git ls-files failed: ${git.stderr ?? git.error}`);
  const present = (path) => statSync(join(root, path), { throwIfNoEntry: false })?.isFile();
  return [...new Set(git.stdout.split("\0"))].filter((path) => path !== "" && present(path));
}

const files = trackedFiles();
const read = (path) => readFileSync(join(root, path), "utf8");

/** Runs a program of node_modules; its output is the list of problems when it fails. */
function program(path, args) {
  return new Promise((done, reject) => {
    const child = spawn(process.execPath, [join(root, "node_modules", path), ...args], { cwd: root });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data) => {
        output += data;
      });
    }
    child.on("error", reject);
    child.on("close", (status) => done(status === 0 ? [] : [output.trim() || `exit code ${status}`]));
  });
}

async function shaderProblems() {
  const shaders = files.filter((path) => path.startsWith("src/shaders/") && path.endsWith(".wgsl"));
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  // Dawn crashes when this object is collected while a device lives.
  globalThis.nullGpu = create(["backend=null"]);
  const adapter = await globalThis.nullGpu.requestAdapter();
  const device = await adapter.requestDevice({ requiredFeatures: [...adapter.features] });
  const problems = [];
  for (const path of shaders) {
    device.pushErrorScope("validation");
    const { messages } = await device.createShaderModule({ code: read(path) }).getCompilationInfo();
    const failure = await device.popErrorScope();
    const errors = messages.filter((message) => message.type === "error");
    problems.push(...errors.map((error) => `${path}:${error.lineNum}:${error.linePos} ${error.message}`));
    if (failure && errors.length === 0) problems.push(`${path}:1:1 ${failure.message.split("\n")[0]}`);
  }
  return { problems, note: `${shaders.length} shaders` };
}

/** What only makes sense on one machine or to one person does not belong into a public repository. */
const forbidden = [
  { pattern: /(?<![\w.])\/(?:work|root|home\/\w+|tmp\/brief)\//, what: "a path of one machine" },
  { pattern: /registry\.(?:npmjs|yarnpkg|npmmirror)\.\w+/, what: "the host of a registry" },
  { pattern: /\b(?:issues (?:show|list|take|close|note)|issue #?\d+)\b/i, what: "an issue of the tracker" },
  { pattern: /\bsessions?\b|\bsub-?agents?\b/, what: "a word about how the work was organised" },
];

function wordProblems() {
  const problems = [];
  for (const path of files) {
    const text = readFileSync(join(root, path));
    if (text.includes(0)) continue;
    text
      .toString("utf8")
      .split("\n")
      .forEach((line, index) => {
        for (const { pattern, what } of forbidden) {
          const match = pattern.exec(line);
          if (match) problems.push(`${path}:${index + 1}:${match.index + 1} ${what}: "${match[0]}"`);
        }
      });
  }
  return problems;
}

function dependencies() {
  const sources = files.filter((path) => /^(src|demo)\/.*\.(ts|mts|js)$/.test(path));
  const resolveImport = (from, specifier) =>
    relative(root, resolve(root, dirname(from), specifier))
      .split(sep)
      .join("/");
  return { problems: dependencyProblems(sources, read, resolveImport), note: `${sources.length} files` };
}

/** One line per finding; the formatter's differences are for `npm run format`. */
async function lintProblems() {
  const args = ["check", "--reporter=github", "--max-diagnostics=none", "."];
  const output = (await program("@biomejs/biome/bin/biome", args)).join("\n");
  const findings = [...output.matchAll(/^::error title=(\S+?),file=([^,]+),line=(\d+).*?,col=(\d+).*?::(.*)$/gm)];
  if (output !== "" && findings.length === 0) return [output];
  return findings.map(
    ([, rule, path, line, column, message]) => `${relative(root, path)}:${line}:${column} ${rule} ${message}`,
  );
}

const steps = [
  ["types", () => program("typescript/bin/tsc", ["-p", ".", "--noEmit", "--pretty", "false"])],
  ["lint and format", lintProblems],
  ["dependency directions", dependencies],
  ["shaders compile alone", shaderProblems],
  ["forbidden words", wordProblems],
];

const failed = [];
for (const [name, step] of steps) {
  const start = performance.now();
  let problems;
  let note = "";
  try {
    const result = await step();
    problems = Array.isArray(result) ? result : result.problems;
    note = Array.isArray(result) ? "" : `, ${result.note}`;
  } catch (error) {
    problems = [String(error.stack ?? error)];
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${problems.length === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s${note})`);
  for (const problem of problems) console.log(problem.replace(/^/gm, "       "));
  if (problems.length > 0) failed.push(name);
}
console.log(failed.length === 0 ? "check passed" : `check failed: ${failed.join(", ")}`);
// Dawn's device would keep the process alive.
process.exit(failed.length === 0 ? 0 : 1);
