import type { Graph } from "../graph.ts";
import { foldChannelAffine } from "./foldChannelAffine.ts";
import { fuseEpilogues } from "./fuseEpilogues.ts";
import { lower } from "./lower.ts";
import { shareCommon } from "./shareCommon.ts";
import { validate } from "./validate.ts";

const passes: readonly (readonly [string, (graph: Graph) => Graph])[] = [
  ["lowering", lower],
  ["folding", foldChannelAffine],
  ["sharing", shareCommon],
  ["fusion", fuseEpilogues],
];

/** What a graph goes through before it is planned; its rules are checked after each pass. `optimise: false` only lowers it. */
export function runPasses(graph: Graph, { optimise }: { optimise: boolean }): Graph {
  let current = validate(graph, "building");
  for (const [name, pass] of passes) if (optimise || pass === lower) current = validate(pass(current), name);
  return current;
}
