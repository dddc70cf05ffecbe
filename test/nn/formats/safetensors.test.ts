import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { FileError, ShapeError } from "../../../src/engine/errors.ts";
import {
  float16ToFloat32,
  float32ToFloat16,
  parseSafetensors,
  serializeSafetensors,
  type TensorToStore,
  toFloat32,
  toFloat64,
  toInt32,
} from "../../../src/nn/formats/safetensors.ts";
import { hasShared, shared } from "../../shared.ts";

/** A file with this header text, `dataBytes` bytes of data, and a length that can lie. */
function file(header: string, dataBytes = 0, announced?: bigint): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, announced ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const every: Record<string, TensorToStore> = {
  f64: { dtype: "F64", shape: [2], data: new Float64Array([Math.PI, -1e300]) },
  f32: { dtype: "F32", shape: [1, 3], data: new Float32Array([1.5, -0, 3e38]) },
  f16: { dtype: "F16", shape: [2], data: new Uint16Array([0x3c00, 0x7bff]) },
  bf16: { dtype: "BF16", shape: [1], data: new Uint16Array([0x3f80]) },
  i64: { dtype: "I64", shape: [1], data: new BigInt64Array([-5n]) },
  i32: { dtype: "I32", shape: [2], data: new Int32Array([-7, 2 ** 31 - 1]) },
  u32: { dtype: "U32", shape: [1], data: new Uint32Array([2 ** 32 - 1]) },
  i16: { dtype: "I16", shape: [1], data: new Int16Array([-300]) },
  u8: { dtype: "U8", shape: [3], data: new Uint8Array([1, 2, 255]) },
  i8: { dtype: "I8", shape: [1], data: new Int8Array([-128]) },
  bool: { dtype: "BOOL", shape: [], data: new Uint8Array([1]) },
  empty: { dtype: "F32", shape: [0, 4], data: new Float32Array(0) },
};

describe("safetensors", () => {
  it("gives back every type, shape and the metadata", () => {
    const parsed = parseSafetensors(serializeSafetensors(every, { b: "2", a: 'ü\n"' }));
    expect({ ...parsed.metadata }).toEqual({ a: 'ü\n"', b: "2" });
    expect([...parsed.tensors.keys()].sort()).toEqual(Object.keys(every).sort());
    for (const [name, { dtype, shape, data }] of Object.entries(every)) {
      const tensor = parsed.tensors.get(name)!;
      expect([tensor.dtype, tensor.shape]).toEqual([dtype, shape]);
      expect(tensor.bytes).toEqual(new Uint8Array(data.buffer));
    }
    expect(toFloat64(parsed.tensors.get("f64")!)).toEqual(new Float64Array([Math.PI, -1e300]));
    expect(toFloat32(parsed.tensors.get("f16")!)).toEqual(new Float32Array([1, 65504]));
    expect(toFloat32(parsed.tensors.get("bf16")!)).toEqual(new Float32Array([1]));
    expect(toInt32(parsed.tensors.get("i64")!)).toEqual(new Int32Array([-5]));
    expect(toInt32(parsed.tensors.get("i32")!)).toEqual(new Int32Array([-7, 2 ** 31 - 1]));
    expect(toFloat32(parsed.tensors.get("u8")!)).toEqual(new Float32Array([1, 2, 255]));
    expect(() => toInt32(parsed.tensors.get("u32")!)).toThrow(FileError);
    expect(() => toInt32(parsed.tensors.get("f32")!)).toThrow(/expected an integer tensor; found F32/);
  });

  it("writes equal bytes for equal content, aligned, whatever the order of insertion", () => {
    const forward = serializeSafetensors(every, { a: "1", b: "2" });
    const backward = serializeSafetensors(Object.fromEntries(Object.entries(every).reverse()), { b: "2", a: "1" });
    expect(backward).toEqual(forward);
    const headerBytes = Number(new DataView(forward.buffer).getBigUint64(0, true));
    expect(headerBytes % 8).toBe(0);
    for (const [name, { bytes }] of parseSafetensors(forward).tensors) {
      expect(bytes.byteOffset % every[name].data.BYTES_PER_ELEMENT).toBe(0);
    }
  });

  it("refuses arrays that do not fit", () => {
    const write = (tensor: TensorToStore) => () => serializeSafetensors({ x: tensor });
    expect(write({ dtype: "F32", shape: [3], data: new Float32Array(2) })).toThrow(ShapeError);
    expect(write({ dtype: "F32", shape: [2], data: new Int32Array(2) })).toThrow(/expected Float32Array/);
  });

  const one = (fields: string) => `{"x":{${fields}}}`;
  it.each([
    ["nothing", new Uint8Array(0), /at least 8 bytes/],
    ["a huge header", file("{}", 0, 100_000_001n), /a header of at most 100000000 bytes/],
    ["a header beyond the file", file("{}", 0, 50n), /58 bytes of length and header/],
    ["a header that starts with a space", file(" {}"), /starts with \{/],
    ["bytes that are not UTF-8", file("{}", 0).map((b, i) => (i === 8 ? 0xff : b)), /UTF-8/],
    ["text after the header", file("{}x"), /nothing but spaces/],
    ["an unknown type", file(one('"dtype":"F8","shape":[1],"data_offsets":[0,1]'), 1), /a type among/],
    ["an unknown key", file(one('"dtype":"U8","shape":[],"data_offsets":[0,1],"y":1'), 1), /only dtype/],
    ["a missing key", file(one('"dtype":"U8","shape":[]'), 0), /without one of them/],
    ["a wrong size", file(one('"dtype":"F32","shape":[2],"data_offsets":[0,4]'), 4), /8 bytes for F32 \[2\]/],
    ["a negative extent", file(one('"dtype":"U8","shape":[-1],"data_offsets":[0,1]'), 1), /an unsigned integer/],
    ["a fractional offset", file(one('"dtype":"U8","shape":[1],"data_offsets":[0,1.0]'), 1), /expected "]"/],
    [
      "an overflowing shape",
      file(one('"dtype":"U8","shape":[9007199254740991,9007199254740991],"data_offsets":[0,1]'), 1),
      /bytes for U8/,
    ],
    ["data beyond the end", file(one('"dtype":"U8","shape":[4],"data_offsets":[0,4]'), 3), /inside the file/],
    ["data left over", file(one('"dtype":"U8","shape":[4],"data_offsets":[0,4]'), 5), /4 bytes of tensor data/],
    [
      "a hole",
      file(
        '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}',
        3,
      ),
      /a hole: b/,
    ],
    [
      "an overlap",
      file(
        '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}',
        3,
      ),
      /an overlap: b/,
    ],
    [
      "a tensor twice",
      file('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
      /"a" twice/,
    ],
    [
      "an escaped duplicate",
      file(
        '{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
      ),
      /"a" twice/,
    ],
    ["a number as metadata", file('{"__metadata__":{"a":1}}'), /expected "\\""/],
    ["an unfinished string", file('{"a'), /the end of a string/],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => parseSafetensors(bytes)).toThrow(FileError);
    expect(() => parseSafetensors(bytes)).toThrow(message);
  });

  it("accepts padding, empty tensors and hostile names", () => {
    const parsed = parseSafetensors(file('{"__proto__":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}   '));
    expect([...parsed.tensors.keys()]).toEqual(["__proto__"]);
  });
});

describe("float16", () => {
  it("gives back all 65536 patterns, NaN payloads included", () => {
    const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
    expect(float32ToFloat16(float16ToFloat32(patterns))).toEqual(patterns);
  });

  it("agrees with the definition on every finite pattern", () => {
    const patterns = Uint16Array.from({ length: 0x7c00 }, (_, i) => i);
    const values = float16ToFloat32(patterns);
    patterns.forEach((bits, i) => {
      const exponent = bits >> 10;
      const fraction = (bits & 0x3ff) / 1024;
      const value = exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15);
      if (values[i] !== value) expect(values[i]).toBe(value);
    });
  });

  it("rounds to the nearest, ties to even, between all neighbours", () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const [low, high] = float16ToFloat32(new Uint16Array([bits, bits + 1]));
      const middle = (low + high) / 2;
      const step = middle * 2 ** -23;
      const rounded = float32ToFloat16(new Float32Array([middle, middle - step, middle + step]));
      const even = bits % 2 === 0 ? bits : bits + 1;
      if (rounded[0] !== even || rounded[1] !== bits || rounded[2] !== bits + 1) {
        expect([...rounded]).toEqual([even, bits, bits + 1]);
      }
    }
  });

  it("handles the ends of the range", () => {
    const halves = float32ToFloat16(
      new Float32Array([65519.996, 65520, Infinity, -Infinity, 2 ** -25, 2 ** -26, -0, 1e-45]),
    );
    expect([...halves]).toEqual([0x7bff, 0x7c00, 0x7c00, 0xfc00, 0, 0, 0x8000, 0]);
    const smallNaN = new Float32Array(new Uint32Array([0x7f800001]).buffer);
    expect(float32ToFloat16(smallNaN)[0]).toBe(0x7e00);
  });
});

describe.skipIf(!hasShared)("safetensors written by the reference library", () => {
  it("reads and rewrites them without a change of content", () => {
    const original = parseSafetensors(new Uint8Array(readFileSync(shared("reference/finetune.safetensors"))));
    const arrays = { F32: Float32Array, I32: Int32Array, U8: Uint8Array } as const;
    const tensors: Record<string, TensorToStore> = {};
    for (const [name, { dtype, shape, bytes }] of original.tensors) {
      const data = new arrays[dtype as keyof typeof arrays](bytes.slice().buffer);
      tensors[name] = { dtype, shape, data };
    }
    const again = parseSafetensors(serializeSafetensors(tensors));
    expect(again.tensors.size).toBe(original.tensors.size);
    for (const [name, { bytes }] of original.tensors)
      expect(Buffer.compare(again.tensors.get(name)!.bytes, bytes)).toBe(0);
  });
});
