import { GraphError } from "./errors.ts";
import type { Node } from "./graph.ts";
import type { Choice, KernelContext } from "./op.ts";
import { formatType } from "./types.ts";

/** Workgroups and tiles that were measured; `undefined` leaves the choice to the kernel. No choice changes a bit of any result. */
export interface Tuning {
  choose(node: Node, context: KernelContext): Choice | undefined;
  /** The table as plain data, to be kept beside results. */
  toJSON(): object;
}

/** A tuning table as plain data: what a checkpoint or a cache keeps. */
export interface TuningRecord {
  readonly version: 1;
  /** What the adapter that was measured calls itself. */
  readonly adapter: string;
  /** Of the entries: equal tables have equal hashes. */
  readonly hash: string;
  readonly entries: Readonly<Record<string, TuningEntry>>;
}

export interface TuningEntry {
  readonly choice: Choice;
  /** Hashes of the WGSL of the kernel's own choice and of this one when they were measured. */
  readonly source: string;
}

/** FNV-1a of the UTF-16 units, 32 bits in hexadecimal (Fowler, Noll and Vo; draft-eastlake-fnv): tells texts apart, protects nothing. */
export function textHash(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** What a measurement is kept under: op, types (of any batch) and attributes. */
export function tuningKey({ op, inputs, outputs, attributes }: Node): string {
  const types = (tensors: Node["inputs"]): string => tensors.map(({ type }) => formatType(type)).join(" ");
  return `${op.name} ${types(inputs)} → ${types(outputs)} ${JSON.stringify(attributes)}`;
}

/** The hashes of the WGSL that a node's kernel runs by itself and with the choice: it may be another kernel. */
function sourceHash({ op }: Node, context: KernelContext, choice: Choice): string {
  const hashOf = (given: Choice | undefined): string => {
    const code = op.kernel?.({ ...context, choice: given }).shader.code ?? "";
    const known = hashes.get(code) ?? textHash(code);
    hashes.set(code, known);
    return known;
  };
  return `${hashOf(undefined)} ${hashOf(choice)}`;
}
const hashes = new Map<string, string>();

const isSame = (a: Choice, b: Choice): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([name, value]) => b[name] === value);

/**
 * Choices by op and shape for one adapter. An entry counts only for the WGSL that it was measured with, and only while it is
 * still one of the op's candidates, so a table of another version, or a damaged one, is slow at worst.
 */
export class TuningTable implements Tuning {
  #entries: Map<string, TuningEntry>;

  constructor(
    readonly adapter: string,
    entries: Readonly<Record<string, TuningEntry>> = {},
  ) {
    this.#entries = new Map(Object.entries(entries));
  }

  /** Reads what `toJSON` gave; throws a GraphError for anything else. */
  static parse(record: unknown): TuningTable {
    const { version, adapter, entries } = (record ?? {}) as Partial<TuningRecord>;
    const isTable = version === 1 && typeof adapter === "string" && typeof entries === "object" && entries !== null;
    const isEntry = (entry: TuningEntry | null): boolean =>
      typeof entry?.source === "string" && typeof entry.choice === "object" && entry.choice !== null;
    if (!isTable || !Object.values(entries).every(isEntry))
      throw new GraphError("expected a tuning table of version 1, found other data; run tepal tune again");
    return new TuningTable(adapter, entries);
  }

  get size(): number {
    return this.#entries.size;
  }

  get hash(): string {
    return textHash(JSON.stringify(this.#sorted()));
  }

  /** The measured choice, or none. */
  choose(node: Node, context: KernelContext): Choice | undefined {
    if (!node.op.candidates || this.#entries.size === 0) return undefined;
    const entry = this.#entries.get(tuningKey(node));
    const choice = entry && node.op.candidates(context).find((candidate) => isSame(candidate, entry.choice));
    return choice && entry.source === sourceHash(node, context, choice) ? choice : undefined;
  }

  /** Keeps a choice, or with `undefined` the kernel's own. */
  set(node: Node, context: KernelContext, choice: Choice | undefined): void {
    if (choice) this.#entries.set(tuningKey(node), { choice, source: sourceHash(node, context, choice) });
    else this.#entries.delete(tuningKey(node));
  }

  toJSON(): TuningRecord {
    return { version: 1, adapter: this.adapter, hash: this.hash, entries: this.#sorted() };
  }

  #sorted(): Record<string, TuningEntry> {
    return Object.fromEntries([...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
