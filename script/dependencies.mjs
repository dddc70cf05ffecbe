// The rules about who may import whom. See "Layout" in CONTRIBUTING.md.
import ts from "typescript";

/** What a file of each area may import besides its own area. */
const mayImport = {
  shaders: [],
  engine: ["shaders"],
  nn: ["engine"],
  xai: ["engine"],
  data: ["engine"],
  report: ["engine", "nn", "xai", "data"],
  docs: [],
  cli: ["engine", "nn", "xai", "data", "report", "docs"],
  interop: ["shaders", "engine", "xai", "data"],
  embed: ["engine", "nn", "xai", "data", "interop"],
  demo: ["engine", "nn", "xai", "data", "interop", "embed", "index"],
  types: ["engine", "nn", "xai", "data", "interop", "embed"],
  index: ["engine", "nn", "xai", "data", "interop", "embed", "types"],
  node: ["engine", "nn", "xai", "data", "interop", "embed", "index"],
};

/** Files that may use node:* and npm packages. */
const isNodeFile = (path) =>
  path === "src/node.ts" ||
  /^src\/(cli|report)\//.test(path) ||
  /^src\/(data|engine|nn\/formats)\/.*\.node\.ts$/.test(path);

/** Files that may name the types of WebGPU; all others speak of graphs, plans and tensors. */
const mayNameGpuTypes = (path) =>
  /^src\/engine\/(plan\/|device|parameters|execute|readback|profile|pipeline|\w+\.node\.ts$)/.test(path) ||
  /^(demo|src\/interop)\//.test(path);

/** What the build puts into the bundle of the browser too, so that nobody installs it: small, pure, and named here one by one. */
const bundled = { "src/data/augment/affine.ts": ["gl-matrix/esm/mat3.js"] };

function areaOf(path) {
  const match = /^(?:src\/)?(\w+)(?:\/|\.ts$)/.exec(path);
  return match && Object.hasOwn(mayImport, match[1]) ? match[1] : undefined;
}

function position(text, offset) {
  const before = text.slice(0, offset).split("\n");
  return `${before.length}:${before.at(-1).length + 1}`;
}

function importProblem(path, specifier, target) {
  if (!specifier.startsWith(".")) {
    return isNodeFile(path) || bundled[path]?.includes(specifier)
      ? undefined
      : `imports "${specifier}"; only *.node.ts, src/node.ts, cli and report may`;
  }
  const from = areaOf(path);
  const to = areaOf(target.replace(/\?raw$/, ""));
  if (!to) return from === "demo" ? undefined : `imports "${specifier}", which is outside the layout`;
  if (from !== to && !mayImport[from].includes(to)) return `imports "${specifier}": ${from} must not depend on ${to}`;
  if (isNodeFile(target) && !isNodeFile(path)) return `imports "${specifier}", which only runs in Node`;
  return undefined;
}

function gpuTypeProblems(path, text) {
  if (mayNameGpuTypes(path)) return [];
  const problems = [];
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
  const visit = (node) => {
    if (ts.isTypeReferenceNode(node) && /^GPU[A-Z]?/.test(node.typeName.getText(source))) {
      const start = node.getStart(source);
      problems.push(`${path}:${position(text, start)} names ${node.typeName.getText(source)} outside the device layer`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return problems;
}

/**
 * Every broken rule as `path:line:column what`.
 * @param paths files of src/ and demo/, relative to the repository
 * @param read gives a file's text
 * @param resolveImport gives the path, relative to the repository, of a relative import
 */
export function dependencyProblems(paths, read, resolveImport) {
  const problems = [];
  for (const path of paths) {
    const text = read(path);
    if (path.startsWith("src/") && !path.endsWith(".d.ts") && !areaOf(path)) {
      problems.push(`${path}:1:1 lies outside the layout`);
      continue;
    }
    if (path.endsWith(".d.ts")) continue;
    for (const { fileName, pos } of ts.preProcessFile(text, true, true).importedFiles) {
      const target = fileName.startsWith(".") ? resolveImport(path, fileName) : fileName;
      const problem = importProblem(path, fileName, target);
      if (problem) problems.push(`${path}:${position(text, pos)} ${problem}`);
    }
    problems.push(...gpuTypeProblems(path, text));
  }
  return problems;
}
