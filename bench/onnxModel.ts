/**
 * Writes MobileNetV2 as an ONNX file: the few messages of onnx.proto (IR version 8, operators of version 13) that a
 * feed-forward network needs, in the wire format of protocol buffers. Images and kernels have their channels first.
 */
import { kernelChannelsFirst } from "./channelsFirst.ts";
import { folded, head, mobileNetV2Blocks, padding, type WeightMap, type Weights } from "./network.ts";

type Bytes = Uint8Array;
const encoder = new TextEncoder();

function join(parts: readonly Bytes[]): Bytes {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Whole numbers, seven bits a byte from the lowest on; the top bit says that more follow. */
function varint(value: number): Bytes {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Uint8Array.from([...bytes, rest]);
}

const whole = (field: number, value: number): Bytes => join([varint(field * 8), varint(value)]);
const bytes = (field: number, value: Bytes): Bytes => join([varint(field * 8 + 2), varint(value.length), value]);
const text = (field: number, value: string): Bytes => bytes(field, encoder.encode(value));
const message = (field: number, ...parts: Bytes[]): Bytes => bytes(field, join(parts));

/** TensorProto: dims 1, data_type 2 (1 is float), name 8, raw_data 9. */
const tensor = (name: string, { shape, data }: Weights): Bytes =>
  join([
    ...shape.map((extent) => whole(1, extent)),
    whole(2, 1),
    text(8, name),
    bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  ]);

/** AttributeProto: name 1, i 3, ints 8, type 20 (2 for a whole number, 7 for a list of them). */
const attribute = (name: string, value: number | readonly number[]): Bytes =>
  typeof value === "number"
    ? message(5, text(1, name), whole(3, value), whole(20, 2))
    : message(5, text(1, name), ...value.map((each) => whole(8, each)), whole(20, 7));

/** NodeProto: input 1, output 2, name 3, op_type 4, attribute 5. */
const node = (
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: Record<string, number | readonly number[]> = {},
): Bytes =>
  join([
    ...inputs.map((input) => text(1, input)),
    text(2, output),
    text(3, output),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
  ]);

/** ValueInfoProto of a float tensor: name 1, type 2 (tensor_type 1: elem_type 1, shape 2: dim 1: dim_value 1). */
const value = (name: string, shape: readonly number[]): Bytes =>
  join([
    text(1, name),
    message(2, message(1, whole(1, 1), message(2, ...shape.map((extent) => message(1, whole(1, extent)))))),
  ]);

/** The file for images [batch, 3, size, size] as input `x`; the logits are output `y`. */
export function onnxModel(weights: WeightMap, batch: number, size: number): Bytes {
  const nodes: Bytes[] = [];
  const initialisers: Bytes[] = [
    tensor("zero", { shape: [], data: Float32Array.of(0) }),
    tensor("six", { shape: [], data: Float32Array.of(6) }),
  ];
  let x = "x";
  let extent = size;
  for (const { layers, residual } of mobileNetV2Blocks()) {
    const start = x;
    for (const { name, kind, stride, relu6 } of layers) {
      const { kernel, bias } = folded(weights, name);
      const turned = kernelChannelsFirst(kernel);
      initialisers.push(tensor(`${name}/kernel`, turned), tensor(`${name}/bias`, bias));
      const [before, after] = padding(extent, turned.shape[2], stride);
      nodes.push(
        node("Conv", [x, `${name}/kernel`, `${name}/bias`], name, {
          kernel_shape: turned.shape.slice(2),
          strides: [stride, stride],
          pads: [before, before, after, after],
          group: kind === "depthwise" ? turned.shape[0] : 1,
        }),
      );
      extent = Math.ceil(extent / stride);
      x = name;
      if (!relu6) continue;
      x = `${name}_relu6`;
      nodes.push(node("Clip", [name, "zero", "six"], x));
    }
    if (!residual) continue;
    nodes.push(node("Add", [start, x], `${x}_add`));
    x = `${x}_add`;
  }
  const kernel = weights.get(`${head}/kernel`)!;
  initialisers.push(tensor("head/kernel", kernel), tensor("head/bias", weights.get(`${head}/bias`)!));
  nodes.push(node("GlobalAveragePool", [x], "pooled"), node("Flatten", ["pooled"], "flat", { axis: 1 }));
  nodes.push(node("Gemm", ["flat", "head/kernel", "head/bias"], "y"));
  const graph = [
    ...nodes.map((each) => bytes(1, each)),
    text(2, "mobilenetV2"),
    ...initialisers.map((each) => bytes(5, each)),
    bytes(11, value("x", [batch, 3, size, size])),
    bytes(12, value("y", [batch, kernel.shape[1]])),
  ];
  // ModelProto: ir_version 1, opset_import 8 (version 2), graph 7.
  return join([whole(1, 8), message(8, whole(2, 13)), bytes(7, join(graph))]);
}
