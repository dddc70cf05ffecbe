import { GraphError } from "./errors.ts";
import { describe, type Graph, type Node, nodesOf, type Tensor } from "./graph.ts";
import type { EpilogueStage, Reference, ReferenceTensor } from "./op.ts";
import { applyMaskReference, packMaskReference } from "./ops/bitMasks.ts";
import { relu6Reference, reluReference } from "./ops/unary.ts";
import { formatShape, type Shape, sizeOf, typeAtBatch } from "./types.ts";

/** Numbers for inputs and parameters by name; any array of the right length. */
export type Feeds = Readonly<Record<string, ArrayLike<number>>>;

export interface ReferenceOptions {
  readonly batch?: number;
  /** The float64 loops by op name: `references` of `ops/registry.ts`. */
  readonly references: ReadonlyMap<string, Reference>;
  /** Called with the result of each node; may return values to use instead (a twin that is given another run's masks). */
  readonly observe?: (node: Node, results: readonly Float64Array[]) => readonly Float64Array[] | undefined;
}

export interface ReferenceResult {
  readonly outputs: Record<string, Float64Array>;
  /** What each update node left in the parameters that it changes. */
  readonly parameters: Record<string, Float64Array>;
}

/** Runs a graph in float64 on the CPU: the oracle of every test, and the device of machines without one. */
export function runReference(graph: Graph, feeds: Feeds, options: ReferenceOptions): ReferenceResult {
  const batch = options.batch ?? 1;
  const values = new Map<Tensor, ReferenceTensor>();
  const parameters: Record<string, Float64Array> = {};
  const remaining = countUses(graph);
  for (const node of nodesOf(graph)) {
    const results = evaluate(node, values, feeds, batch, options);
    if (node.op.traits.updates)
      node.op.traits.updates.forEach((input, index) => {
        parameters[node.inputs[input].node.attributes.name] = results[index];
      });
    else
      node.outputs.forEach((output, index) => {
        const type = typeAtBatch(output.type, batch);
        if (results[index].length !== sizeOf(type.shape))
          throw new GraphError(
            `the reference of ${describe(node)} gave ${results[index].length} values, its type needs ${formatShape(type.shape)}`,
          );
        values.set(output, { ...type, data: results[index] });
      });
    for (const input of node.inputs) if (release(remaining, input)) values.delete(input);
  }
  const outputs: Record<string, Float64Array> = {};
  for (const [name, tensor] of Object.entries(graph.outputs))
    outputs[name] = (values.get(tensor) as ReferenceTensor).data;
  return { outputs, parameters };
}

function evaluate(
  node: Node,
  values: ReadonlyMap<Tensor, ReferenceTensor>,
  feeds: Feeds,
  batch: number,
  { references, observe }: ReferenceOptions,
): readonly Float64Array[] {
  const { op, attributes } = node;
  if (op.traits.source === "constant") return [Float64Array.from(attributes.data)];
  if (op.traits.source) {
    const shape = typeAtBatch(node.outputs[0].type, batch).shape;
    return [feed(feeds, attributes.name, shape)];
  }
  const reference = references.get(op.name);
  if (!reference) throw new GraphError(`${op.name} has no float64 reference; add it to ops/registry.ts`);
  const inputs = node.inputs.map((input) => values.get(input) as ReferenceTensor);
  const outputs = node.outputs.map((output) => typeAtBatch(output.type, batch));
  const plain = reference(inputs.slice(0, op.arity), { attributes, outputs });
  const results = attributes.epilogue
    ? [applyEpilogue(plain[0], node, inputs.slice(op.arity), outputs[0].shape)]
    : [...plain];
  if (attributes.writesMask) {
    const { rows, below } = attributes.writesMask;
    results.push(
      packMaskReference(
        results[0],
        outputs[0].shape[outputs[0].shape.length - 1],
        sizeOf(outputs[1].shape),
        rows,
        below,
      ),
    );
  }
  return observe?.(node, results) ?? results;
}

function feed(feeds: Feeds, name: string, shape: Shape): Float64Array {
  const data = feeds[name];
  if (!data) throw new GraphError(`no value was given for "${name}", expected ${formatShape(shape)}`);
  if (data.length !== sizeOf(shape))
    throw new GraphError(`"${name}" needs ${sizeOf(shape)} values for ${formatShape(shape)}, found ${data.length}`);
  return Float64Array.from(data);
}

/** The stages that a fused kernel applies before it writes, in float64. */
function applyEpilogue(
  data: Float64Array,
  { attributes }: Node,
  operands: readonly ReferenceTensor[],
  shape: Shape,
): Float64Array {
  const stages: readonly EpilogueStage[] = attributes.epilogue;
  const rest = [...operands];
  const context = { attributes: {}, outputs: [] };
  const clip = (reference: Reference, values: Float64Array): Float64Array =>
    reference([{ shape: [values.length], dtype: "f32", data: values }], context)[0];
  return stages.reduce((values, stage) => {
    switch (stage) {
      case "bias": {
        const bias = (rest.shift() as ReferenceTensor).data;
        return values.map((value, index) => value + bias[index % bias.length]);
      }
      case "relu":
        return clip(reluReference, values);
      case "relu6":
        return clip(relu6Reference, values);
      case "add": {
        const other = (rest.shift() as ReferenceTensor).data;
        return values.map((value, index) => value + other[index]);
      }
      case "mask": {
        const mask = rest.shift() as ReferenceTensor;
        return applyMaskReference([{ shape, dtype: "f32", data: values }, mask], { attributes, outputs: [] })[0];
      }
      default:
        return stage satisfies never;
    }
  }, data);
}

function countUses(graph: Graph): Map<Tensor, number> {
  const uses = new Map<Tensor, number>();
  const use = (tensor: Tensor): unknown => uses.set(tensor, (uses.get(tensor) ?? 0) + 1);
  for (const node of nodesOf(graph)) node.inputs.forEach(use);
  Object.values(graph.outputs).forEach(use);
  return uses;
}

function release(remaining: Map<Tensor, number>, tensor: Tensor): boolean {
  const left = (remaining.get(tensor) ?? 1) - 1;
  remaining.set(tensor, left);
  return left === 0;
}
