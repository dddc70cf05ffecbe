/** A shader's header comment taken apart: what the book and `tepal kernels NAME --explain` both say of it. */
import type { Shader } from "../../engine/op.ts";
import { entryPointsOf, headerOf } from "../../engine/shaderSource.ts";

export interface Anatomy {
  readonly name: string;
  /** The lines that state what is computed, aligned as in the source. */
  readonly formula: readonly string[];
  /** How tensors lie in memory and who reads which neighbour; at its end the buffers that the shader declares. */
  readonly layout: readonly string[];
  /** What one invocation, lane or workgroup does. */
  readonly threads: readonly string[];
  /** FLOPs, bytes and loads. */
  readonly cost: readonly string[];
  /** What the author measured against the rung below. */
  readonly gain: readonly string[];
  readonly notes: readonly string[];
  readonly entryPoints: readonly string[];
  readonly overrides: readonly Override[];
}

export interface Override {
  readonly name: string;
  readonly type: string;
  /** As written; null where the pipeline must give one. */
  readonly fallback: string | null;
  readonly meaning: string;
}

const isIndented = (line: string): boolean => /^ {2,}\S/.test(line);
const isEpilogue = (line: string): boolean => line.startsWith("Epilogue");
const isFormula = (line: string): boolean => isIndented(line) || isEpilogue(line) || /\w\[[^\]]*\] = \S/.test(line);

/** The kinds of sentences, the first that fits counts. */
const kinds: readonly (readonly [kind: "gain" | "cost" | "layout" | "threads", pattern: RegExp])[] = [
  ["gain", /^(Against|Gain:) |times faster/],
  ["cost", /^(Bytes|FLOPs|Loads)\b/],
  ["layout", /^Layout|row-major|\bseen as\b|Neighbour|\bNHWC\b|end are read|not written|Outside the image/],
  ["threads", /invocation|\blanes?\b|[Ww]orkgroup|subgroup|\btile\b|band\b/],
];

/** Sentences of the lines that are no formula. A formula ends the sentence before it. */
function sentencesOf(header: readonly string[]): string[] {
  const paragraphs = header.map((line) => (isIndented(line) || isEpilogue(line) ? "\n" : `${line} `)).join("");
  return paragraphs
    .split(/\n+|(?<=[.;:])\s+(?=[A-Z]|[a-z]+[A-Z]\w*: )/)
    .map((sentence) => sentence.trim())
    .filter(Boolean);
}

const overridesOf = (code: string): Override[] =>
  [...code.matchAll(/^override\s+(\w+)\s*:\s*(\w+)\s*(?:=\s*([^;]+))?;[ \t]*(?:\/\/[ \t]*(.*))?$/gm)].map(
    ([, name, type, fallback, meaning]) => ({ name, type, fallback: fallback?.trim() ?? null, meaning: meaning ?? "" }),
  );

/** `warp   …; one invocation per pixel` among the formulas says what an invocation does too. */
const threadsOfFormula = (line: string, entryPoints: readonly string[]): string[] => {
  const [, entryPoint, work] = /^\s+(\w+):?\s.*\b(one (?:invocation|workgroup) [^;]*)/i.exec(line) ?? [];
  return work === undefined || !entryPoints.includes(entryPoint)
    ? []
    : [`${entryPoint}: ${work.replace(/\.?\s*$/, ".")}`];
};

/** The buffers in the order of their bindings, each once: a binding may be declared anew as vectors for another entry point. */
function buffersOf(code: string): string[] {
  const declared = code.matchAll(
    /@binding\((\d+)\)\s+var(?:<([^>]*)>)?\s+(\w+)\s*:\s*([^;]+);[ \t]*(?:\/\/[ \t]*(.*))?/g,
  );
  const buffers = new Map<string, string>();
  for (const [, binding, space = "", name, type, meaning] of declared) {
    const access = space.includes("read_write") ? ", written" : space === "uniform" ? ", uniform" : "";
    const text = `${name} ${type}${access}${meaning ? ` (${meaning})` : ""}`;
    buffers.set(binding, [buffers.get(binding), text].filter(Boolean).join(" or "));
  }
  return buffers.size === 0 ? [] : [`Buffers: ${[...buffers.values()].join("; ")}.`];
}

export function anatomyOf({ name, code }: Shader): Anatomy {
  const header = headerOf(code);
  const sorted = {
    gain: [] as string[],
    cost: [] as string[],
    layout: [] as string[],
    threads: [] as string[],
    notes: [] as string[],
  };
  for (const sentence of sentencesOf(header))
    sorted[kinds.find(([, pattern]) => pattern.test(sentence))?.[0] ?? "notes"].push(sentence.replace(/^Gain: /, ""));
  const formula = header.filter(isFormula);
  const entryPoints = entryPointsOf(code);
  return {
    name,
    formula,
    ...sorted,
    layout: [...sorted.layout, ...buffersOf(code)],
    threads: [...sorted.threads, ...formula.flatMap((line) => threadsOfFormula(line, entryPoints))],
    entryPoints,
    overrides: overridesOf(code),
  };
}

/** Invocations of a workgroup along x, y and z once the overrides have their values. */
export function workgroupOf(
  code: string,
  entryPoint: string,
  overrides: Readonly<Record<string, number>>,
): [number, number, number] {
  const sizes = new RegExp(`@workgroup_size\\(([^)]*)\\)\\s*fn\\s+${entryPoint}\\b`).exec(code)?.[1].split(",") ?? [];
  const numberOf = (word: string): number => {
    const fallback = new RegExp(`(?:override|const)\\s+${word}\\b[^=;]*=\\s*([^;]+);`).exec(code)?.[1];
    return overrides[word] ?? Number.parseInt(fallback ?? word, 10);
  };
  const [x = 1, y = 1, z = 1] = sizes.map((size) => numberOf(size.trim()));
  return [x, y, z];
}
