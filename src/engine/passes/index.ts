import type { Graph } from "../graph.ts";
import { foldChannelAffine } from "./foldChannelAffine.ts";
import { fuseEpilogues } from "./fuseEpilogues.ts";
import { keepMasks } from "./keepMasks.ts";
import { lower } from "./lower.ts";
import { shareCommon } from "./shareCommon.ts";
import { validate } from "./validate.ts";

export interface PassOptions {
  /** All but the lowering. */
  readonly optimise: boolean;
  /** Keep one bit of a clipped activation instead of its value where that saves memory or time. Default true. */
  readonly bitMasks?: boolean;
  /** Sees the graph as it was built and after each pass, for those who explain the compiler. */
  readonly onPass?: (name: string, graph: Graph) => void;
}

type Pass = readonly [name: string, pass: (graph: Graph) => Graph, isWanted: (options: PassOptions) => boolean];

const passes: readonly Pass[] = [
  ["lowering", lower, () => true],
  ["folding", foldChannelAffine, ({ optimise }) => optimise],
  ["sharing", shareCommon, ({ optimise }) => optimise],
  ["fusion", fuseEpilogues, ({ optimise }) => optimise],
  ["masking", keepMasks, ({ optimise, bitMasks = true }) => optimise && bitMasks],
];

/** What a graph goes through before it is planned; its rules are checked after each pass. `optimise: false` only lowers it. */
export function runPasses(graph: Graph, options: PassOptions): Graph {
  let current = validate(graph, "building");
  options.onPass?.("building", current);
  for (const [name, pass, isWanted] of passes) {
    if (!isWanted(options)) continue;
    current = validate(pass(current), name);
    options.onPass?.(name, current);
  }
  return current;
}
