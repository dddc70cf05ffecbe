import { parseArgs } from "node:util";
import { coldStart, workloads } from "./workloads.ts";

export interface Options {
  readonly only: readonly string[];
  readonly peers: readonly string[] | null;
  readonly json: boolean;
  readonly markdown: boolean;
  readonly quick: boolean;
  readonly patient: boolean;
  readonly rounds: number | null;
  readonly weights: string | null;
}

export const usage = `npm run bench -- [command] [options]

  (none)      this engine and its peers side by side, in Node
  WORD        the same for the workloads whose names begin so, such as augment
  browser     the same in headless Chromium, with ONNX Runtime Web's WebGPU
  kernels     every ladder of kernels on the shapes of MobileNetV2
  reference   this machine's GPU against float64 results kept in bench/reference

  --only NAME     one workload, or several with commas between them
  --peers NAMES   only these peers, with commas between them
  --rounds N      rounds of each workload; default 15, or 3 with --quick
  --quick         few rounds, no search for the peers' best settings
  --patient       also what takes longer than ten minutes to compile on a software adapter (gradients of jax-js)
  --weights PATH  weights of MobileNetV2 1.0 with 1,000 classes (.h5, .keras, .safetensors); default seeded random ones
  --json          JSON on stdout
  --markdown      tables in Markdown, for the documentation

Workloads: ${[...workloads.map(({ name }) => name), coldStart].join(", ")}.
`;

const list = (value: string | undefined): string[] | null => value?.split(",").filter(Boolean) ?? null;

/** The workloads whose names begin so; a word that begins none stays, to be refused with the list of names. */
function namesFrom(word: string): string[] {
  const found = workloads.map(({ name }) => name).filter((name) => name.startsWith(word));
  return found.length > 0 ? found : [word];
}

/** @throws Error with one line where a name or a number is not known. */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      only: { type: "string" },
      peers: { type: "string" },
      rounds: { type: "string" },
      weights: { type: "string" },
      json: { type: "boolean", default: false },
      markdown: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      patient: { type: "boolean", default: false },
    },
  });
  const rounds = values.rounds === undefined ? null : Number(values.rounds);
  if (rounds !== null && !(Number.isInteger(rounds) && rounds >= 1))
    throw new Error(`--rounds expects a whole number of at least 1, found ${values.rounds}`);
  return {
    only: [...(list(values.only) ?? []), ...positionals.flatMap(namesFrom)],
    peers: list(values.peers),
    json: values.json,
    markdown: values.markdown,
    quick: values.quick,
    patient: values.patient,
    rounds,
    weights: values.weights ?? null,
  };
}

/** @throws Error naming the first name that is not among the known ones. */
export function checkNames(option: string, names: readonly string[], known: readonly string[]): void {
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`${option} expects ${known.join(", ")}; found ${unknown}`);
}
