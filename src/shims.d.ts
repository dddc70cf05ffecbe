declare module "*.wgsl?raw" {
  const source: string;
  export default source;
}

declare module "gl-matrix/esm/mat3.js" {
  /** 3 × 3, by columns; written to and returned. */
  type Entries = ArrayLike<number>;
  export function multiply(out: number[], a: Entries, b: Entries): number[];
  export function invert(out: number[], a: Entries): number[] | null;
  export function determinant(a: Entries): number;
}
