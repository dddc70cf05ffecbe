import { randomBits } from "../../src/engine/random.ts";

/** Flips, overwrites, removes, repeats or cuts bytes of a file; everything follows from the seed. */
export function mutate(bytes: Uint8Array, seed: number): Uint8Array {
  const draw = (index: number, bound: number) => randomBits(seed, 9, index) % bound;
  const headerOnly = draw(0, 2) === 0;
  const reach = headerOnly ? Math.min(bytes.length, 700) : bytes.length;
  const at = draw(1, reach);
  const length = 1 + draw(2, 64);
  switch (draw(3, 5)) {
    case 0:
      return bytes.map((byte, i) => (i === at ? byte ^ (1 << draw(4, 8)) : byte));
    case 1:
      return bytes.map((byte, i) => (i >= at && i < at + length ? randomBits(seed, 10, i) & 255 : byte));
    case 2:
      return new Uint8Array(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]));
    case 3:
      return new Uint8Array(Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]));
    default:
      return bytes.slice(0, at);
  }
}
