import { makeNode, type Tensor } from "../../src/engine/graph.ts";
import type { AdapterTraits, KernelCall, Op, OpEntry, Shader } from "../../src/engine/op.ts";
import { add, multiply } from "../../src/engine/ops/binary.ts";
import { input } from "../../src/engine/ops/sources.ts";
import { relu, scale } from "../../src/engine/ops/unary.ts";
import { sameShape } from "../../src/engine/types.ts";

/** An op of the registry with one fault planted. */
export interface Mutant {
  readonly name: string;
  readonly kind: "kernel" | "gradient";
  readonly entry: OpEntry;
}

interface Site {
  readonly from: number;
  readonly to: number;
  readonly text: string;
  readonly what: string;
}

/** One textual fault each: the pattern, and what stands in its place. */
const rewrites: readonly (readonly [RegExp, string])[] = [
  [/ \+ /g, " - "],
  [/ - /g, " + "],
  [/ \* /g, " + "],
  [/ \/ /g, " * "],
  [/ % /g, " / "],
  [/ < /g, " <= "],
  [/ > (?!0u;)/g, " >= "], // "> 0u" ends the halving of a tree; with ">=" it would never end
  [/ <= /g, " < "],
  [/ >= /g, " > "],
  [/ == /g, " != "],
  [/ && /g, " || "],
  [/ \|\| /g, " && "],
  [/ \+= /g, " -= "],
  [/ = (?=\w+\[)/g, " = 0.5 * "],
  [/\bmin\(/g, "max("],
  [/\bmax\(/g, "min("],
  [/\.x\b/g, ".y"],
  [/\.y\b/g, ".x"],
  [/\b0u\b/g, "1u"],
  [/\b1u\b/g, "2u"],
  [/\b2u\b/g, "3u"],
  [/\b4u\b/g, "3u"],
  [/\b0\.0\b/g, "0.5"],
  [/\b1\.0\b/g, "1.01"],
  [/\b6\.0\b/g, "5.5"],
  [/(?<=\w)\](?! =)/g, " + 1u]"],
  [/if \([^{}]*\) \{ (?:return|continue); \}/g, ""],
];

/**
 * Where the flat number of an invocation is folded into a second row of workgroups the added term is zero below 4 million
 * elements: a test of its own covers it at that size, and no small case could.
 */
const isFolding = (line: string): boolean => /groups\.x|num_workgroups/.test(line);

/** The functions that an entry point reaches, as ranges of the text. */
function reachable(code: string, entryPoint: string): { from: number; to: number }[] {
  const functions = new Map<string, { from: number; to: number }>();
  for (const match of code.matchAll(/fn (\w+)\(/g)) {
    let depth = 0;
    let at = code.indexOf("{", match.index);
    const from = at;
    do {
      if (code[at] === "{") depth++;
      if (code[at] === "}") depth--;
      at++;
    } while (depth > 0);
    functions.set(match[1], { from, to: at });
  }
  const found = new Set<string>();
  const visit = (name: string): void => {
    const range = functions.get(name);
    if (!range || found.has(name)) return;
    found.add(name);
    for (const call of code.slice(range.from, range.to).matchAll(/\b(\w+)\(/g)) visit(call[1]);
  };
  visit(entryPoint);
  return [...found].map((name) => functions.get(name) as { from: number; to: number });
}

function sitesOf(code: string, entryPoint: string): Site[] {
  const sites: Site[] = [];
  for (const range of reachable(code, entryPoint))
    for (const [pattern, replacement] of rewrites)
      for (const match of code.slice(range.from, range.to).matchAll(pattern)) {
        const from = range.from + match.index;
        const start = code.lastIndexOf("\n", from) + 1;
        const line = code.slice(start, code.indexOf("\n", from));
        const comment = line.indexOf("//");
        if (isFolding(line) || (comment >= 0 && comment < from - start)) continue;
        const number = code.slice(0, from).split("\n").length;
        const what = `${number}:${from - start + 1} "${match[0].trim()}" → "${replacement.trim()}" in ${line.trim()}`;
        sites.push({ from, to: from + match[0].length, text: replacement, what });
      }
  return sites;
}

/** Every mutant of every kernel that the cases of an op select. */
export function kernelMutants(entry: OpEntry, adapter: AdapterTraits): Mutant[] {
  const { op } = entry;
  if (!op.kernel) return [];
  const mutants: Mutant[] = [];
  const seen = new Set<string>();
  for (const { inputs, attributes = {} } of entry.cases) {
    const types = inputs.map(({ shape, dtype = "f32" }) => ({ shape, dtype }));
    const call = op.kernel({ inputs: types, outputs: op.infer(types, attributes), attributes, adapter });
    const target = `${call.shader.name}.${call.entryPoint}`;
    if (seen.has(target)) continue;
    seen.add(target);
    for (const site of sitesOf(call.shader.code, call.entryPoint)) {
      const code = call.shader.code.slice(0, site.from) + site.text + call.shader.code.slice(site.to);
      const name = `${op.name}: ${call.shader.name}.wgsl:${site.what}`;
      const shader = { name: `mutant ${target} ${site.from} ${site.text}`, code };
      mutants.push({ name, kind: "kernel", entry: { ...entry, op: withShader(op, call, shader) } });
    }
  }
  return mutants;
}

const withShader = (op: Op, target: KernelCall, shader: Shader): Op => ({
  ...op,
  kernel: (context) => {
    const call = (op.kernel as NonNullable<Op["kernel"]>)(context);
    const isTarget = call.shader.name === target.shader.name && call.entryPoint === target.entryPoint;
    return isTarget ? { ...call, shader } : call;
  },
});

type Results = readonly (Tensor | null)[];
type Fault = (results: Results, upstream: Results, inputs: readonly Tensor[]) => Results | undefined;

const replaceAt = (results: Results, index: number, value: Tensor | null): Results =>
  results.map((result, at) => (at === index ? value : result));

/** Faults of the gradient of one input: undefined where the fault would change nothing or cannot be written. */
const gradientFaults: readonly (readonly [string, (index: number) => Fault])[] = [
  ["1 % too large", (index) => (results) => replaceAt(results, index, scale(results[index] as Tensor, 1.01))],
  ["of the wrong sign", (index) => (results) => replaceAt(results, index, scale(results[index] as Tensor, -1))],
  ["left out", (index) => (results) => replaceAt(results, index, null)],
  ["off by a constant", (index) => (results) => replaceAt(results, index, scale(results[index] as Tensor, 1, 0.1))],
  ["cut at zero", (index) => (results) => replaceAt(results, index, relu(results[index] as Tensor))],
  [
    "squared upstream",
    (index) =>
      (results, [dy]) => {
        const result = results[index] as Tensor;
        return dy && sameShape(dy.shape, result.shape) ? replaceAt(results, index, multiply(result, dy)) : undefined;
      },
  ],
  [
    "upstream as it is",
    (index) =>
      (results, [dy]) => {
        const result = results[index] as Tensor;
        return dy && dy !== result && sameShape(dy.shape, result.shape) ? replaceAt(results, index, dy) : undefined;
      },
  ],
  [
    "upstream added",
    (index) =>
      (results, [dy]) => {
        const result = results[index] as Tensor;
        return dy && sameShape(dy.shape, result.shape) ? replaceAt(results, index, add(result, dy)) : undefined;
      },
  ],
  [
    "that of another input",
    (index) => (results) => {
      const result = results[index] as Tensor;
      const other = results.find(
        (value, at) => at !== index && value && value !== result && sameShape(value.shape, result.shape),
      );
      return other ? replaceAt(results, index, other) : undefined;
    },
  ],
  [
    "with operands swapped",
    (index) => (results, _, inputs) =>
      inputs.length > 1 ? replaceAt(results, index, results[(index + 1) % inputs.length] ?? null) : undefined,
  ],
];

/** Every faulty gradient rule of an op, where the shapes of its first case admit the fault and the cases check that input. */
export function gradientMutants(entry: OpEntry): Mutant[] {
  const { op, cases } = entry;
  if (!op.gradient || cases.length === 0) return [];
  const rule = op.gradient;
  const node = makeNode(
    op,
    cases[0].inputs.map(({ shape, dtype }, index) => input(`x${index}`, shape, dtype)),
    cases[0].attributes,
  );
  const upstream = node.outputs.map(({ shape, dtype }, index) => input(`c${index}`, shape, dtype));
  const results = rule({ inputs: node.inputs, outputs: node.outputs, attributes: node.attributes, upstream });
  return results.flatMap((result, index) => {
    const isChecked = cases.some(({ differentiate }) => !differentiate || differentiate.includes(index));
    if (!result || !isChecked) return [];
    return gradientFaults
      .filter(([, fault]) => fault(index)(results, upstream, node.inputs))
      .map(([what, fault]): Mutant => {
        const gradient: Op["gradient"] = (context) => {
          const right = rule(context);
          return right[index] ? (fault(index)(right, context.upstream, context.inputs) ?? right) : right;
        };
        return {
          name: `${op.name}: the gradient of input ${index} ${what}`,
          kind: "gradient",
          entry: { ...entry, op: { ...op, gradient } },
        };
      });
  });
}
