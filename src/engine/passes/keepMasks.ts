import { apply, type Graph, Node, nodesOf, rewrite, type Tensor } from "../graph.ts";
import type { MaskSupport } from "../op.ts";
import { applyMaskOp, isMaskable, maskRowsOfPack, maskType, packMaskOp } from "../ops/bitMasks.ts";
import { fuse } from "./fuseEpilogues.ts";
import { countUses } from "./uses.ts";

/**
 * The gradient of a clipped activation asks one bit of each value: was it inside? Where the forward kernel can write those bits
 * beside its result, or where that lets the activation go before the backward, the mask is kept instead of the value; and the
 * kernel that produces the gradient applies it before it writes, so that it is no dispatch of its own.
 */
export function keepMasks(graph: Graph): Graph {
  const uses = countUses(graph);
  const masked = chooseMasks(graph, uses);
  const writers = new Map<Node, number>();
  for (const { inputs, op } of masked) {
    const { node } = inputs[0];
    if (canWrite(node)) writers.set(node, op.traits.mask?.below ?? 0);
  }
  const packed = new Map<Tensor, Tensor>();
  const maskOf = (y: Tensor, below: number): Tensor => {
    if (y.node.attributes.writesMask?.below === below) return y.node.outputs[1];
    const known = packed.get(y) ?? apply(packMaskOp, [y], { below });
    packed.set(y, known);
    return known;
  };
  return rewrite(graph, (node, inputs) => {
    const below = writers.get(node);
    if (below !== undefined) return writing(node, inputs, below).outputs;
    if (!masked.has(node)) return undefined;
    const [y, dy] = inputs;
    const mask = maskOf(y, node.op.traits.mask?.below ?? 0);
    const maskRows = mask.node.attributes.writesMask?.rows ?? maskRowsOfPack;
    const canFuse = uses.get(node.inputs[1]) === 1 && supportOf(dy.node) !== null;
    const fused = canFuse ? fuse(dy, "mask", mask, node, { maskRows }) : undefined;
    return (fused ?? apply(applyMaskOp, [dy, mask], { maskRows }, node.label).node).outputs;
  });
}

/** The masks that gain: the kernel of the gradient can apply them, or they cost nothing and let the activation go early. */
function chooseMasks(graph: Graph, uses: ReadonlyMap<Tensor, number>): Set<Node> {
  const order = nodesOf(graph);
  const position = new Map(order.map((node, index) => [node, index]));
  const lastRead = new Map<Tensor, number>(Object.values(graph.outputs).map((tensor) => [tensor, order.length]));
  for (const [index, { op, inputs }] of order.entries())
    inputs.forEach((input, at) => {
      if (!(op.traits.mask && at === 0)) lastRead.set(input, Math.max(lastRead.get(input) ?? 0, index));
    });
  const gains = ({ op, inputs: [y, dy] }: Node): boolean => {
    if (!op.traits.mask || !isMaskable(y.type)) return false;
    const isFusable = uses.get(dy) === 1 && supportOf(dy.node) !== null;
    return isFusable || (canWrite(y.node) && (lastRead.get(y) ?? 0) < (position.get(dy.node) as number));
  };
  return new Set(order.filter(gains));
}

function supportOf({ op, inputs, outputs, attributes }: Node): MaskSupport | null {
  const types = { inputs: inputs.map(({ type }) => type), outputs: outputs.map(({ type }) => type), attributes };
  return op.traits.masks?.(types) ?? null;
}

const canWrite = (node: Node): boolean => node.outputs.length === 1 && (supportOf(node)?.writesRows ?? 0) > 0;

/** The node again, with a mask of its result as second output. */
function writing(node: Node, inputs: readonly Tensor[], below: number): Node {
  const { type } = node.outputs[0];
  const rows = supportOf(node)?.writesRows as number;
  const attributes = { ...node.attributes, writesMask: { rows, below } };
  return new Node(node.op, inputs, attributes, [type, maskType(type, rows)], node.label);
}
