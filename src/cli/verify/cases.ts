import { FileError } from "../../engine/errors.ts";
import type { SafetensorsFile, StoredTensor } from "../../nn/formats/safetensors.ts";

/** One application of an op with its float64 results: what a reference file holds under `<op>/<description>/`. */
export interface ReferenceCase {
  /** `<op>/<description>`. */
  readonly name: string;
  readonly op: string;
  /** Shapes and settings in words, such as `2x17x13x3_32_k3_s2_same`; may be empty. */
  readonly description: string;
  readonly inputs: readonly StoredTensor[];
  readonly out: StoredTensor;
  /** The vector of the vector–Jacobian products, of the shape of `out`; absent when the case has no gradients. */
  readonly cotangent?: StoredTensor;
  /** By the number of the input. */
  readonly gradients: ReadonlyMap<number, StoredTensor>;
}

/** A case that cannot be run as it stands in the file, with the reason in one line. */
export interface BrokenCase {
  readonly name: string;
  readonly error: string;
}

const ROLE = /^(in|grad)(\d+)$|^(out|cotangent)$/;

const sameSizes = (a: StoredTensor, b: StoredTensor): boolean => a.shape.join() === b.shape.join();
const sizes = ({ shape }: StoredTensor): string => `[${shape.join(", ")}]`;

/** `in0`, `in1`, … without a gap. */
function inputsOf(tensors: ReadonlyMap<string, StoredTensor>): StoredTensor[] {
  const numbers = [...tensors.keys()].filter((role) => role.startsWith("in")).map((role) => Number(role.slice(2)));
  if (numbers.length === 0) throw new FileError("expected in0, in1, …, found no input; write the op's inputs");
  return numbers
    .sort((a, b) => a - b)
    .map((number, index) => {
      if (number !== index) throw new FileError(`expected in${index}, found in${number}; number the inputs from 0`);
      return tensors.get(`in${number}`)!;
    });
}

function gradientsOf(tensors: ReadonlyMap<string, StoredTensor>, inputs: readonly StoredTensor[]) {
  const gradients = new Map<number, StoredTensor>();
  for (const [role, tensor] of tensors) {
    if (!role.startsWith("grad")) continue;
    const number = Number(role.slice(4));
    const input = inputs[number];
    if (!input) throw new FileError(`expected ${role} beside an in${number}, found ${inputs.length} inputs`);
    if (!sameSizes(tensor, input))
      throw new FileError(`expected ${role} of the shape of in${number}, ${sizes(input)}, found ${sizes(tensor)}`);
    gradients.set(number, tensor);
  }
  return gradients;
}

function toCase(name: string, tensors: ReadonlyMap<string, StoredTensor>): ReferenceCase {
  const stray = [...tensors.keys()].find((role) => !ROLE.test(role));
  if (stray !== undefined) throw new FileError(`expected in0…, out, cotangent or grad0…, found ${stray}; rename it`);
  const inputs = inputsOf(tensors);
  const out = tensors.get("out");
  if (!out) throw new FileError("expected out, found none; write the op's output");
  const gradients = gradientsOf(tensors, inputs);
  const cotangent = tensors.get("cotangent");
  if (gradients.size > 0 && !cotangent) throw new FileError("expected a cotangent beside the gradients, found none");
  if (cotangent && gradients.size === 0) throw new FileError("expected grad0… beside the cotangent, found none");
  if (cotangent && !sameSizes(cotangent, out))
    throw new FileError(`expected a cotangent of the shape of out, ${sizes(out)}, found ${sizes(cotangent)}`);
  const [op, ...description] = name.split("/");
  return { name, op, description: description.join("/"), inputs, out, cotangent, gradients };
}

/**
 * The cases of a file laid out as `<op>/<description>/{in0…, out, cotangent, grad0…}`, in the file's order. Every tensor
 * belongs to one: what cannot be understood becomes a broken case.
 * @throws FileError when there is no case.
 */
export function readCases({ tensors }: SafetensorsFile): (ReferenceCase | BrokenCase)[] {
  const groups = new Map<string, Map<string, StoredTensor>>();
  for (const [path, tensor] of tensors) {
    const cut = Math.max(0, path.lastIndexOf("/"));
    const [name, role] = [path.slice(0, cut), path.slice(cut).replace("/", "")];
    const group = groups.get(name) ?? new Map<string, StoredTensor>();
    groups.set(name, group.set(role, tensor));
  }
  if (groups.size === 0)
    throw new FileError("expected cases named <op>/<description>/in0…, found no tensor; write the reference again");
  return [...groups].map(([name, group]) => {
    if (name === "") {
      const error = `expected names like <op>/<description>/out, found ${[...group.keys()].join(", ")}`;
      return { name: [...group.keys()][0], error };
    }
    try {
      return toCase(name, group);
    } catch (error) {
      if (error instanceof FileError) return { name, error: error.message };
      throw error;
    }
  });
}
