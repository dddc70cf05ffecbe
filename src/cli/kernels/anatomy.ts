/** A shader's header comment taken apart: what the book and `tepal kernels NAME --explain` both say of it. */
import type { Shader } from "../../engine/op.ts";
import { entryPointsOf, headerOf } from "../../engine/shaderSource.ts";

export interface Anatomy {
  readonly name: string;
  /** The lines that state what is computed, aligned as in the source. */
  readonly formula: readonly string[];
  /** How tensors lie in memory and who reads which neighbour. */
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
  ["gain", /^Against |times faster/],
  ["cost", /^(Bytes|FLOPs|Loads)\b/],
  ["layout", /^Layout|row-major|Neighbour|\bNHWC\b|end are read|not written|Outside the image/],
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
    sorted[kinds.find(([, pattern]) => pattern.test(sentence))?.[0] ?? "notes"].push(sentence);
  return {
    name,
    formula: header.filter(isFormula),
    ...sorted,
    entryPoints: entryPointsOf(code),
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
